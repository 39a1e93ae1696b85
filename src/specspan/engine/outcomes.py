"""Outcomes of a call's clauses, computed from the few findings that differ from a shared baseline.

The baseline is what a call comes to when every check finds what it nearly always finds; it is made once. A real call
pays only for the findings that differ and the clauses they are about.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from specspan._support.caches import BoundedCache
from specspan.decision import OUTCOME_SEVERITY, Finding, Outcome, Summary

_APPLIED = frozenset((Outcome.COMPLIED, Outcome.VIOLATED, Outcome.UNCERTAIN))
_MAX_APPLIED_TEXTS = 64


@dataclass(frozen=True, slots=True)
class Outcomes:
    """All findings of one call, and its clauses by outcome."""

    findings: tuple[Finding, ...]
    summary: Summary
    complied: int
    """Number of clauses that complied."""


class BaselineOutcomes:
    """Outcomes of a call on which every check finds its default, and the index to derive those of other calls."""

    def __init__(
        self, default_findings: Mapping[int, Finding], clause_order: Mapping[str, int], considered: int
    ) -> None:
        """Index the baseline.

        Args:
            default_findings: by position.
            clause_order: by clause id, its place in the documents.
            considered: number of clauses in the documents that bind somebody.
        """
        findings = tuple(default_findings.values())
        self._clause_order = clause_order
        self._index_of_position = {position: index for index, position in enumerate(default_findings)}
        self._indexes_of_clause: dict[str, list[int]] = {}
        for index, finding in enumerate(findings):
            self._indexes_of_clause.setdefault(finding.clause, []).append(index)
        self._outcome_of_clause = {
            clause: worst_outcome([findings[index].outcome for index in self._indexes_of_clause[clause]])
            for clause in sorted(self._indexes_of_clause, key=clause_order.__getitem__)
        }
        self._applied_texts: BoundedCache[frozenset[str], str] = BoundedCache(_MAX_APPLIED_TEXTS)
        groups = _clauses_by_outcome(self._outcome_of_clause)
        self._outcomes = Outcomes(
            findings=findings,
            summary=Summary(
                applied=" ".join(id_ for id_, outcome in self._outcome_of_clause.items() if outcome in _APPLIED),
                overridden=tuple(groups.get(Outcome.OVERRIDDEN, ())),
                considered=considered,
                not_applicable=len(groups.get(Outcome.NOT_APPLICABLE, ())),
                unassessed=considered - len(self._outcome_of_clause) + len(groups.get(Outcome.UNASSESSED, ())),
            ),
            complied=len(groups.get(Outcome.COMPLIED, ())),
        )

    def with_findings(self, findings: Mapping[int, Finding]) -> Outcomes:
        """Return the outcomes of a call with other findings at some positions."""
        if not findings:
            return self._outcomes
        all_findings = list(self._outcomes.findings)
        for position, finding in findings.items():
            all_findings[self._index_of_position[position]] = finding
        clauses = {finding.clause for finding in findings.values()}
        changed = {
            clause: worst_outcome([all_findings[index].outcome for index in self._indexes_of_clause[clause]])
            for clause in (clauses if len(clauses) == 1 else sorted(clauses, key=self._clause_order.__getitem__))
        }
        return self._with_outcomes(changed, tuple(all_findings))

    def _with_outcomes(self, changed: Mapping[str, Outcome], findings: tuple[Finding, ...]) -> Outcomes:
        """Return the outcomes when those of some clauses are ``changed``, which is in the order of the documents."""
        groups = _clauses_by_outcome(changed)
        before = [self._outcome_of_clause[clause] for clause in changed]
        baseline = self._outcomes.summary

        def increase(outcome: Outcome) -> int:
            return len(groups.get(outcome, ())) - before.count(outcome)

        summary = Summary(
            applied=self._applied_text(changed),
            violated=tuple(groups.get(Outcome.VIOLATED, ())),
            uncertain=tuple(groups.get(Outcome.UNCERTAIN, ())),
            overridden=baseline.overridden,
            errored=tuple(groups.get(Outcome.ERROR, ())),
            pending=tuple(groups.get(Outcome.PENDING, ())),
            considered=baseline.considered,
            not_applicable=baseline.not_applicable + increase(Outcome.NOT_APPLICABLE),
            unassessed=baseline.unassessed + increase(Outcome.UNASSESSED),
        )
        return Outcomes(findings, summary, self._outcomes.complied + increase(Outcome.COMPLIED))

    def _applied_text(self, changed: Mapping[str, Outcome]) -> str:
        """Return `Summary.applied`, remembered by the clauses that joined or left it: there are few such sets."""
        moved = frozenset(id_ for id_, outcome in changed.items() if (outcome in _APPLIED) != self._is_applied(id_))
        if not moved:
            return self._outcomes.summary.applied
        text = self._applied_texts.get(moved)
        if text is None:
            text = " ".join(id_ for id_ in self._outcome_of_clause if self._is_applied(id_) != (id_ in moved))
            self._applied_texts[moved] = text
        return text

    def _is_applied(self, clause: str) -> bool:
        return self._outcome_of_clause[clause] in _APPLIED


def summarize(findings: Sequence[Finding], considered: int, clause_order: Mapping[str, int]) -> Summary:
    """Return the summary of the findings of one call, computed from nothing else."""
    outcomes: dict[str, list[Outcome]] = {}
    for finding in findings:
        outcomes.setdefault(finding.clause, []).append(finding.outcome)
    worst = {clause: worst_outcome(outcomes[clause]) for clause in sorted(outcomes, key=clause_order.__getitem__)}
    groups = _clauses_by_outcome(worst)
    return Summary(
        applied=" ".join(clause for clause, outcome in worst.items() if outcome in _APPLIED),
        violated=tuple(groups.get(Outcome.VIOLATED, ())),
        uncertain=tuple(groups.get(Outcome.UNCERTAIN, ())),
        overridden=tuple(groups.get(Outcome.OVERRIDDEN, ())),
        errored=tuple(groups.get(Outcome.ERROR, ())),
        pending=tuple(groups.get(Outcome.PENDING, ())),
        considered=considered,
        not_applicable=len(groups.get(Outcome.NOT_APPLICABLE, ())),
        unassessed=considered - len(worst) + len(groups.get(Outcome.UNASSESSED, ())),
    )


def worst_outcome(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the most severe outcome, which is that of a clause with several findings."""
    return outcomes[0] if len(outcomes) == 1 else max(outcomes, key=OUTCOME_SEVERITY.__getitem__)


