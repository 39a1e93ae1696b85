"""Putting a wrapper around a method where it is defined, and taking just that one away again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from operator import attrgetter
from typing import Any, TypeAlias

import wrapt

Undo: TypeAlias = Callable[[], None]


def place_of(method: str) -> tuple[Any, str]:
    """The class that defines a method, or the module a function; None where this version of the client has none."""
    module, _, path = method.partition(":")
    owner_path, _, attribute = path.rpartition(".")
    try:
        found = import_module(module)
        owner = attrgetter(owner_path)(found) if owner_path else found
    except (ImportError, AttributeError):
        return None, attribute
    return (owner if attribute in vars(owner) else None), attribute


_FunctionWrapper: Any = wrapt.FunctionWrapper
"""Generic to type checkers, and not yet in its oldest version."""


class _Wrapper(_FunctionWrapper):  # type: ignore[misc]  # see there
    """A wrapper of ours. Out of use it passes through, wherever somebody still holds it."""

    def __init__(self, wrapped: Any, wrapper: Callable[..., Any]) -> None:
        in_use = [True]
        super().__init__(wrapped, wrapper, enabled=lambda: bool(in_use))
        self._self_in_use = in_use


def wrap(owner: Any, attribute: str, make: Callable[[Any], Callable[..., Any]]) -> Undo:
    """Wrap a method in what ``make`` makes for it. Returns what takes that away again, from under others, too."""
    _drop_unused(owner, attribute)
    outer, original = _innermost(owner, attribute)
    wrapper = _Wrapper(original, make(original))
    if outer is None:
        setattr(owner, attribute, wrapper)
    else:
        outer.__wrapped__ = wrapper

    def undo() -> None:
        wrapper._self_in_use.clear()  # somebody may hold it where it cannot be taken away
        if vars(owner).get(attribute) is wrapper:
            setattr(owner, attribute, wrapper.__wrapped__)
        for each in (outer, *_wrappers(owner, attribute)):
            if each is not None and each.__wrapped__ is wrapper:
                each.__wrapped__ = wrapper.__wrapped__

    return undo


def _wrappers(owner: Any, attribute: str) -> Iterator[Any]:
    """Those around a method, from outside."""
    found = vars(owner).get(attribute)
    while isinstance(found, wrapt.FunctionWrapper):
        yield found
        found = found.__wrapped__


def _drop_unused(owner: Any, attribute: str) -> None:
    """Take away what somebody who had kept it has put back after it was taken away."""
    while isinstance(found := vars(owner)[attribute], _Wrapper) and not found._self_in_use:
        setattr(owner, attribute, found.__wrapped__)


def _innermost(owner: Any, attribute: str) -> tuple[Any, Any]:
    """The wrapper of somebody else's that holds the client's own method, and that method.

    Below every other wrapper, what passes is what the client made, and a span of theirs around it is current.
    """
    wrappers = list(_wrappers(owner, attribute))
    return (wrappers[-1], wrappers[-1].__wrapped__) if wrappers else (None, vars(owner)[attribute])
