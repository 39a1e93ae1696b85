"""Faster constructors for frozen dataclasses.

A frozen dataclass sets each field by a call that goes past the guard that freezes it. The constructor made here turns
the new object for a moment into one of a class with the same slots and no guard, sets the fields as any object's, and
turns it back; nobody else has seen the object by then.

Measured in processor time on Python 3.11, two cores: an object of 8 fields takes 810 ns, a plain frozen dataclass
1,500 ns, a `msgspec.Struct` 140 ns. The objects of one OpenAI call take 5.0 µs, plain ones 7.7 µs. Structs were not
taken: they are not dataclasses, and `dataclasses.replace` of a `ModelCall` is part of the public API.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from functools import update_wrapper
from typing import Any, TypeVar

C = TypeVar("C", bound=type[Any])


def fast_init(kind: C) -> C:
    """Replace the constructor of a dataclass that is declared with ``frozen=True, slots=True`` by a faster one.

    Signature and effect are those of the constructor that is replaced, which still makes objects of subclasses.

    Raises:
        TypeError: the dataclass inherits fields.
    """
    if kind.__bases__ != (object,):
        raise TypeError(
            f"invalid base of {kind.__name__}: a dataclass with a fast constructor inherits from object alone"
        )
    all_fields = fields(kind)
    thawed = type(kind.__name__, (), {"__slots__": kind.__slots__})
    scope = {"kind": kind, "thawed": thawed, "thaw": object.__setattr__, "plain_init": kind.__init__, "absent": MISSING}
    scope |= {f"default_{each.name}": each.default for each in all_fields}
    scope |= {f"make_{each.name}": each.default_factory for each in all_fields}
    exec(_source(all_fields, hasattr(kind, "__post_init__")), scope)  # noqa: S102 - as dataclasses write theirs
    kind.__init__ = update_wrapper(scope["__init__"], kind.__init__)
    return kind


def _source(all_fields: tuple[Field[Any], ...], has_post_init: bool) -> str:
    parameters = [each for each in all_fields if each.init]
    stored = [each for each in all_fields if each.init or each.default is not MISSING]
    factories = [each.name for each in parameters if each.default_factory is not MISSING]
    return "\n ".join(
        (
            f"def __init__(self, {', '.join(map(_parameter, parameters))}):",
            "if self.__class__ is not kind:",
            f" return plain_init(self, {', '.join(f'{each.name}={each.name}' for each in parameters)})",
            *(f"if {name} is absent: {name} = make_{name}()" for name in factories),
            "thaw(self, '__class__', thawed)",
            *(f"self.{each.name} = {each.name if each.init else f'default_{each.name}'}" for each in stored),
            "self.__class__ = kind",
            *(("self.__post_init__()",) if has_post_init else ()),
        )
    )


def _parameter(field: Field[Any]) -> str:
    has_default = field.default is not MISSING or field.default_factory is not MISSING
    return f"{field.name}=default_{field.name}" if has_default else field.name
