"""Whether what a tool is called with keeps to its limits. What cannot be shown to keep to one breaks it."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any

from specspan.call import NOT_TOLD
from specspan.checks.base import CheckConfigError
from specspan.checks.patterns import Pattern
from specspan.scope.model import ArgumentLimit, Number, Plain, exact


def broken_limit(limits: Mapping[str, ArgumentLimit], arguments: Any) -> str | None:
    """The reason for which ``arguments`` break a limit; None if they keep to all, or nobody told them."""
    if not limits or arguments is NOT_TOLD:
        return None
    if not isinstance(arguments, Mapping):
        return "arguments_not_an_object"
    return next((reason for name, limit in limits.items() if (reason := _broken(limit, name, arguments))), None)


@functools.lru_cache(512)
def whole(source: str) -> Pattern:
    """The pattern that the whole of a text must match.

    Raises:
        CheckConfigError: it cannot run in linear time, or is refused for another reason.
    """
    return Pattern(source, whole=True)


def _broken(limit: ArgumentLimit, name: str, arguments: Mapping[Any, Any]) -> str | None:
    if name not in arguments:
        return None if limit.optional or limit.forbidden else "argument_missing"
    if limit.forbidden:
        return "argument_forbidden"
    value = arguments[name]
    return _outside(limit.min, limit.max, value) or _unlisted(limit.one_of, value) or _unlike(limit.patterns, value)


def _outside(least: Number | None, most: Number | None, value: Any) -> str | None:
    if least is None and most is None:
        return None
    if not _is_number(value):
        return "argument_wrong_type"
    if most is not None and value > most:
        return "argument_over_limit"
    return "argument_under_limit" if least is not None and value < least else None


def _unlisted(listed: tuple[Plain, ...] | None, value: Any) -> str | None:
    if listed is None:
        return None
    if not isinstance(value, (str, bool, int, float)):
        return "argument_wrong_type"
    wanted = exact(value)
    return None if any(exact(each) == wanted for each in listed) else "argument_not_listed"


def _unlike(patterns: tuple[str, ...], value: Any) -> str | None:
    if not patterns:
        return None
    if not isinstance(value, str):
        return "argument_wrong_type"
    return None if all(_matches(pattern, value) for pattern in patterns) else "argument_does_not_match"


def _matches(source: str, value: str) -> bool:
    try:
        return whole(source).matches(value)
    except CheckConfigError:  # it came from elsewhere: what is declared here is refused where it is declared
        return False


def _is_number(value: Any) -> bool:
    """Whether it is a number that can be compared: to Python True is 1, and NaN is over no limit."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value and abs(value) != math.inf
