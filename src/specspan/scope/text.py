"""A scope as JSON: how it travels, and what its digest is taken of. What is absent from the scope is absent here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from typing import Any

from specspan.scope.scope import ArgumentLimit, Cost, ScopeOfAutonomy

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MICROSECOND = timedelta(microseconds=1)
_KEYS = frozenset(("tools", "limits", "deadline_us", "cost", "details"))
_LIMIT_KEYS = frozenset(("max", "min", "one_of", "patterns", "optional", "forbidden"))


def as_json(scope: ScopeOfAutonomy) -> dict[str, Any]:
    """A scope as what JSON knows."""
    found: dict[str, Any] = {}
    if scope.allowed_tools is not None:
        found["tools"] = list(scope.allowed_tools)
    if scope.limits:
        found["limits"] = {tool: {name: _limit(each) for name, each in of.items()} for tool, of in scope.limits.items()}
    if scope.deadline is not None:
        found["deadline_us"] = (scope.deadline - _EPOCH) // _MICROSECOND
    if scope.cost_limit is not None:
        found["cost"] = str(scope.cost_limit).split(" ")
    if scope.details:
        found["details"] = dict(scope.details)
    return found


def of_json(found: Any) -> ScopeOfAutonomy:
    """The scope that `as_json` wrote.

    Raises:
        ValueError: it did not write this, or a later version did: a bound that is not understood cannot be kept.
    """
    try:
        known = _mapping(found, _KEYS)
        return ScopeOfAutonomy(
            allowed_tools=known.get("tools"),
            limits={
                tool: {name: _limit_of(each) for name, each in _mapping(of).items()}
                for tool, of in _mapping(known.get("limits", {})).items()
            },
            deadline=_deadline(known.get("deadline_us")),
            cost_limit=_cost(known.get("cost")),
            details=known.get("details", {}),
        )
    except (TypeError, OverflowError, InvalidOperation) as error:
        raise ValueError(str(error)) from None


def canonical(found: Mapping[str, Any]) -> str:
    """The one way of writing it: ASCII, keys in order, no blanks."""
    return json.dumps(found, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(scope: ScopeOfAutonomy) -> str:
    """``sha256:`` and the hex digest of the scope as JSON: the same wherever the same scope is in force."""
    return "sha256:" + hashlib.sha256(canonical(as_json(scope)).encode()).hexdigest()


def _limit(limit: ArgumentLimit) -> dict[str, Any]:
    given = {"max": limit.max, "min": limit.min, "one_of": limit.one_of}
    found = {key: value for key, value in given.items() if value is not None}
    flags = {"patterns": limit.patterns, "optional": limit.optional, "forbidden": limit.forbidden}
    return found | {key: value for key, value in flags.items() if value}


def _limit_of(found: Any) -> ArgumentLimit:
    known = _mapping(found, _LIMIT_KEYS)
    if not all(isinstance(known.get(key, False), bool) for key in ("optional", "forbidden")):
        raise TypeError("optional and forbidden are true or false")
    return ArgumentLimit(**known)


def _deadline(microseconds: Any) -> datetime | None:
    if microseconds is None:
        return None
    if type(microseconds) is not int:
        raise TypeError("a deadline is a whole number of microseconds")
    return _EPOCH + timedelta(microseconds=microseconds)


def _cost(found: Any) -> Cost | None:
    if found is None:
        return None
    if not isinstance(found, list) or len(found) != 2 or not all(isinstance(each, str) for each in found):
        raise TypeError("a cost is an amount and a currency")
    return Cost(Decimal(found[0]), found[1])


def _mapping(found: Any, keys: frozenset[str] | None = None) -> Mapping[str, Any]:
    if not isinstance(found, dict):
        raise TypeError(f"an object is expected, not {type(found).__name__}")
    if keys is not None and not found.keys() <= keys:
        raise TypeError("there are keys that are not known here")
    return found
