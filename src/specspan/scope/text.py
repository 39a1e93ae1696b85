"""JSON form of a scope, in which it is sent and from which its digest is made. Absent bounds are left out."""

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


def scope_to_json(scope: ScopeOfAutonomy) -> dict[str, Any]:
    """Return a scope as a JSON object."""
    document: dict[str, Any] = {}
    if scope.allowed_tools is not None:
        document["tools"] = list(scope.allowed_tools)
    if scope.limits:
        document["limits"] = {
            tool: {name: _limit_to_json(each) for name, each in of.items()} for tool, of in scope.limits.items()
        }
    if scope.deadline is not None:
        document["deadline_us"] = (scope.deadline - _EPOCH) // _MICROSECOND
    if scope.cost_limit is not None:
        document["cost"] = str(scope.cost_limit).split(" ")
    if scope.details:
        document["details"] = dict(scope.details)
    return document


def scope_from_json(document: Any) -> ScopeOfAutonomy:
    """Return the scope that `scope_to_json` wrote.

    Raises:
        ValueError: the value is invalid or holds an unknown bound of a later version, which could not be enforced.
    """
    try:
        known = _require_object(document, _KEYS)
        return ScopeOfAutonomy(
            allowed_tools=known.get("tools"),
            limits={
                tool: {name: _limit_from_json(each) for name, each in _require_object(of).items()}
                for tool, of in _require_object(known.get("limits", {})).items()
            },
            deadline=_deadline_from_json(known.get("deadline_us")),
            cost_limit=_cost_from_json(known.get("cost")),
            details=known.get("details", {}),
        )
    except (TypeError, OverflowError, InvalidOperation) as error:
        raise ValueError(str(error)) from None


def canonical_json(document: Mapping[str, Any]) -> str:
    """Return an object as canonical JSON text: ASCII, keys in order, no blanks."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(scope: ScopeOfAutonomy) -> str:
    """Return ``sha256:`` and the hex digest of the canonical JSON of a scope, equal for equal scopes."""
    return "sha256:" + hashlib.sha256(canonical_json(scope_to_json(scope)).encode()).hexdigest()


def _limit_to_json(limit: ArgumentLimit) -> dict[str, Any]:
    given = {"max": limit.max, "min": limit.min, "one_of": limit.one_of}
    bounds = {key: value for key, value in given.items() if value is not None}
    flags = {"patterns": limit.patterns, "optional": limit.optional, "forbidden": limit.forbidden}
    return bounds | {key: value for key, value in flags.items() if value}


def _limit_from_json(value: Any) -> ArgumentLimit:
    known = _require_object(value, _LIMIT_KEYS)
    if not all(isinstance(known.get(key, False), bool) for key in ("optional", "forbidden")):
        raise TypeError("optional and forbidden are true or false")
    return ArgumentLimit(**known)


def _deadline_from_json(microseconds: Any) -> datetime | None:
    if microseconds is None:
        return None
    if type(microseconds) is not int:
        raise TypeError("a deadline is a whole number of microseconds")
    return _EPOCH + timedelta(microseconds=microseconds)


def _cost_from_json(value: Any) -> Cost | None:
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 2 or not all(isinstance(each, str) for each in value):
        raise TypeError("a cost is an amount and a currency")
    return Cost(Decimal(value[0]), value[1])


def _require_object(value: Any, keys: frozenset[str] | None = None) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"an object is expected, not {type(value).__name__}")
    if keys is not None and not value.keys() <= keys:
        raise TypeError("the object has unknown keys")
    return value
