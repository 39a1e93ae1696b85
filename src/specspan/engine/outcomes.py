"""A frame: what a call comes to when every check finds what it nearly always finds, made once and shared.

A real call is a frame and its deviations; only those, and the clauses they are about, cost anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from specspan.decision import Finding, Outcome, Summary

_WORST_FIRST = (
    Outcome.VIOLATED,
    Outcome.ERROR,
    Outcome.UNCERTAIN,
    Outcome.PENDING,
    Outcome.COMPLIED,
    Outcome.NOT_APPLICABLE,
    Outcome.UNASSESSED,
    Outcome.OVERRIDDEN,  # alone on its clause: no check of it is run
)
_GOODNESS = {outcome: goodness for goodness, outcome in enumerate(_WORST_FIRST)}
_APPLIED = frozenset((Outcome.COMPLIED, Outcome.VIOLATED, Outcome.UNCERTAIN))
_MEMO_LIMIT = 64


@dataclass(frozen=True, slots=True)
class Tally:
    """All findings of one call, and its clauses by outcome."""

    findings: tuple[Finding, ...]
    summary: Summary
    complied: int
    """How many clauses complied."""


class Frame:
    """The tally of a call without deviations, and what it takes to find the tally of one with some."""

    def __init__(self, usual: Mapping[int, Finding], order: Mapping[str, int], considered: int) -> None:
        """``usual`` findings by position; ``order`` of clauses in the document; ``considered`` of them in all."""
        findings = tuple(usual.values())
        self._order = order
        self._place = {position: place for place, position in enumerate(usual)}
        self._places: dict[str, list[int]] = {}
        for place, finding in enumerate(findings):
            self._places.setdefault(finding.clause, []).append(place)
        self._outcomes = {
            clause: worst_outcome(findings[place].outcome for place in self._places[clause])
            for clause in sorted(self._places, key=order.__getitem__)
        }
        self._applied: dict[frozenset[str], str] = {}
        by_outcome = _grouped(self._outcomes)
        self.tally = Tally(
            findings=findings,
            summary=Summary(
                applied=" ".join(id_ for id_, outcome in self._outcomes.items() if outcome in _APPLIED),
                overridden=tuple(by_outcome.get(Outcome.OVERRIDDEN, ())),
                considered=considered,
                not_applicable=len(by_outcome.get(Outcome.NOT_APPLICABLE, ())),
                unassessed=considered - len(self._outcomes) + len(by_outcome.get(Outcome.UNASSESSED, ())),
            ),
            complied=len(by_outcome.get(Outcome.COMPLIED, ())),
        )

    def deviating(self, deviations: Mapping[int, Finding]) -> Tally:
        """The tally when the findings at some positions are others."""
        if not deviations:
            return self.tally
        findings = list(self.tally.findings)
        for position, finding in deviations.items():
            findings[self._place[position]] = finding
        concerned = sorted({finding.clause for finding in deviations.values()}, key=self._order.__getitem__)
        now = {clause: worst_outcome(findings[place].outcome for place in self._places[clause]) for clause in concerned}
        return self._tally(tuple(findings), now)

    def _tally(self, findings: tuple[Finding, ...], now: Mapping[str, Outcome]) -> Tally:
        """The tally when the outcomes of some clauses are those of ``now``, in the order of the document."""
        groups = _grouped(now)
        before = [self._outcomes[clause] for clause in now]
        base = self.tally.summary

        def grown(outcome: Outcome) -> int:
            return len(groups.get(outcome, ())) - before.count(outcome)

        summary = replace(
            base,
            applied=self._applied_with(now),
            violated=tuple(groups.get(Outcome.VIOLATED, ())),
            uncertain=tuple(groups.get(Outcome.UNCERTAIN, ())),
            errored=tuple(groups.get(Outcome.ERROR, ())),
            pending=tuple(groups.get(Outcome.PENDING, ())),
            not_applicable=base.not_applicable + grown(Outcome.NOT_APPLICABLE),
            unassessed=base.unassessed + grown(Outcome.UNASSESSED),
        )
        return Tally(findings, summary, self.tally.complied + grown(Outcome.COMPLIED))

    def _applied_with(self, now: Mapping[str, Outcome]) -> str:
        """`Summary.applied`; remembered by the clauses that joined or left, which are few different sets."""
        moved = frozenset(id_ for id_, outcome in now.items() if (outcome in _APPLIED) != self._applies(id_))
        if not moved:
            return self.tally.summary.applied
        if moved not in self._applied:
            if len(self._applied) >= _MEMO_LIMIT:
                self._applied.clear()
            self._applied[moved] = " ".join(id_ for id_ in self._outcomes if self._applies(id_) != (id_ in moved))
        return self._applied[moved]

    def _applies(self, clause: str) -> bool:
        return self._outcomes[clause] in _APPLIED


def worst_outcome(outcomes: Iterable[Outcome]) -> Outcome:
    """What becomes of a clause on which several checks said something."""
    return min(outcomes, key=_GOODNESS.__getitem__)


def _grouped(outcomes: Mapping[str, Outcome]) -> dict[Outcome, list[str]]:
    groups: dict[Outcome, list[str]] = {}
    for clause, outcome in outcomes.items():
        groups.setdefault(outcome, []).append(clause)
    return groups
