"""Choice of the clauses of a decision that people review. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from specspan.decision import OUTCOME_SEVERITY, Action, CheckMechanism, Finding, Outcome, ReviewCause, ReviewNeed
from specspan.engine.bound_check import sampling_value
from specspan.engine.plan import Plan
from specspan.engine.precedence import CommandChain
from specspan.policy.policy import ReviewRule


def reviews_of(plan: Plan, findings: Iterable[Finding], decision_id: str, now_ns: int) -> tuple[ReviewNeed, ...]:
    """Return the reviews that the rules of a plan ask for.

    A clause of which a check is still at work waits for it: what the check finds brings the question up again.

    Args:
        plan: the plan of the policy.
        findings: every finding of the call.
        decision_id: id of the decision, by which shares are drawn.
        now_ns: time of the decision.
    """
    by_clause: dict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        if finding.clause in plan.reviews:
            by_clause[finding.clause].append(finding)
    value = sampling_value(decision_id)
    needs = (_need(found, plan.reviews[clause], plan.chain, value, now_ns) for clause, found in by_clause.items())
    return tuple(need for need in needs if need is not None)


def _need(
    findings: Sequence[Finding], rule: ReviewRule, chain: CommandChain, sampling_value: float, now_ns: int
) -> ReviewNeed | None:
    worst = max((finding.outcome for finding in findings), key=OUTCOME_SEVERITY.__getitem__)
    if any(finding.outcome is Outcome.PENDING for finding in findings):
        return None
    causes = tuple(cause for cause in dict.fromkeys(_causes(findings, chain)) if cause in rule.causes)
    if sampling_value < rule.sample:
        causes += (ReviewCause.SAMPLED,)
    if not causes:
        return None
    expires = None if rule.within is None else now_ns + int(rule.within.total_seconds() * 10**9)
    return ReviewNeed(findings[0].clause, worst, causes, rule.rulings, expires)


def _causes(findings: Sequence[Finding], chain: CommandChain) -> Iterator[ReviewCause]:
    outcomes = {finding.outcome for finding in findings}
    if any(chain.requested_action(finding) is Action.ESCALATE for finding in findings):
        yield ReviewCause.ESCALATED
    if Outcome.VIOLATED in outcomes:
        yield ReviewCause.VIOLATED
        if Outcome.COMPLIED in outcomes:
            yield ReviewCause.DISAGREED
    for finding in findings:
        if finding.outcome is Outcome.UNCERTAIN:
            yield ReviewCause.UNCERTAIN
            if finding.check is not None and finding.check.mechanism is CheckMechanism.JUDGE:
                yield ReviewCause.ABSTAINED
