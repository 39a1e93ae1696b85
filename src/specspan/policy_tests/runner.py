"""Runner of a table of tests: replays each conversation and compares the decision with the expected one."""

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
    """Comparison of one expected value with the actual one."""

    what: str
    """Name of the value, such as ``verdict`` or ``handed_over``, or the id of a clause."""
    expected: str | None
    """Expected value, or the outcome of a clause; None: that there be none."""
    got: str | None
    agrees: bool
    mentioned: bool = True
    """False where nothing is expected of this clause."""
    expected_reason: str | None = None
    """Expected reason of a clause; None for any."""
    findings: tuple[Finding, ...] = ()
    """Findings that decided the outcome of the clause."""

    @property
    def reasons(self) -> tuple[str, ...]:
        """Return the reasons of the findings, each once."""
        return tuple(dict.fromkeys(finding.reason for finding in self.findings if finding.reason))


@dataclass(frozen=True, slots=True)
class Result:
    """Result of one test."""

    case: Case
    decision: Decision
    comparisons: tuple[Comparison, ...]

    @property
    def passed(self) -> bool:
        """Return whether everything is as expected."""
        return all(comparison.agrees for comparison in self.comparisons)


def run_tests(policy: Policy, cases: Iterable[Case]) -> list[Result]:
    """Replay the conversation of each case under ``policy`` and compare."""
    replay = Replay(policy)
    try:
        results = []
        for case in cases:
            result = replay.run(case.conversation)
            results.append(Result(case, result.decision, compare(case.expected, result)))
        return results
    finally:
        replay.close()


def never_violated(policy: Policy, cases: Iterable[Case]) -> list[str]:
    """Return clauses with checks that no case expects to be violated: a check that went blind would go unnoticed."""
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


def compare(expected: Expected, result: ReplayResult) -> tuple[Comparison, ...]:
    """Return the comparison of everything expected, in its order, and then of other clauses that did not comply."""
    by_clause = _group_by_clause(result.decision.findings)
    facts = [_compare_fact(name, value, _actual_value(name, result)) for name, value in expected.facts.items()]
    clauses = [_compare_clause(clause, each, by_clause.get(clause, [])) for clause, each in expected.findings.items()]
    rest = {clause: findings for clause, findings in by_clause.items() if clause not in expected.findings}
    return (*facts, *clauses, *_unexpected(rest))


def _actual_value(name: str, result: ReplayResult) -> str | None:
    value = result.handed_over if name == "handed_over" else getattr(result.decision, name)
    return None if value is None else str(value)


def _compare_fact(name: str, expected: str | None, got: str | None) -> Comparison:
    return Comparison(name, None if expected is None else str(expected), got, agrees=expected == got)


def _compare_clause(clause: str, expected: ExpectedFinding, findings: Sequence[Finding]) -> Comparison:
    outcome, deciding = _clause_outcome(findings)
    agrees = outcome is expected.outcome and (
        expected.reason is None or expected.reason in (finding.reason for finding in deciding)
    )
    return Comparison(
        clause, expected.outcome.value, outcome.value, agrees, expected_reason=expected.reason, findings=deciding
    )


def _unexpected(rest: Mapping[str, Sequence[Finding]]) -> Iterator[Comparison]:
    for clause, findings in rest.items():
        outcome, deciding = _clause_outcome(findings)
        if outcome not in _SILENT:
            yield Comparison(clause, None, outcome.value, agrees=True, mentioned=False, findings=deciding)


def _group_by_clause(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    by_clause: dict[str, list[Finding]] = {}
    for finding in findings:
        by_clause.setdefault(finding.clause, []).append(finding)
    return by_clause


def _clause_outcome(findings: Sequence[Finding]) -> tuple[Outcome, tuple[Finding, ...]]:
    """Return the outcome of a clause and the findings that decided it; unassessed without any."""
    outcome = worst_outcome([finding.outcome for finding in findings]) if findings else Outcome.UNASSESSED
    return outcome, tuple(finding for finding in findings if finding.outcome is outcome)
