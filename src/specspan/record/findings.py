"""One finding as attributes: the same on span events and log records. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from specspan.decision import Decision, Finding, Outcome
from specspan.record import conventions as names
from specspan.record.attributes import Attributes, safe
from specspan.record.settings import FindingEvents

MAX_EVENTS = 64
"""Events of one span; the SDK keeps 128, and other instrumentation adds its own."""
MAX_EVIDENCE = 16

_WORST_FIRST = (
    Outcome.VIOLATED,
    Outcome.ERROR,
    Outcome.UNCERTAIN,
    Outcome.PENDING,
    Outcome.OVERRIDDEN,
    Outcome.COMPLIED,
    Outcome.NOT_APPLICABLE,
    Outcome.UNASSESSED,
)
_RANK = {outcome: rank for rank, outcome in enumerate(_WORST_FIRST)}
FAULTS = frozenset({Outcome.VIOLATED, Outcome.ERROR, Outcome.UNCERTAIN})
"""Outcomes of a clause that was looked at and did not comply."""
APPLIED = FAULTS | {Outcome.COMPLIED, Outcome.OVERRIDDEN}
"""Outcomes of a clause that had a bearing on the call."""


def as_attributes(finding: Finding, *, explained: bool) -> Attributes:
    """A finding's attributes; its explanation only where ``explained``, as it may quote content."""
    found: Attributes = {
        names.FINDING_CLAUSE: finding.clause,
        names.FINDING_AUTHORITY: finding.authority,
        names.FINDING_SEVERITY: finding.severity.value,
        names.FINDING_OUTCOME: finding.outcome.value,
        names.FINDING_STAGE: finding.stage.value,
        names.FINDING_ACTION: finding.action.value,
    }
    if finding.reason is not None:
        found[names.FINDING_REASON] = safe(finding.reason)
    if finding.score is not None:
        found[names.FINDING_SCORE] = finding.score
    if finding.evidence:
        found[names.FINDING_EVIDENCE] = tuple(
            f"{piece.pointer}:{piece.start}-{piece.end}" for piece in finding.evidence[:MAX_EVIDENCE]
        )
    if finding.check is not None:
        found[names.CHECK_NAME] = finding.check.name
        found[names.CHECK_KIND] = finding.check.kind.value
        found[names.CHECK_VERSION] = finding.check.version
    if explained and finding.explanation is not None:
        found[names.FINDING_EXPLANATION] = safe(finding.explanation)
    return found


def faults(decision: Decision) -> Iterator[Finding]:
    """The findings that did not comply."""
    return (finding for finding in decision.findings if finding.outcome in FAULTS)


def for_events(decision: Decision, which: FindingEvents) -> list[Finding]:
    """The findings that become span events, the worst first."""
    if which is FindingEvents.NONE:
        return []
    if which is FindingEvents.ALL:
        return sorted(decision.findings, key=lambda finding: _RANK[finding.outcome])
    summary = decision.summary
    if not (summary.violated or summary.uncertain or summary.errored):
        return []
    return sorted(faults(decision), key=lambda finding: _RANK[finding.outcome])
