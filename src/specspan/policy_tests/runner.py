"""Running a table of tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from specspan.decision import Decision, Finding, Outcome
from specspan.engine.outcomes import worst_outcome
from specspan.policy.policy import Policy
from specspan.policy_tests.case import Case, Expected, ExpectedFinding
from specspan.policy_tests.replay import Replay, ReplayResult

_SILENT = (Outcome.COMPLIED, Outcome.NOT_APPLICABLE, Outcome.UNASSESSED)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One thing expected, and what it came to."""

    what: str
    """``verdict``, ``handed_over``, …, or the id of a clause."""
    expected: str | None
    """The value, or the outcome of a clause; None: that there be none."""
    got: str | None
    agrees: bool
    mentioned: bool = True
    """False: nobody expected anything of this clause."""
    expected_reason: str | None = None
    """Of a clause; None: any."""
    findings: tuple[Finding, ...] = ()
    """The findings about the clause that made it what it is."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """Theirs."""
        return tuple(dict.fromkeys(finding.reason for finding in self.findings if finding.reason))


def compare(expected: Expected, held: ReplayResult) -> tuple[Comparison, ...]:
    """Everything expected, in its order, and then the clauses that did not comply though nobody expected anything."""
    by_clause = _group_by_clause(held.decision.findings)
    facts = [_compare_fact(name, value, _actual_value(name, held)) for name, value in expected.facts.items()]
    clauses = [_compare_clause(clause, each, by_clause.get(clause, [])) for clause, each in expected.findings.items()]
    rest = {clause: found for clause, found in by_clause.items() if clause not in expected.findings}
    return (*facts, *clauses, *_unexpected(rest))


def _actual_value(name: str, held: ReplayResult) -> str | None:
    value = held.handed_over if name == "handed_over" else getattr(held.decision, name)
    return None if value is None else str(value)


def _compare_fact(name: str, expected: str | None, got: str | None) -> Comparison:
    return Comparison(name, None if expected is None else str(expected), got, agrees=expected == got)


def _compare_clause(clause: str, expected: ExpectedFinding, found: Sequence[Finding]) -> Comparison:
    outcome, deciding = _clause_outcome(found)
    agrees = outcome is expected.outcome and (
        expected.reason is None or expected.reason in (finding.reason for finding in deciding)
    )
    return Comparison(
        clause, expected.outcome.value, outcome.value, agrees, expected_reason=expected.reason, findings=deciding
    )


def _unexpected(rest: Mapping[str, Sequence[Finding]]) -> Iterator[Comparison]:
    for clause, found in rest.items():
        outcome, deciding = _clause_outcome(found)
        if outcome not in _SILENT:
            yield Comparison(clause, None, outcome.value, agrees=True, mentioned=False, findings=deciding)


def _group_by_clause(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for finding in findings:
        found.setdefault(finding.clause, []).append(finding)
    return found


def _clause_outcome(found: Sequence[Finding]) -> tuple[Outcome, tuple[Finding, ...]]:
    """What became of a clause, and the findings that say so; without any, no check looked."""
    outcome = worst_outcome(finding.outcome for finding in found) if found else Outcome.UNASSESSED
    return outcome, tuple(finding for finding in found if finding.outcome is outcome)


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
    replay = Replay(policy)
    try:
        results = []
        for case in cases:
            held = replay.run(case.conversation)
            results.append(Result(case, held.decision, compare(case.expected, held)))
        return results
    finally:
        replay.close()


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
