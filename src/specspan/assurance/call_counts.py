"""Counts of a report: calls by verdict, clauses by outcome, overrides, and approvals."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from specspan.approvals.approval_store import ApprovalStore
from specspan.calibration.share_lift import share_record
from specspan.decision import Outcome
from specspan.sqlite.call_groups import CallGroup

_PAGE = 1000


@dataclass(slots=True)
class CallCounts:
    """Calls of a time, counted. A clause with several checks counts once a call, by the worst of their findings."""

    calls: int = 0
    verdicts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """Number of calls by service and verdict."""
    outcomes: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """Number of calls by clause and outcome."""
    unassessed: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """Number of calls by clause and reason for which nothing assessed it."""
    overrides: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """Number of calls by clause, who asked for the override, and ``granted`` or the reason of the refusal."""


def count_calls(groups: Iterable[CallGroup], service: str | None = None) -> CallCounts:
    """Return the counts of groups of calls: of one service, or of all."""
    counts = CallCounts()
    for group in groups:
        if service not in (None, group.service):
            continue
        counts.calls += group.calls
        counts.verdicts[group.service or "unknown"][group.verdict] += group.calls
        for clause, (outcome, reason) in group.outcomes.items():
            counts.outcomes[clause][outcome] += group.calls
            if outcome == Outcome.UNASSESSED.value:
                counts.unassessed[clause][reason or "unknown"] += group.calls
        for override in group.overrides:
            result = "granted" if override.get("granted") else str(override.get("refusal") or "refused")
            counts.overrides[str(override.get("clause")), str(override.get("by")), result] += group.calls
    return counts


def clause_records(counts: CallCounts) -> list[dict[str, Any]]:
    """Return the calls of each clause by outcome, with the share of violations of those that decided it."""
    found = []
    for clause, outcomes in sorted(counts.outcomes.items()):
        violated = outcomes[Outcome.VIOLATED.value]
        decided = violated + outcomes[Outcome.COMPLIED.value]
        found.append(
            {
                "clause": clause,
                "findings": {outcome: number for outcome, number in sorted(outcomes.items()) if number},
                "unassessed": dict(sorted(counts.unassessed[clause].items())),
                "violations": share_record(violated, decided, "violated"),
            }
        )
    return found


def override_records(counts: CallCounts) -> list[dict[str, Any]]:
    """Return the overrides that were asked for, granted and refused, with the number of calls of each."""
    return [
        {"clause": clause, "by": by, "result": result, "calls": calls, "of": counts.calls}
        for (clause, by, result), calls in sorted(counts.overrides.items())
    ]


def count_approvals(store: ApprovalStore, since: int, until: int, service: str | None) -> dict[str, int]:
    """Return the number of approvals that were asked for in a time, by state."""
    counts: Counter[str] = Counter()
    after: str | None = None
    while True:
        page = store.list(after=after, limit=_PAGE)
        for each in page.approvals:
            if since <= each.requested_unix_nano < until and service in (None, each.service):
                counts[each.state.value] += 1
        after = page.next_key
        if after is None or page.approvals[-1].requested_unix_nano < since:
            return dict(sorted(counts.items()))
