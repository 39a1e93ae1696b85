"""Outcomes computed from a few findings are those of all findings."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from specspan.decision import Finding, Outcome, Summary
from specspan.engine.outcomes import BaselineOutcomes

CLAUSES = ("first", "second", "third", "fourth")
ORDER = {clause: order for order, clause in enumerate(CLAUSES)}
DEFAULTS = [
    Finding(Outcome.COMPLIED, clause="first"),
    Finding(Outcome.COMPLIED, clause="first"),
    Finding(Outcome.NOT_APPLICABLE, clause="second"),
    Finding(Outcome.COMPLIED, clause="second"),
    Finding(Outcome.UNASSESSED, clause="third"),
    Finding(Outcome.NOT_APPLICABLE, clause="fourth"),
]
WORST_FIRST = ("violated", "error", "uncertain", "pending", "complied", "not_applicable", "unassessed")

outcomes = st.sampled_from([outcome for outcome in Outcome if outcome is not Outcome.OVERRIDDEN])


def summary_of(findings: list[Finding], considered: int) -> tuple[Summary, int]:
    """The summary as its definition reads, and how many clauses complied."""
    worst = {
        clause: min((str(each.outcome) for each in findings if each.clause == clause), key=WORST_FIRST.index)
        for clause in CLAUSES
    }

    def those(*words: str) -> tuple[str, ...]:
        return tuple(clause for clause in CLAUSES if worst[clause] in words)

    summary = Summary(
        applied=" ".join(those("complied", "violated", "uncertain")),
        violated=those("violated"),
        uncertain=those("uncertain"),
        errored=those("error"),
        pending=those("pending"),
        considered=considered,
        not_applicable=len(those("not_applicable")),
        unassessed=len(those("unassessed")) + considered - len(CLAUSES),
    )
    return summary, len(those("complied"))


@given(st.lists(st.dictionaries(st.integers(0, len(DEFAULTS) - 1), outcomes), min_size=1, max_size=5))
def test_outcomes_are_the_same_however_they_are_computed(calls: list[dict[int, Outcome]]) -> None:
    """Computed from the deviating findings alone, call after call, or from all findings: the same summary."""
    baseline = BaselineOutcomes(dict(enumerate(DEFAULTS)), ORDER, considered=9)
    for call in calls:
        deviations = {
            position: Finding(outcome, clause=DEFAULTS[position].clause) for position, outcome in call.items()
        }
        found = baseline.with_findings(deviations)
        findings = [deviations.get(position, usual) for position, usual in enumerate(DEFAULTS)]
        assert list(found.findings) == findings
        assert (found.summary, found.complied) == summary_of(findings, 9)


def test_what_a_baseline_remembers_is_bounded() -> None:
    """However many sets of clauses turn out not to apply, few are remembered, and each is told rightly."""
    clauses = [f"clause_{number}" for number in range(8)]
    usual = dict(enumerate(Finding(Outcome.COMPLIED, clause=clause) for clause in clauses))
    baseline = BaselineOutcomes(usual, {clause: order for order, clause in enumerate(clauses)}, considered=8)
    for subset in range(256):
        absent = [number for number in range(8) if subset >> number & 1]
        found = baseline.with_findings(
            {number: Finding(Outcome.NOT_APPLICABLE, clause=clauses[number]) for number in absent}
        )
        assert found.summary.applied.split() == [clauses[number] for number in range(8) if number not in absent]
    assert len(baseline._applied_texts) <= 64
