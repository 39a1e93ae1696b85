"""Running a table of tests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from specspan.decision import Decision, Outcome
from specspan.policy.model import Policy
from specspan.policy_tests.compare import Comparison, compared
from specspan.policy_tests.conversation import Rehearsal
from specspan.policy_tests.model import Case


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one test."""

    case: Case
    decision: Decision
    comparisons: tuple[Comparison, ...]

    @property
    def passed(self) -> bool:
        """Whether everything is as expected."""
        return all(comparison.agrees for comparison in self.comparisons)


def run_tests(policy: Policy, cases: Iterable[Case]) -> list[Result]:
    """Hold the conversation of each case under ``policy`` and compare."""
    rehearsal = Rehearsal(policy)
    try:
        results = []
        for case in cases:
            held = rehearsal.hold(case.conversation)
            results.append(Result(case, held.decision, compared(case.expected, held)))
        return results
    finally:
        rehearsal.close()


def never_violated(policy: Policy, cases: Iterable[Case]) -> list[str]:
    """Clauses with checks that no case expects to be violated: what nobody would notice if the check went blind."""
    violated = {
        clause
        for case in cases
        for clause, expected in case.expected.findings.items()
        if expected.outcome is Outcome.VIOLATED
    }
    violated |= {case.expected.facts.get("governing_clause") or "" for case in cases}
    return [
        clause.clause.id for clause in policy.clauses.values() if clause.checks and clause.clause.id not in violated
    ]
