"""References from a decision's findings to the assessments that its policy's record lists.

Most findings of a call say no more than which assessment came to which ordinary outcome. They are named by the numbers
of their assessments, in ranges such as ``0-41,43-99``; only findings that say more are written in full. Calls share
most findings, often the whole tuple of them, so that what is known of one call serves the next.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import compress, count
from operator import is_not
from typing import NamedTuple, TypeAlias

from specspan._support.caches import BoundedCache, IdentityCache
from specspan.decision import Action, CheckRef, Finding, Outcome, Severity, Stage
from specspan.record.attributes import safe_text

AssessmentKey: TypeAlias = "tuple[str, str, Severity, Action, Stage, CheckRef | None]"
"""Parts of a finding that are the same on every call: clause, authority, severity, action, stage and check."""

ORDINARY = frozenset((Outcome.COMPLIED, Outcome.NOT_APPLICABLE, Outcome.UNASSESSED))
"""Outcomes of findings that can be named by reference."""
_MAX_TUPLES = 256
_MIN_PLACES = 4096
_MAX_DIFFERENCES = 16
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


class _Pattern(NamedTuple):
    """Findings of a call that serve those of calls that differ from it in a few."""

    findings: tuple[Finding, ...]
    places: Sequence[_Place]
    in_full: frozenset[int]
    """Positions of findings that are always written in full."""
    explained: frozenset[int]
    """Positions of findings that are written in full only for their explanation."""
    measured: Sequence[int]
    """Positions of findings with a score or a duration that may be named by reference."""
    outcomes: BoundedCache[frozenset[int], Mapping[str, str]]
    """By positions of the findings that are written in full, the references to all others."""

    def differences(self, findings: tuple[Finding, ...]) -> list[int] | None:
        """Return the positions at which other findings deviate about the same assessments; None for any others."""
        if len(findings) != len(self.findings):
            return None
        changed = list(compress(count(), map(is_not, findings, self.findings)))
        if len(changed) > _MAX_DIFFERENCES:
            return None
        for position in changed:
            finding, before = findings[position], self.findings[position]
            if assessment_key(finding) != assessment_key(before) or _label(finding) is not None:
                return None
        return changed

    def references(self, in_full: frozenset[int]) -> Mapping[str, str]:
        """Return the references to findings, without those that are written in full."""
        known = self.outcomes.get(in_full)
        if known is None:
            numbers: dict[str, list[int]] = {}
            for position, (number, label) in enumerate(self.places):
                if label is not None and position not in in_full:
                    numbers.setdefault(label, []).append(number)
            known = self.outcomes[in_full] = {label: _text(of_label) for label, of_label in numbers.items()}
        return known


class FindingReferences:
    """Index of the assessments of one policy."""

    def __init__(self, assessments: Sequence[AssessmentKey]) -> None:
        self._numbers: dict[AssessmentKey, list[int]] = {}
        for number, key in enumerate(assessments):
            self._numbers.setdefault(key, []).append(number)
        self._places: IdentityCache[Finding, _Place] = IdentityCache(max(_MIN_PLACES, 4 * len(assessments)))
        self._tuples: IdentityCache[tuple[Finding, ...], Findings] = IdentityCache(_MAX_TUPLES)
        self._pattern = self._make_pattern(())

    def known(self, findings: tuple[Finding, ...]) -> Findings | None:
        """Return what `refer` found about the same tuple before, where nothing in it is a call's own; else None."""
        return self._tuples.get(findings)

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

    def _refer(self, findings: tuple[Finding, ...], governing_clause: str | None, with_explanations: bool) -> Findings:
        pattern, changed = self._pattern, self._pattern.differences(findings)
        if changed is None:
            pattern, changed = self._make_pattern(findings), []
            if not pattern.in_full or self._pattern.in_full or len(findings) != len(self._pattern.findings):
                self._pattern = pattern  # calls that deviate differ least from one that does not
        in_full = pattern.in_full.union(changed)
        if governing_clause is not None:
            in_full = in_full.union([at for at, finding in enumerate(findings) if finding.clause == governing_clause])
        if with_explanations:
            in_full |= pattern.explained
        scores, durations_ns = {}, {}
        for position in pattern.measured:
            if position in in_full:
                continue
            number, finding = str(pattern.places[position].number), findings[position]
            if finding.score is not None:
                scores[number] = finding.score
            if finding.duration_ns:
                durations_ns[number] = finding.duration_ns
        told = [(position, findings[position]) for position in sorted(in_full)]
        return Findings(pattern.references(in_full), told, scores, durations_ns)

    def _make_pattern(self, findings: tuple[Finding, ...]) -> _Pattern:
        places, last = [], _NOWHERE
        for finding in findings:
            place = self._places.get(finding) or self._place(finding, last)
            places.append(place if place.number > last else _Place(place.number, None))
            last = max(last, place.number)
        by_reference = [at for at, place in enumerate(places) if place.label is not None]
        return _Pattern(
            findings,
            places,
            frozenset(range(len(places))).difference(by_reference),
            frozenset([at for at in by_reference if findings[at].explanation is not None]),
            tuple([at for at in by_reference if findings[at].duration_ns or findings[at].score is not None]),
            BoundedCache(_MAX_TUPLES),
        )

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
    if finding.outcome not in ORDINARY or finding.evidence or finding.judgement is not None:
        return None
    outcome = finding.outcome.value
    return outcome if finding.reason is None else f"{outcome}:{safe_text(finding.reason)}"


def _text(numbers: Sequence[int]) -> str:
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and ranges[-1][1] == number - 1:
            ranges[-1][1] = number
        else:
            ranges.append([number, number])
    return ",".join([str(first) if first == last else f"{first}-{last}" for first, last in ranges])
