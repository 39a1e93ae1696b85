"""Requests made from a client's own type hints, each with a generator where the hints allow any iterable."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typing_extensions

Maker = Callable[[], Any]
"""Makes a value anew: a generator can be read once."""

_UNIONS = (Union, types.UnionType)
_REQUIRED = (typing_extensions.Required, getattr(typing, "Required", typing_extensions.Required))
_WRAPPERS = (*_REQUIRED, Annotated, typing_extensions.NotRequired, getattr(typing, "NotRequired", Annotated))
_SIMPLE: Mapping[Any, Any] = {str: "hi", int: 1, float: 1.0, bool: True, bytes: b"hi", type(None): None}
_MAX_DEPTH = 7


def requests_with_generators(parameters: type) -> Iterator[tuple[str, Maker]]:
    """Yield each place in the parameters of a method where any iterable is allowed, and a maker of such a request."""
    yield from _in_mapping(parameters, "", 0)


def _in(hint: Any, place: str, depth: int) -> Iterator[tuple[str, Maker]]:
    origin, arguments = get_origin(hint), get_args(hint)
    if depth > _MAX_DEPTH:
        return
    if origin in _WRAPPERS:
        yield from _in(arguments[0], place, depth)
    elif origin in _UNIONS:
        for each in arguments:
            yield from _in(each, place, depth)
    elif origin is Iterable:
        yield place + "[]", lambda: (item for item in [smallest(arguments[0])])
        for inner, make in _in(arguments[0], place + "[]", depth + 1):
            yield inner, lambda make=make: (item for item in [make()])  # type: ignore[misc]  # late binding
    elif origin in (list, Sequence):
        for inner, make in _in(arguments[0], place + "[]", depth + 1):
            yield inner, lambda make=make: [make()]  # type: ignore[misc]
    elif typing_extensions.is_typeddict(hint):
        yield from _in_mapping(hint, place, depth + 1)


def _in_mapping(hint: Any, place: str, depth: int) -> Iterator[tuple[str, Maker]]:
    for name, value in _hints(hint).items():
        for inner, make in _in(value, f"{place}.{name}", depth):
            yield inner, lambda name=name, make=make: {**smallest(hint), name: make()}  # type: ignore[misc]


def smallest(hint: Any) -> Any:
    """Return a small value of a type, without generators."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Literal:
        return arguments[0]
    if origin in _WRAPPERS or origin in _UNIONS:
        return smallest(arguments[0])
    if origin in (list, Sequence, Iterable):
        return [smallest(arguments[0])]
    if typing_extensions.is_typeddict(hint):
        return {name: smallest(value) for name, value in _hints(hint).items() if _is_required(hint, name, value)}
    return _SIMPLE.get(hint, {})


def _hints(hint: Any) -> dict[str, Any]:
    return typing_extensions.get_type_hints(hint, include_extras=True)


def _is_required(hint: Any, name: str, value: Any) -> bool:
    """Return whether a field is required: Python does not see ``Required`` in annotations that are strings."""
    return get_origin(value) in _REQUIRED or (hint.__total__ and name in hint.__required_keys__)
