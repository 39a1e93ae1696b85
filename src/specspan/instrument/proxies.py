"""Objects that stand in for others: the same to ``isinstance``, in every attribute, and in what can be done with them.

A stand-in has the special methods of the object it stands in for and no others, so its class is made for the class of
that object. It is for objects that cannot be changed themselves; ``type()`` tells it apart, and nothing else.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any
from weakref import WeakKeyDictionary

_OWN_PREFIX = "_self_"
"""Prefix of the attributes of a stand-in that are not those of the object."""
_NEVER_FORWARDED = frozenset(
    {f"__{name}__" for name in ("class", "class_getitem", "del", "dict", "doc", "init", "init_subclass", "module")}
    | {f"__{name}__" for name in ("instancecheck", "mro_entries", "new", "prepare", "qualname", "set_name", "slots")}
    | {f"__{name}attr__" for name in ("del", "get", "set")}
    | {"__getattribute__", "__subclasscheck__", "__subclasshook__", "__weakref__"}
)
"""Names of what belongs to a class, or is about the object itself."""

_classes: WeakKeyDictionary[type, WeakKeyDictionary[type, type]] = WeakKeyDictionary()
"""Classes of stand-ins, by template and by class of the object."""


class ObjectProxy:
    """Base of templates of stand-ins.

    The methods and properties of a template take the place of the object's own; a special method only where the object
    has it. Templates call their base by its name: they have no ``super()``. Attributes whose names begin with
    ``_self_`` are the stand-in's.
    """

    _self_wrapped: Any
    """The object."""

    def __new__(cls, wrapped: Any, *args: Any, **kwargs: Any) -> Any:
        made: Any = object.__new__(_class_for(cls, type(wrapped)))
        cls.__init__(made, wrapped, *args, **kwargs)
        return made

    def __init__(self, wrapped: Any) -> None:
        self._self_wrapped = wrapped


class _StandIn:
    """Base of the classes that stand-ins are of."""

    _self_wrapped: Any
    _self_names: frozenset[str]
    """Names of what takes the place of the object's own."""

    def __getattribute__(self, name: str) -> Any:
        if name.startswith(_OWN_PREFIX):
            return object.__getattribute__(self, name)
        if name in object.__getattribute__(self, "_self_names"):
            return object.__getattribute__(self, name)
        return getattr(object.__getattribute__(self, "_self_wrapped"), name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith(_OWN_PREFIX):
            object.__setattr__(self, name, value)
        else:
            setattr(self._self_wrapped, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._self_wrapped, name)


def _class_for(template: type, kind: type) -> type:
    """Return the class of what stands in for objects of a class by a template."""
    known = _classes.setdefault(template, WeakKeyDictionary())
    made = known.get(kind)
    if made is None:
        made = known[kind] = _make_class(template, kind)
    return made


def _make_class(template: type, kind: type) -> type:
    special = set(_special_names(kind))
    own = {
        name: value
        for base in reversed(template.__mro__)
        if base not in (object, ObjectProxy)
        for name, value in vars(base).items()
        if _takes_place(name, value, special, kind)
    }
    forwarded = {name: _forwarder(name) for name in special if name not in own}
    if getattr(kind, "__hash__", None) is None:
        forwarded["__hash__"] = None
    looks = {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__doc__": kind.__doc__}
    return type(kind.__name__, (_StandIn,), {**forwarded, **own, **looks, "_self_names": frozenset(own)})


def _takes_place(name: str, value: Any, special: set[str], kind: type) -> bool:
    """Return whether what a template has under a name takes the place of the object's own."""
    if _is_special(name):
        return name in special
    return name.startswith(_OWN_PREFIX) or not inspect.isfunction(value) or hasattr(kind, name)


def _special_names(kind: type) -> Iterator[str]:
    for base in type.mro(kind):
        yield from (name for name in vars(base) if _is_special(name) and name not in _NEVER_FORWARDED)


def _is_special(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _forwarder(name: str) -> Any:
    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(self._self_wrapped, name)(*args, **kwargs)

    forward.__name__ = name
    call: Callable[..., Any] = forward
    return call
