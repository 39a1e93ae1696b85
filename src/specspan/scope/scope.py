"""The scope of autonomy: what an agent may do on its own before it must ask.

Everything in it bounds; nothing in it grants. It is checked where it is made, so that what is in force can be judged
without a second look: a scope that came from another service is made here, too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import ROUND_DOWN, Context, Decimal
from typing import Any, TypeAlias

Number: TypeAlias = int | float
Plain: TypeAlias = str | bool | int | float

NOTHING_IN_COMMON = "XXX"
"""ISO 4217 for "no currency": that of a cost limit narrowed from limits in two currencies."""

EXACT = Context(prec=64)
"""For sums of money: an application may have set decimal arithmetic to round."""
NO_MORE = Context(prec=28, rounding=ROUND_DOWN)
"""For what is left of them, in as many digits as an amount has."""

_MAX_DIGITS = 28
_MAX_BITS = 1024  # amounts in the smallest unit of whatever fit; a number without end does not


@dataclass(frozen=True, slots=True)
class ArgumentLimit:
    """What one argument of one tool must be. It must be there, unless it is ``optional`` or ``forbidden``.

    Raises:
        TypeError: a value that cannot be meant.
        ValueError: a number that is not finite.
    """

    max: Number | None = None
    min: Number | None = None
    one_of: tuple[Plain, ...] | None = None
    """The values it may have: 1 is 1.0, and true is not 1."""
    patterns: tuple[str, ...] = ()
    """In linear time; the whole of a text matches each."""
    optional: bool = False
    forbidden: bool = False
    """It must not be there."""

    def __post_init__(self) -> None:
        _number("max", self.max)
        _number("min", self.min)
        if self.one_of is not None:
            listed = {exact(value): value for value in _items("one_of", self.one_of, (str, int, float))}
            for value in listed.values():
                if not isinstance(value, str):
                    _number("one_of", value)
            object.__setattr__(self, "one_of", tuple(listed[key] for key in sorted(listed)))
        object.__setattr__(self, "patterns", tuple(sorted(set(_items("patterns", self.patterns, str)))))


@dataclass(frozen=True, slots=True)
class Cost:
    """An amount of money.

    Raises:
        TypeError, ValueError: an amount that is no `Decimal` of at least 0, or a currency that is no word.
    """

    amount: Decimal
    currency: str
    """By its ISO 4217 code, such as ``EUR``; compared as written, never converted."""

    def __post_init__(self) -> None:
        _of_kind("amount", self.amount, Decimal)
        if not self.amount.is_finite() or self.amount < 0 or not _writable(self.amount):
            raise ValueError(f"the amount {self.amount:.3g} is not at least 0, of at most {_MAX_DIGITS} digits")
        _of_kind("currency", self.currency, str)
        if not self.currency.isalnum() or len(self.currency) > 8:
            raise ValueError(f"{self.currency!r} is no currency; write its code, such as EUR")
        object.__setattr__(self, "amount", self.amount.normalize(EXACT).copy_abs())

    def __str__(self) -> str:
        return f"{self.amount:f} {self.currency}"


Limits: TypeAlias = Mapping[str, Mapping[str, ArgumentLimit]]


@dataclass(frozen=True, slots=True)
class ScopeOfAutonomy:
    """What an agent may do on its own before it must ask.

    Raises:
        TypeError: a value that cannot be meant, such as one text for a tuple of texts.
        ValueError: a deadline without a time zone.
    """

    allowed_tools: tuple[str, ...] | None = None
    """Names of tools that may be called; None permits every tool."""
    limits: Limits = field(default_factory=dict)
    """By tool and argument, what the argument must be."""
    deadline: datetime | None = None
    """From then on no tool may be called; None for no end. With a time zone; kept in UTC."""
    cost_limit: Cost | None = None
    """Once this much was spent (`specspan.spend`), no tool may be called; None for no limit."""
    details: Mapping[str, str] = field(default_factory=dict)
    """Whatever else whoever acts within the scope should know. Binds nothing, and travels in clear."""

    def __post_init__(self) -> None:
        if self.allowed_tools is not None:
            tools = tuple(sorted(set(_items("allowed_tools", self.allowed_tools, str))))
            object.__setattr__(self, "allowed_tools", tools)
        object.__setattr__(self, "limits", {tool: _of_tool(tool, each) for tool, each in _pairs("limits", self.limits)})
        object.__setattr__(self, "details", dict(_pairs("details", self.details, str)))
        if self.deadline is not None:
            object.__setattr__(self, "deadline", _in_utc(self.deadline))
        if self.cost_limit is not None:
            _of_kind("cost_limit", self.cost_limit, Cost)


def exact(value: Plain) -> tuple[str, Any]:
    """A value that is equal only to what JSON would call the same: 1 is 1.0, and true is not 1."""
    return (type(value).__name__ if isinstance(value, (str, bool)) else "number", value)


def _of_tool(tool: str, limits: Any) -> Mapping[str, ArgumentLimit]:
    return dict(_pairs(f"limits[{tool!r}]", limits, ArgumentLimit))


def _of_kind(name: str, value: Any, kind: type) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"{name} is a {kind.__name__}, not {type(value).__name__}")


def _number(name: str, value: Any) -> None:
    if value is None or (isinstance(value, bool) and name == "one_of"):
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} is a number, not {type(value).__name__}")
    if not (value.bit_length() <= _MAX_BITS if isinstance(value, int) else math.isfinite(value)):
        raise ValueError(f"{name} is a finite number")


def _items(name: str, values: Any, kind: type | tuple[type, ...]) -> Iterable[Any]:
    # a text is itself a sequence of texts, and "a" in "search" is true
    if not isinstance(values, (tuple, list, set, frozenset)) or not all(isinstance(value, kind) for value in values):
        raise TypeError(f"{name} is a tuple of values such as ('search',), not {type(values).__name__}")
    return values


def _pairs(name: str, values: Any, kind: type = object) -> Iterable[tuple[str, Any]]:
    if not isinstance(values, Mapping) or not all(isinstance(key, str) for key in values):
        raise TypeError(f"{name} is a mapping by name, not {type(values).__name__}")
    for key, value in values.items():
        _of_kind(f"{name}[{key!r}]", value, kind)
    return values.items()


def _writable(amount: Decimal) -> bool:
    _, digits, exponent = amount.as_tuple()
    return len(digits) <= _MAX_DIGITS and isinstance(exponent, int) and abs(exponent) <= _MAX_DIGITS


def _in_utc(moment: datetime) -> datetime:
    _of_kind("deadline", moment, datetime)
    if moment.tzinfo is None:
        raise ValueError("the deadline has no time zone; write datetime(..., tzinfo=timezone.utc)")
    try:
        return moment.astimezone(timezone.utc)
    except OverflowError:
        raise ValueError(f"the deadline {moment} cannot be written in UTC") from None
