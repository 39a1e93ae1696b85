"""Calls as one clause sees them: the outcome of each, and the versions that it was made and decided by. Pure.

A row stands for a decision, without its record put together: what decisions name by reference is looked up once for all
that name the same, and what they share is read once.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .expansion import outcome_and_reason, ranges

Record = Mapping[str, Any]

WORST_FIRST = (
    *("violated", "error", "uncertain", "pending", "overridden", "unassessed"),
    *("complied", "not_applicable"),
)
"""Outcomes of findings about one clause: the first of them that a decision has is that of the clause."""
_CACHED = 20_000
_SHARED = ("service", "spec", "policy", "mode")
_NOTHING: Record = {}


@dataclass(frozen=True, slots=True)
class ClauseCall:
    """Call under a policy that names the clause, or whose decision has a finding about it."""

    decision_id: str
    time_unix_nano: int
    trace_id: str | None
    span_id: str | None
    outcome: str
    """Outcome of the clause, one of `WORST_FIRST`."""
    model: str | None
    shared: Record
    """Members that many decisions have alike: ``service``, ``spec``, ``policy``, ``mode``. The same object for all."""
    policy: Record
    """Record of the policy; empty where it is missing. The same object for all."""
    resource: Record
    """Attributes of the span's resource; empty where the span is not in the store. The same object for all."""


@dataclass(frozen=True, slots=True)
class CallRow:
    """Row of a decision, as either store reads it."""

    decision_id: str
    time_unix_nano: int
    trace_id: str | None
    span_id: str | None
    whole: str | None
    """Record of a decision that shares nothing; None for any other."""
    shared_key: int | None
    policy_key: int | str | None
    outcomes: str | None
    """JSON of what the decision names by reference."""
    model: str | None
    in_full: str | None
    """Outcomes of the findings about the clause that are written in full, with commas between."""
    resource_key: str | None


@dataclass(frozen=True, slots=True)
class Lookups:
    """Functions that read what many rows have in common, by its key."""

    shared: Callable[[int], Record]
    policy: Callable[[int | str], Record | None]
    resource: Callable[[str], Record]


def read_calls(rows: Iterable[CallRow], clause: str, lookups: Lookups) -> Iterator[ClauseCall]:
    """Yield the calls of rows that have an outcome for a clause, in the order of the rows."""
    shared, policies, resources = _Once(lookups.shared), _Once(lookups.policy), _Once(lookups.resource)
    wholes = _Once(load_record)
    named: OrderedDict[tuple[Any, str | None], str | None] = OrderedDict()
    for row in rows:
        policy = (policies.get(row.policy_key) if row.policy_key is not None else None) or _NOTHING
        key = (row.policy_key, row.outcomes)
        if key not in named:
            named[key] = _named_outcome(row.outcomes, policy, clause)
            if len(named) > _CACHED:
                named.popitem(last=False)
        outcome = _worst([named[key], *(row.in_full or "").split(",")])
        if outcome is None:
            continue
        common = shared.get(row.shared_key) if row.shared_key is not None else wholes.get(_shared_text(row.whole))
        resource = resources.get(row.resource_key) if row.resource_key is not None else _NOTHING
        yield ClauseCall(
            row.decision_id,
            row.time_unix_nano,
            row.trace_id,
            row.span_id,
            outcome,
            row.model,
            common,
            policy,
            resource,
        )


class _Once:
    """Values by key, each looked up once."""

    def __init__(self, look_up: Callable[[Any], Any]) -> None:
        self._look_up = look_up
        self._found: dict[Any, Any] = {}

    def get(self, key: Any) -> Any:
        if key not in self._found:
            self._found[key] = self._look_up(key)
        return self._found[key]


def _named_outcome(outcomes: str | None, policy: Record, clause: str) -> str | None:
    """Return the outcome of a clause among the findings that a decision names by reference."""
    if outcomes is None:
        return None
    listed = policy.get("assessments") or ()
    places = [number for number, each in enumerate(listed) if each.get("clause") == clause]
    found = []
    for label, text in load_record(outcomes).items():
        if any(first <= place <= last for first, last in ranges(text) for place in places):
            found.append(outcome_and_reason(label)[0])
    return _worst(found)


def _shared_text(whole: str | None) -> str:
    record = load_record(whole)
    return json.dumps({name: record[name] for name in _SHARED if name in record}, sort_keys=True)


def _worst(outcomes: Iterable[str | None]) -> str | None:
    found = set(outcomes)
    return next((outcome for outcome in WORST_FIRST if outcome in found), None)


def load_record(text: str | None) -> Record:
    """Return the object of a JSON text; an empty one where it is none."""
    try:
        value = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return _NOTHING
    return value if isinstance(value, dict) else _NOTHING
