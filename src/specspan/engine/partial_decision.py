"""Parts of a decision that say what could not be decided, or was not done."""

from __future__ import annotations

from collections.abc import Sequence

from specspan.call import WHOLE, Gaps, Side
from specspan.checks.check import TextAt
from specspan.decision import Action, Decision, Finding, Mode, Verdict
from specspan.engine.bound_check import INCOMPLETE_ANSWER, INTERNAL, INTERRUPTED, UNREAD
from specspan.engine.plan import Plan
from specspan.engine.precedence import REWRITES, action_in_mode
from specspan.engine.stream_check import StreamCheck


def error_decision(plan: Plan, action: Action, decision_id: str, now_ns: int) -> Decision:
    """Return the decision for a call on which none can be made, which says so."""
    policy = plan.policy
    return Decision(
        id=decision_id,
        time_unix_nano=now_ns,
        specs=plan.specs,
        policy_digest=policy.digest,
        mode=policy.mode,
        verdict=Verdict.ERROR,
        action=action_in_mode(action, policy.mode),
        reason=INTERNAL,
    )


def redacted_of_stream(stream: StreamCheck, texts: Sequence[TextAt]) -> frozenset[str]:
    """Return the pointers of the parts whose texts were replaced while a stream went on, or where it was cut.

    Args:
        stream: the check of the stream.
        texts: the texts of the whole answer.
    """
    choices = set(stream.edited_choices)
    if stream.cut is not None and stream.cut.action in REWRITES:
        choices.add(stream.choice)
    redacted = set[str]()
    for choice in choices:
        prefix = f"/output/{choice}/"
        parts = (each.pointer for each in texts if each.pointer.startswith(prefix) and not each.is_reasoning)
        redacted.add(next(parts, f"{prefix}parts/0"))
    return frozenset(redacted)


def gap_reason(gaps: Gaps, findings: Sequence[Finding]) -> str | None:
    """Return, for a call that nothing assessed, the reason for which something that a check needs was not seen."""
    reasons = {INCOMPLETE_ANSWER, INTERRUPTED, *UNREAD}
    if gaps is not WHOLE:
        reasons |= {reason for side in Side if (reason := gaps.reason_for((side,)))}
    return next((finding.reason for finding in findings if finding.reason in reasons), None)


def would_be_taken(mode: Mode, action: Action, requested: Action) -> Action | None:
    """Return the action if every clause were enforced, where nothing is enforced or that is a stricter one."""
    if mode is Mode.OBSERVE:
        return action
    return requested if requested is not Action.ALLOW and requested.rank > action.rank else None
