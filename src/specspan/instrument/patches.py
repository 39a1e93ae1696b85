"""Replacement of functions of other libraries: the one module that changes what is not specspan's.

Methods of clients and frameworks are wrapped where they are defined. The few functions that are replaced for the whole
process, whoever calls them, are listed in `PROCESS_PATCHES`. Everything can be undone, also from under replacements
that somebody else has made since; what somebody holds where it cannot be taken away passes straight through.
"""

from __future__ import annotations

import functools
import inspect
import sys
import weakref
from collections.abc import Callable, Hashable, Iterator, Mapping
from importlib import import_module
from operator import attrgetter
from typing import Any, TypeAlias

import wrapt

from specspan._support.process import Undo
from specspan.instrument.replacements import Function, Wrapper, replace

PROCESS_PATCHES: Mapping[str, str] = {
    "opentelemetry.sdk.trace:Tracer.start_span": "instrument()",
    "threading:Thread.start": 'instrument("threading")',
    "concurrent.futures:ThreadPoolExecutor.submit": 'instrument("threading")',
}
"""Functions that are replaced for every caller in the process, and what replaces them."""


def replace_function(place: str, make: Callable[[Any, Undo], Function]) -> Undo:
    """Replace a function for the whole process. Returns what puts the original back.

    Args:
        place: one of `PROCESS_PATCHES`.
        make: makes the replacement of the original and its undo. Once the undo ``is_done`` the replacement must pass
            straight through to the original: somebody may have wrapped it again.
    """
    if place not in PROCESS_PATCHES:
        raise ValueError(f"unknown place {place!r}: add it to PROCESS_PATCHES and to docs/process.md")
    owner, attribute = _owner_of(place)
    original = getattr(owner, attribute)
    is_inherited = attribute not in vars(owner)  # as in the classes that gevent puts in place
    undo = Undo()
    replacement = functools.wraps(original)(make(original, undo))

    def put_back() -> None:
        if vars(owner).get(attribute) is replacement:
            if is_inherited:
                delattr(owner, attribute)
            else:
                setattr(owner, attribute, original)

    setattr(owner, attribute, replacement)
    undo.add(put_back)
    return undo


def is_replaced(method: Any) -> bool:
    """Return whether a method is one that was put in place of a client's, and is in use."""
    found = _replaced_by(method)
    return found is not None and not found[0].is_done


def is_mock(method: Any) -> bool:
    """Return whether somebody's test has put a mock in the place of a method, or a function that is one inside."""
    module = sys.modules.get("unittest.mock")
    inside = vars(method).get("mock") if inspect.isfunction(method) else method
    return module is not None and isinstance(inside, module.NonCallableMock)


def find_method(place: str) -> tuple[Any, str]:
    """Return the class that defines a method, or the module of a function, and its name there.

    ``place`` is ``module:Class.method`` or ``module:function``. The owner is None where this version of the library has
    no such method.
    """
    try:
        owner, attribute = _owner_of(place)
    except (ImportError, AttributeError):
        return None, place.rpartition(":")[2].rpartition(".")[2]
    return (owner if attribute in vars(owner) else None), attribute


def _owner_of(place: str) -> tuple[Any, str]:
    module_name, _, path = place.partition(":")
    module = import_module(module_name)
    owner_path, _, attribute = path.rpartition(".")
    return attrgetter(owner_path)(module) if owner_path else module, attribute


_Replaced: TypeAlias = "tuple[Undo, Any, Hashable]"
_replacements: dict[int, tuple[weakref.ref[Any], _Replaced]] = {}
"""By the identity of each function that was put in place of a method: that function, weakly; and its undo, the method,
and what makes its calls. A stand-in equals the method, so that equality would take the one for the other.
"""


def wrap_in_place(owner: Any, attribute: str, make: Callable[[Any], Wrapper], key: Hashable) -> Undo:
    """Wrap a method in what ``make`` makes for it. Returns what takes that away again, from under other wrappers, too.

    A method that stands in several classes has one replacement for each ``key``, so that it is the same in all of them.

    Ours goes below the wrappers of others: what passes there is what the client itself made, and a span that others
    make around it is current.
    """
    _drop_undone(owner, attribute)
    outer, original = _innermost(owner, attribute)
    replacement, undo = _replacement_in_use(original, key), Undo()
    if replacement is None:
        replacement = replace(original, make(original), undo, is_method=inspect.isclass(owner))
        _keep(_function_in(replacement), (undo, original, key))
    if outer is None:
        setattr(owner, attribute, replacement)
    else:
        outer.__wrapped__ = replacement

    def take_away() -> None:
        if vars(owner).get(attribute) is replacement:
            setattr(owner, attribute, original)
        for each in (outer, *_wrappers(owner, attribute)):
            if each is not None and each.__wrapped__ is replacement:
                each.__wrapped__ = original

    undo.add(take_away)
    return undo


def _wrappers(owner: Any, attribute: str) -> Iterator[Any]:
    """Yield the wrappers around a method, the outermost first."""
    function = vars(owner).get(attribute)
    while isinstance(function, wrapt.FunctionWrapper):
        yield function
        function = function.__wrapped__


def _drop_undone(owner: Any, attribute: str) -> None:
    """Take away an undone replacement that somebody had kept and has put back."""
    while (found := _replaced_by(vars(owner)[attribute])) is not None and found[0].is_done:
        setattr(owner, attribute, found[1])


def _function_in(method: Any) -> Any:
    """Return the function of a static or class method, of which there are no weak references, or anything itself."""
    return method.__func__ if isinstance(method, (staticmethod, classmethod)) else method


def _replacement_in_use(original: Any, key: Hashable) -> Any | None:
    for reference, (undo, method, its) in list(_replacements.values()):
        if method is original and its == key and not undo.is_done and (replacement := reference()) is not None:
            return replacement if _function_in(method) is method else type(method)(replacement)
    return None


def _keep(function: Any, replaced: _Replaced) -> None:
    """Keep what a function replaced for as long as there is that function."""
    identity = id(function)
    reference = weakref.ref(function, lambda _: _replacements.pop(identity, None))
    _replacements[identity] = reference, replaced


def _replaced_by(function: Any) -> _Replaced | None:
    found = _replacements.get(id(_function_in(function)))
    return None if found is None else found[1]


def _innermost(owner: Any, attribute: str) -> tuple[Any, Any]:
    """Return the wrapper of somebody else's that holds the client's own method, if any, and that method."""
    wrappers = list(_wrappers(owner, attribute))
    return (wrappers[-1], wrappers[-1].__wrapped__) if wrappers else (None, vars(owner)[attribute])
