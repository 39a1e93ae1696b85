"""Frozen dataclasses that cost little to make.

A frozen dataclass sets its fields past the guard that freezes it, with a call for each. Here a new object is for a
moment of a class with the same slots and no guard, gets its fields as any object does, and is frozen by becoming what
it is; nobody else has seen it by then.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, fields
from functools import update_wrapper
from typing import Any, TypeVar

C = TypeVar("C", bound=type[Any])


def quickly_made(kind: C) -> C:
    """Give a dataclass, declared with ``frozen=True, slots=True``, a constructor that takes a third of the time.

    It has the same signature and the same effect. Objects of a subclass are made as if it were not there.

    Raises:
        TypeError: the dataclass inherits fields.
    """
    if kind.__bases__ != (object,):
        raise TypeError(f"{kind.__name__} inherits: it is made as dataclasses are made")
    found = fields(kind)
    thawed = type(kind.__name__, (), {"__slots__": kind.__slots__})
    scope = {"kind": kind, "thawed": thawed, "thaw": object.__setattr__, "slow": kind.__init__, "absent": MISSING}
    scope |= {f"default_{each.name}": each.default for each in found}
    scope |= {f"make_{each.name}": each.default_factory for each in found}
    exec(_source(found, hasattr(kind, "__post_init__")), scope)  # noqa: S102 - as dataclasses write theirs
    kind.__init__ = update_wrapper(scope["__init__"], kind.__init__)
    return kind


def _source(found: tuple[Field[Any], ...], more: bool) -> str:
    given = [each for each in found if each.init]
    kept = [each for each in found if each.init or each.default is not MISSING]
    made = [each.name for each in given if each.default_factory is not MISSING]
    return "\n ".join(
        (
            f"def __init__(self, {', '.join(map(_parameter, given))}):",
            "if self.__class__ is not kind:",
            f" return slow(self, {', '.join(f'{each.name}={each.name}' for each in given)})",
            *(f"if {name} is absent: {name} = make_{name}()" for name in made),
            "thaw(self, '__class__', thawed)",
            *(f"self.{each.name} = {each.name if each.init else f'default_{each.name}'}" for each in kept),
            "self.__class__ = kind",
            *(("self.__post_init__()",) if more else ()),
        )
    )


def _parameter(each: Field[Any]) -> str:
    has_default = each.default is not MISSING or each.default_factory is not MISSING
    return f"{each.name}=default_{each.name}" if has_default else each.name
