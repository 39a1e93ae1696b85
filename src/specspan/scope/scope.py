"""Scope of autonomy: the bounds within which an agent may act on its own before it must ask.

Every field bounds; none grants. The constructors validate every value, also for a scope received from another service,
so that the checks can rely on the scope in force.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from decimal import ROUND_DOWN, Context, Decimal
from typing import Any, TypeAlias

Number: TypeAlias = int | float
Scalar: TypeAlias = str | bool | int | float

NO_CURRENCY = "XXX"
"""ISO 4217 code for "no currency", in a cost limit that intersects limits in two currencies."""

UNROUNDED_CONTEXT = Context(prec=64)
"""Decimal context for sums of money; the context of the application may round."""
ROUND_DOWN_CONTEXT = Context(prec=28, rounding=ROUND_DOWN)
"""Decimal context for the remaining amount, in as many digits as an amount may have."""

_MAX_DIGITS = 28
_MAX_BITS = 1024  # enough for an amount in the smallest unit of any currency


@dataclass(frozen=True, slots=True)
class ArgumentLimit:
    """Bounds of one argument of one tool. A call must give the argument, unless it is ``optional`` or ``forbidden``.

    Raises:
        TypeError: a value has the wrong type.
        ValueError: a number is not finite.
    """

    max: Number | None = None
    min: Number | None = None
    one_of: tuple[Scalar, ...] | None = None
    """Allowed values; 1 equals 1.0, and true does not equal 1."""
    patterns: tuple[str, ...] = ()
    """Patterns of which each must match the whole text, in linear time."""
    optional: bool = False
    forbidden: bool = False
    """True if a call must not give the argument."""

    def __post_init__(self) -> None:
        _require_number("max", self.max)
        _require_number("min", self.min)
        if self.one_of is not None:
            listed = {json_identity(value): value for value in _require_items("one_of", self.one_of, (str, int, float))}
            for value in listed.values():
                if not isinstance(value, str):
                    _require_number("one_of", value)
            object.__setattr__(self, "one_of", tuple(listed[key] for key in sorted(listed)))
        object.__setattr__(self, "patterns", tuple(sorted(set(_require_items("patterns", self.patterns, str)))))


@dataclass(frozen=True, slots=True)
class Cost:
    """Amount of money in one currency.

    Raises:
        TypeError, ValueError: the amount is not a `Decimal` of at least 0, or the currency is not a short word.
    """

    amount: Decimal
    currency: str
    """ISO 4217 code, such as ``EUR``; compared as written, never converted."""

    def __post_init__(self) -> None:
        _require_type("amount", self.amount, Decimal)
        if not self.amount.is_finite() or self.amount < 0 or not _has_few_digits(self.amount):
            raise ValueError(f"the amount {self.amount:.3g} is not at least 0, of at most {_MAX_DIGITS} digits")
        _require_type("currency", self.currency, str)
        if not self.currency.isalnum() or len(self.currency) > 8:
            raise ValueError(f"invalid currency {self.currency!r}; write its code, such as EUR")
        object.__setattr__(self, "amount", self.amount.normalize(UNROUNDED_CONTEXT).copy_abs())

    def __str__(self) -> str:
        return f"{self.amount:f} {self.currency}"


Limits: TypeAlias = Mapping[str, Mapping[str, ArgumentLimit]]


@dataclass(frozen=True, slots=True)
class ScopeOfAutonomy:
    """Bounds within which an agent may act on its own before it must ask.

    Raises:
        TypeError: a value has the wrong type, such as one text for a tuple of texts.
        ValueError: the deadline has no time zone.
    """

    allowed_tools: tuple[str, ...] | None = None
    """Names of tools that may be called; None permits every tool."""
    limits: Limits = field(default_factory=dict)
    """Bounds of arguments, by tool and argument."""
    deadline: datetime | None = None
    """Time from which no tool may be called; None for no end. With a time zone; kept in UTC."""
    cost_limit: Cost | None = None
    """Spent amount (`specspan.spend`) from which no tool may be called; None for no limit."""
    details: Mapping[str, str] = field(default_factory=dict)
    """Notes for whoever acts within the scope. They bind nothing and travel unencrypted."""

    def __post_init__(self) -> None:
        if self.allowed_tools is not None:
            tools = tuple(sorted(set(_require_items("allowed_tools", self.allowed_tools, str))))
            object.__setattr__(self, "allowed_tools", tools)
        object.__setattr__(
            self, "limits", {tool: _tool_limits(tool, each) for tool, each in _require_mapping("limits", self.limits)}
        )
        object.__setattr__(self, "details", dict(_require_mapping("details", self.details, str)))
        if self.deadline is not None:
            object.__setattr__(self, "deadline", _to_utc(self.deadline))
        if self.cost_limit is not None:
            _require_type("cost_limit", self.cost_limit, Cost)


def json_identity(value: Scalar) -> tuple[str, Any]:
    """Return a key that is equal for values that JSON calls equal: 1 and 1.0, but not true and 1."""
    return (type(value).__name__ if isinstance(value, (str, bool)) else "number", value)


def _tool_limits(tool: str, limits: Any) -> Mapping[str, ArgumentLimit]:
    return dict(_require_mapping(f"limits[{tool!r}]", limits, ArgumentLimit))


def _require_type(name: str, value: Any, kind: type) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"{name} is a {kind.__name__}, not {type(value).__name__}")


def _require_number(name: str, value: Any) -> None:
    if value is None or (isinstance(value, bool) and name == "one_of"):
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} is a number, not {type(value).__name__}")
    if not (value.bit_length() <= _MAX_BITS if isinstance(value, int) else math.isfinite(value)):
        raise ValueError(f"{name} is a finite number")


def _require_items(name: str, values: Any, kind: type | tuple[type, ...]) -> Iterable[Any]:
    # a str would pass as a sequence of texts, and "a" in "search" is true
    if not isinstance(values, (tuple, list, set, frozenset)) or not all(isinstance(value, kind) for value in values):
        raise TypeError(f"{name} is a tuple of values such as ('search',), not {type(values).__name__}")
    return values


def _require_mapping(name: str, values: Any, kind: type = object) -> Iterable[tuple[str, Any]]:
    if not isinstance(values, Mapping) or not all(isinstance(key, str) for key in values):
        raise TypeError(f"{name} is a mapping by name, not {type(values).__name__}")
    for key, value in values.items():
        _require_type(f"{name}[{key!r}]", value, kind)
    return values.items()


def _has_few_digits(amount: Decimal) -> bool:
    _, digits, exponent = amount.as_tuple()
    return len(digits) <= _MAX_DIGITS and isinstance(exponent, int) and abs(exponent) <= _MAX_DIGITS


def _to_utc(moment: datetime) -> datetime:
    _require_type("deadline", moment, datetime)
    if moment.tzinfo is None:
        raise ValueError("the deadline has no time zone; write datetime(..., tzinfo=timezone.utc)")
    try:
        return moment.astimezone(timezone.utc)
    except OverflowError:
        raise ValueError(f"the deadline {moment} cannot be written in UTC") from None