def add_worse(findings: dict[int, Finding], others: Mapping[int, Finding]) -> None:
    """Add the findings of ``others`` that are worse than those known at their position."""
    for position, other in others.items():
        known = findings.get(position, other)
        is_worse = worst_outcome((known.outcome, other.outcome)) is not known.outcome
        findings[position] = other if is_worse else known


def merge_deviations(
    deviating: Iterable[Mapping[int, Finding]],
    growing: Mapping[int, Finding],
    failures: Mapping[int, Finding],
    unedited: Mapping[int, Finding],
    interrupted: Mapping[int, Finding],
) -> dict[int, Finding]:
    """Return, by position, the findings of a call that are not the default ones.

    Args:
        deviating: those about whole texts, of each stage.
        growing: those about a text as it grew, which count where they are worse.
        failures: those of checks that specspan failed before, which count where they are worse.
        unedited: those whose rewriting failed.
        interrupted: those of checks that had not decided, which count where nothing else is known.
    """
    merged: dict[int, Finding] = {}
    for each in deviating:
        merged.update(each)
    add_worse(merged, growing)
    add_worse(merged, failures)
    merged.update(unedited)
    for position, finding in interrupted.items():
        if merged.get(position, finding).outcome is Outcome.UNASSESSED:
            merged[position] = finding
    return merged


def _clauses_by_outcome(outcomes: Mapping[str, Outcome]) -> dict[Outcome, list[str]]:
    groups: dict[Outcome, list[str]] = {}
    for clause, outcome in outcomes.items():
        groups.setdefault(outcome, []).append(clause)
    return groups
