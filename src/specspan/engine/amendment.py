"""Amendment of a decision by findings that came after it. The verdict on record before stays on record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from specspan._support.process import ForkedLock
from specspan.decision import Action, Decision, Finding, Outcome, ReviewNeed, Verdict
from specspan.engine.outcomes import summarize
from specspan.engine.plan import Plan
from specspan.engine.precedence import (
    Conclusion,
    conclude,
    conclude_cut_short,
    conclude_unread,
    strictest_action,
)
from specspan.engine.review_needs import reviews_of

_FLAGGED = frozenset((Verdict.VIOLATED, Verdict.ERROR, Verdict.UNCERTAIN))


class Amendments:
    """Decision of one call, as findings that come after it change it. Any thread may bring some."""

    def __init__(self, decision: Decision, plan: Plan, *, cut_short: bool = False, unread: bool = False) -> None:
        """Begin with a decision that was made by ``plan``.

        Args:
            decision: the decision.
            plan: the plan.
            cut_short: True where the rest of the answer will not come.
            unread: True where a part that a check needs was not understood.
        """
        self._lock = ForkedLock()
        self._plan = plan
        self._chain = plan.chain
        self._is_cut_short = cut_short
        self._has_unread = unread
        self.decision = decision
        """Decision with every finding so far."""

    def amend(self, late: Mapping[int, Finding]) -> tuple[Decision, Decision]:
        """Return the decision before and after some findings; ``late`` has them by their index in the decision."""
        with self._lock.held:
            before = self.decision
            findings = tuple(late.get(index, finding) for index, finding in enumerate(before.findings))
            self.decision = self._amended(before, findings)
            return before, self.decision

    def _amended(self, before: Decision, findings: Sequence[Finding]) -> Decision:
        conclusion = self._conclude(findings)
        summary = summarize(findings, before.summary.considered, self._chain.clause_order)
        is_flagged = conclusion.verdict in _FLAGGED
        return replace(
            before,
            findings=tuple(findings),
            verdict=conclusion.verdict,
            governing_clause=None if conclusion.governing is None else conclusion.governing.clause,
            reason=conclusion.reason,
            action=strictest_action((before.action, Action.FLAG)) if is_flagged else before.action,
            summary=summary,
            reviews=self._with_new_reviews(before, findings),
        )

    def _with_new_reviews(self, before: Decision, findings: Sequence[Finding]) -> tuple[ReviewNeed, ...]:
        """Return the reviews that were asked for, and those that rules ask for from now on."""
        known = {each.clause for each in before.reviews}
        needs = reviews_of(self._plan, findings, before.id, before.time_unix_nano) if self._plan.reviews else ()
        return (*before.reviews, *(need for need in needs if need.clause not in known))

    def _conclude(self, findings: Sequence[Finding]) -> Conclusion:
        is_assessed = any(finding.outcome is Outcome.COMPLIED for finding in findings)
        conclusion = conclude(findings, self._chain, assessed=is_assessed)
        if self._has_unread:
            conclusion = conclude_unread(conclusion, findings, self._chain)
        return conclude_cut_short(conclusion, findings) if self._is_cut_short else conclusion
