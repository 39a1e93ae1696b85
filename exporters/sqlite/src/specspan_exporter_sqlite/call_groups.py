"""Groups of calls that were decided alike, with the number of each: what a report counts. Pure.

A store has few ways in which calls were decided, so that millions of calls are read as some hundred groups.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from .clause_calls import WORST_FIRST, Lookups, load_record
from .expansion import outcome_and_reason, ranges

Record = Mapping[str, Any]

CLAUSE_END, FINDING_END = "\x1f", "\x1e"
"""Characters between the parts of a finding, and between findings, as either store joins them."""


class GroupRow(NamedTuple):
    """Group of decisions, as either store reads it."""

    whole: str | None
    """Record of a decision that shares nothing; None for any other."""
    shared_key: int | None
    policy_key: int | str | None
    verdict: str | None
    outcomes: str | None
    """JSON of what the decisions name by reference."""
    in_full: str | None
    """Findings that are written in full: clause, outcome and reason of each."""
    overrides: str | None
    """JSON of the overrides."""
    calls: int


@dataclass(frozen=True, slots=True)
class CallGroup:
    """Calls of one service that were decided alike."""

    calls: int
    service: str | None
    verdict: str
    outcomes: Mapping[str, tuple[str, str | None]]
    """Outcome of each clause that has one, the worst of its findings, and its reason."""
    overrides: Sequence[Record]
    """Overrides that were asked for, as decision records have them."""


def read_groups(rows: Iterable[GroupRow], lookups: Lookups) -> Iterator[CallGroup]:
    """Yield the groups of rows, in their order; two may be of calls that were decided alike."""
    shared: dict[int, Record] = {}
    policies: dict[int | str, Record] = {}
    for row in rows:
        if row.shared_key is not None and row.shared_key not in shared:
            shared[row.shared_key] = lookups.shared(row.shared_key)
        if row.policy_key is not None and row.policy_key not in policies:
            policies[row.policy_key] = lookups.policy(row.policy_key) or {}
        common = load_record(row.whole) if row.shared_key is None else shared[row.shared_key]
        service = common.get("service")
        found = [*_in_full(row.in_full), *_named(row.outcomes, policies.get(row.policy_key or 0, {}))]
        listed = load_record(f'{{"all": {row.overrides or "[]"}}}').get("all")
        yield CallGroup(
            row.calls,
            service.get("name") if isinstance(service, Mapping) else None,
            row.verdict or "unknown",
            _worst(found),
            [each for each in listed if isinstance(each, Mapping)] if isinstance(listed, list) else [],
        )


def group_decisions(decisions: Iterable[Record]) -> Iterator[CallGroup]:
    """Yield a group of one call for each decision record with every finding in full, for a store that groups none."""
    for decision in decisions:
        service = decision.get("service")
        findings = [each for each in decision.get("findings") or () if isinstance(each, Mapping)]
        yield CallGroup(
            1,
            service.get("name") if isinstance(service, Mapping) else None,
            str(decision.get("verdict") or "unknown"),
            _worst((str(each.get("clause")), str(each.get("outcome")), each.get("reason")) for each in findings),
            [each for each in decision.get("overrides") or () if isinstance(each, Mapping)],
        )


def _in_full(text: str | None) -> Iterator[tuple[str, str, str | None]]:
    for finding in text.split(FINDING_END) if text else ():
        clause, outcome, reason = (*finding.split(CLAUSE_END), "", "")[:3]
        yield clause, outcome, reason or None


def _named(outcomes: str | None, policy: Record) -> Iterator[tuple[str, str, str | None]]:
    """Yield the findings that decisions name by reference, each with clause, outcome and reason."""
    listed = policy.get("assessments") or ()
    for label, text in load_record(outcomes).items():
        outcome, reason = outcome_and_reason(label)
        for first, last in ranges(text):
            for assessment in listed[first : last + 1]:
                yield str(assessment.get("clause")), outcome, reason


def _worst(found: Iterable[tuple[str, str, str | None]]) -> dict[str, tuple[str, str | None]]:
    worst: dict[str, tuple[str, str | None]] = {}
    for clause, outcome, reason in found:
        known = worst.get(clause)
        if outcome in _RANKS and (known is None or _RANKS[outcome] < _RANKS[known[0]]):
            worst[clause] = outcome, reason
    return worst


_RANKS = {outcome: rank for rank, outcome in enumerate(WORST_FIRST)}
