"""Assertions about what was decided in a test; a failing one says what was decided, by which checks, and where."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NoReturn

from specspan._support.messages import did_you_mean
from specspan.decision import Decision, Outcome
from specspan.engine.outcomes import worst_outcome
from specspan.errors import ConfigurationError, Problem
from specspan.policy.policy import Policy
from specspan.record.call_end import CallRecord
from specspan.testing.explanations import explain_decisions

_NOT_ASSESSED = (Outcome.NOT_APPLICABLE, Outcome.UNASSESSED)


class DecisionAssertions:
    """Assertions about all decisions recorded so far.

    Every one raises `AssertionError` with an explanation of those decisions, and `ConfigurationError` where it names a
    clause that the policy does not have, or nothing is decided for want of a policy.
    """

    def __init__(self, policy: Policy | None, kept_calls: Callable[[], Sequence[CallRecord]]) -> None:
        self._policy = policy
        self._kept_calls = kept_calls

    def assert_complied(self, *clauses: str) -> None:
        """Assert that each clause complied: in one call at least, and in every call in which a check looked at it."""
        __tracebackhide__ = True
        for clause in self._known(clauses):
            outcomes = [outcome for outcome in self._outcomes(clause) if outcome not in _NOT_ASSESSED]
            if not outcomes:
                self._fail(f"no check looked at {clause!r}{self._why_unassessed(clause)}")
            if others := [outcome for outcome in outcomes if outcome is not Outcome.COMPLIED]:
                self._fail(f"{clause!r} did not comply: {', '.join(dict.fromkeys(map(str, others)))}")

    def assert_violated(self, clause: str, *, reason: str | None = None) -> None:
        """Assert that a clause was violated in one call at least, for ``reason`` where one is given."""
        __tracebackhide__ = True
        self._known((clause,))
        reasons = [
            finding.reason
            for decision in self._kept_decisions()
            for finding in decision.findings
            if finding.clause == clause and finding.outcome is Outcome.VIOLATED
        ]
        if not reasons:
            self._fail(f"{clause!r} was not violated{self._why_unassessed(clause)}")
        if reason is not None and reason not in reasons:
            given = ", ".join(sorted({str(each) for each in reasons}))
            self._fail(f"{clause!r} was violated, but not for reason {reason!r}: {given}")

    def assert_not_violated(self, *clauses: str) -> None:
        """Assert that none of the clauses was violated, or no clause at all where none is named.

        A clause that no check looked at is not violated either; `assert_complied` asks for more.
        """
        __tracebackhide__ = True
        self._known(clauses)
        violated = dict.fromkeys(
            finding.clause
            for decision in self._kept_decisions()
            for finding in decision.findings
            if finding.outcome is Outcome.VIOLATED and (not clauses or finding.clause in clauses)
        )
        if violated:
            self._fail(f"violated: {', '.join(map(repr, violated))}")

    def assert_outcome(self, clause: str, outcome: Outcome | str) -> None:
        """Assert that a clause had this outcome in one call at least; the worst of several findings counts."""
        __tracebackhide__ = True
        self._known((clause,))
        outcomes = list(self._outcomes(clause))
        if Outcome(outcome) not in outcomes:
            given = ", ".join(dict.fromkeys(map(str, outcomes))) or "never decided"
            self._fail(f"{clause!r} was never {Outcome(outcome)}: {given}")

    def assert_blocked(self, clause: str | None = None) -> None:
        """Assert that one call at least was blocked or escalated, governed by ``clause`` where one is named."""
        __tracebackhide__ = True
        self._known(() if clause is None else (clause,))
        blocked = [decision for decision in self._kept_decisions() if decision.action.stops]
        if not blocked:
            self._fail("no call was blocked")
        if clause is not None and clause not in (decision.governing_clause for decision in blocked):
            given = ", ".join(dict.fromkeys(str(decision.governing_clause) for decision in blocked))
            self._fail(f"no call was blocked by {clause!r}: {given}")

    def explain(self) -> str:
        """Return all that was decided: every decision with its clauses, their checks and their evidence."""
        return explain_decisions(self._kept_calls())

    def _kept_decisions(self) -> Iterator[Decision]:
        return (record.decision for record in self._kept_calls() if record.decision is not None)

    def _outcomes(self, clause: str) -> Iterator[Outcome]:
        for decision in self._kept_decisions():
            outcomes = [finding.outcome for finding in decision.findings if finding.clause == clause]
            yield worst_outcome(outcomes) if outcomes else Outcome.UNASSESSED

    def _known(self, clauses: Sequence[str]) -> Sequence[str]:
        if self._policy is None:
            problem = Problem("nothing is decided without a policy", "Record under a policy.")
            raise ConfigurationError("assertion about decisions", problem)
        for clause in clauses:
            if clause not in self._policy.authority.clauses:
                remedy = did_you_mean(clause, self._policy.authority.clauses, "Name a clause of the policy's spec.")
                raise ConfigurationError("assertion about decisions", Problem(f"unknown clause {clause!r}", remedy))
        return clauses

    def _why_unassessed(self, clause: str) -> str:
        bound = self._policy.clauses.get(clause) if self._policy is not None else None
        return "" if bound is not None and bound.checks else ": the policy binds no check to it"

    def _fail(self, message: str) -> NoReturn:
        __tracebackhide__ = True
        raise AssertionError(f"{message}\n\n{self.explain()}")
