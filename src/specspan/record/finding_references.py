"""References from a decision's findings to the assessments that its policy's record lists.

Most findings of a call say no more than which assessment came to which ordinary outcome. They are named by the numbers
of their assessments, in ranges such as ``0-41,43-99``; only findings that say more are written in full. Calls share
most findings, often the whole tuple of them, so that what is known of one call serves the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias

from specspan._support.caches import IdentityCache
from specspan.decision import Action, CheckRef, Finding, Outcome, Severity, Stage
from specspan.record.attributes import safe_text

AssessmentKey: TypeAlias = "tuple[str, str, Severity, Action, Stage, CheckRef | None]"
"""Parts of a finding that are the same on every call: clause, authority, severity, action, stage and check."""

ORDINARY = frozenset((Outcome.COMPLIED, Outcome.NOT_APPLICABLE, Outcome.UNASSESSED))
"""Outcomes of findings that can be named by reference."""
_MAX_TUPLES = 256
_MIN_PLACES = 4096
_NOWHERE = -1


class Findings(NamedTuple):
    """Findings of one call, as its record holds them."""

    outcomes: Mapping[str, str]
    """Ranges of assessments by outcome, or by outcome and reason as in ``unassessed:not_sampled``."""
    in_full: Sequence[tuple[int, Finding]]
    """Findings that no reference can stand for, each with its place among all findings."""
    scores: Mapping[str, float]
    """By number of an assessment, its score, where it has one."""
    durations_ns: Mapping[str, int]
    """By number of an assessment, the time its check took, where that was notable."""


class _Place(NamedTuple):
    number: int
    """Number of the assessment; `_NOWHERE` for one that the policy's record does not list."""
    label: str | None
    """Outcome and reason; None where the finding is written in full."""


class FindingReferences:
    """Index of the assessments of one policy."""

    def __init__(self, assessments: Sequence[AssessmentKey]) -> None:
        self._numbers: dict[AssessmentKey, list[int]] = {}
        for number, key in enumerate(assessments):
            self._numbers.setdefault(key, []).append(number)
        self._places: IdentityCache[Finding, _Place] = IdentityCache(max(_MIN_PLACES, 4 * len(assessments)))
        self._tuples: IdentityCache[tuple[Finding, ...], Findings] = IdentityCache(_MAX_TUPLES)

    def refer(
        self, findings: tuple[Finding, ...], governing_clause: str | None = None, *, with_explanations: bool = False
    ) -> Findings:
        """Return the findings of one call by reference, as far as they can be.

        Findings of the clause that governs are written in full, and those with an explanation where
        ``with_explanations``.
        """
        known = self._tuples.get(findings) if governing_clause is None else None
        if known is not None:
            return known
        made = self._refer(findings, governing_clause, with_explanations)
        # a tuple with findings that are a call's own will not be seen again
        return made if made.in_full or made.scores or made.durations_ns else self._tuples.put(findings, made)

    def _refer(self, findings: Sequence[Finding], governing_clause: str | None, with_explanations: bool) -> Findings:
        ranges: dict[str, list[list[int]]] = {}
        in_full, scores, durations_ns = [], {}, {}
        last = _NOWHERE
        for position, finding in enumerate(findings):
            number, label = self._places.get(finding) or self._place(finding, last)
            is_told = finding.clause == governing_clause or (with_explanations and finding.explanation is not None)
            if label is None or number <= last or is_told:
                in_full.append((position, finding))
            else:
                of_label = ranges.setdefault(label, [])
                if of_label and of_label[-1][1] == number - 1:
                    of_label[-1][1] = number
                else:
                    of_label.append([number, number])
                if finding.score is not None:
                    scores[str(number)] = finding.score
                if finding.duration_ns:
                    durations_ns[str(number)] = finding.duration_ns
            last = max(last, number)
        return Findings({label: _text(of_label) for label, of_label in ranges.items()}, in_full, scores, durations_ns)

    def _place(self, finding: Finding, last: int) -> _Place:
        numbers = self._numbers.get(assessment_key(finding), ())
        number = next((number for number in numbers if number > last), _NOWHERE)
        place = _Place(number, None if number == _NOWHERE else _label(finding))
        is_shared = not finding.duration_ns and finding.score is None and place.label is not None
        return self._places.put(finding, place) if is_shared else place


def assessment_key(finding: Finding) -> AssessmentKey:
    """Return the key of the assessment that made a finding."""
    return finding.clause, finding.authority, finding.severity, finding.action, finding.stage, finding.check


def _label(finding: Finding) -> str | None:
    """Return the outcome of a finding and, after a colon, its reason; None where it says more than that."""
    if finding.outcome not in ORDINARY or finding.evidence:
        return None
    outcome = finding.outcome.value
    return outcome if finding.reason is None else f"{outcome}:{safe_text(finding.reason)}"


def _text(ranges: Sequence[Sequence[int]]) -> str:
    return ",".join([str(first) if first == last else f"{first}-{last}" for first, last in ranges])
