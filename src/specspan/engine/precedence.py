"""Chain of command: the action over a single finding, and the conclusion from many.

Everything here is pure, and the order in which findings come never matters.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field

from specspan.decision import Action, Finding, Mode, Outcome, Stage, Verdict
from specspan.engine.bound_check import INCOMPLETE_ANSWER, UNREAD
from specspan.engine.outcomes import worst_outcome
from specspan.policy.policy import OnError, OnUnread, Policy

REWRITES = frozenset((Action.REDACT, Action.REPLACE))
"""Actions that change a text."""

_VERDICTS = {
    Outcome.VIOLATED: Verdict.VIOLATED,
    Outcome.ERROR: Verdict.ERROR,
    Outcome.UNCERTAIN: Verdict.UNCERTAIN,
}
"""Verdict of a call by the worst outcome of its clauses; the other outcomes leave it complied or unassessed."""
_ON_ERROR = {OnError.OPEN: Action.ALLOW, OnError.CLOSED: Action.BLOCK, OnError.ESCALATE: Action.ESCALATE}
_STAGE_ORDER = {stage: order for order, stage in enumerate(Stage)}


@dataclass(frozen=True, slots=True)
class CommandChain:
    """Order of authority and rules of one policy, by which findings are weighed."""

    level_ranks: Mapping[str, int]
    """By level, its distance from the top of the order of authority."""
    top_levels: Container[str]
    """Levels that nobody overrides."""
    clause_order: Mapping[str, int]
    """By clause id, its place in the documents."""
    on_error: Mapping[str, OnError]
    """By clause that a check is bound to."""
    observed_clauses: frozenset[str] = frozenset()
    """Clauses that are only observed, whatever the policy's mode is."""

    on_unread: Mapping[str, OnUnread] = field(default_factory=dict)
    """By clause that a check is bound to, where that is not `OnUnread.OPEN`."""
    is_approved: bool = False
    """True where people approved what is escalated: nothing is left of that but a flag."""

    def requested_action(self, finding: Finding) -> Action:
        """Return the action over this finding alone, as if its clause were enforced."""
        if finding.outcome is Outcome.VIOLATED:
            return _action_at_stage(finding.action, finding.stage)
        if finding.outcome is Outcome.ERROR:
            return _ON_ERROR[self.on_error[finding.clause]]
        if finding.reason in UNREAD and finding.outcome is Outcome.UNASSESSED:
            return self._action_over_unread(finding)
        return Action.FLAG if finding.outcome is Outcome.UNCERTAIN else Action.ALLOW

    def effective_action(self, finding: Finding) -> Action:
        """Return the action that enforce mode takes over this finding alone: at most a flag for an observed clause."""
        action = self.requested_action(finding)
        if self.is_approved and action is Action.ESCALATE:
            return Action.FLAG
        return milder_action(action, Action.FLAG) if finding.clause in self.observed_clauses else action

    def _action_over_unread(self, finding: Finding) -> Action:
        on_unread = self.on_unread.get(finding.clause, OnUnread.OPEN)
        if on_unread is OnUnread.CLOSED:
            return Action.BLOCK if finding.action in REWRITES else finding.action
        return Action.ESCALATE if on_unread is OnUnread.ESCALATE else Action.ALLOW

    def precedence(self, finding: Finding) -> tuple[object, ...]:
        """Return a key that sorts the governing finding first.

        Authority counts first, then severity, then action, then whatever makes the order total. At the top of a
        ladder the action goes before the severity: where two such clauses disagree, the cautious one governs (Model
        Spec, levels_of_authority).
        """
        severity, strictness = -finding.severity.rank, -self.requested_action(finding).rank
        return (
            self.level_ranks[finding.authority],
            *((strictness, severity) if finding.authority in self.top_levels else (severity, strictness)),
            self.clause_order[finding.clause],
            _STAGE_ORDER[finding.stage],
            finding.reason or "",
            finding.check.name if finding.check is not None else "",
            finding.action.rank,
        )


@dataclass(frozen=True, slots=True)
class Conclusion:
    """Verdict on one call, and the finding that governs it."""

    verdict: Verdict
    governing: Finding | None = None
    """Finding whose clause decided; None when nothing was amiss."""
    reason: str | None = None


NOTHING_APPLIED = "nothing_applied"
"""Reason of a decision for which no clause was both applicable and assessed."""

_COMPLIED = Conclusion(Verdict.COMPLIED)
_UNASSESSED = Conclusion(Verdict.UNASSESSED, reason=NOTHING_APPLIED)


def command_chain(policy: Policy) -> CommandChain:
    """Return the chain of command of a policy.

    Raises:
        ValueError: a check is bound to a section without a level, or to one whose level the ladder does not have.
    """
    checked = {id_: clause for id_, clause in policy.clauses.items() if clause.checks}
    authority = policy.authority
    clause_order = {id_: order for order, id_ in enumerate(authority.clauses)}
    level_ranks = authority.ranks
    for id_, clause in checked.items():
        if clause.clause.authority not in level_ranks or id_ not in clause_order:
            raise ValueError(
                f"clause {id_!r} has level {clause.clause.authority!r}, which {authority.title} does not rank"
                f" ({', '.join(authority.ladder)}): no check can be bound to it"
            )
    on_error = {id_: clause.on_error for id_, clause in checked.items()}
    observed = frozenset(id_ for id_, clause in checked.items() if clause.mode is Mode.OBSERVE)
    on_unread = {id_: clause.on_unread for id_, clause in checked.items() if clause.on_unread is not OnUnread.OPEN}
    return CommandChain(level_ranks, authority.tops, clause_order, on_error, observed, on_unread)


def conclude(findings: Iterable[Finding], chain: CommandChain, *, assessed: bool) -> Conclusion:
    """Return the conclusion from ``findings``.

    Findings that a clause complied may be left out, if ``assessed`` says whether there was any.
    """
    findings = tuple(findings)
    if findings:
        worst = worst_outcome([finding.outcome for finding in findings])
        verdict = _VERDICTS.get(worst)
        if verdict is not None:
            worst_findings = [finding for finding in findings if finding.outcome is worst]
            governing = min(worst_findings, key=chain.precedence) if len(worst_findings) > 1 else worst_findings[0]
            return Conclusion(verdict, governing, governing.reason)
    return _COMPLIED if assessed else _UNASSESSED


def conclude_unread(conclusion: Conclusion, findings: Iterable[Finding], chain: CommandChain) -> Conclusion:
    """Return the conclusion on a call of which a part could not be read.

    Where nothing worse was found, nobody can say that the call complied; a clause that acts over what it cannot read
    governs.
    """
    if conclusion.verdict not in (Verdict.COMPLIED, Verdict.UNASSESSED):
        return conclusion
    unread = [finding for finding in findings if finding.reason in UNREAD]
    if not unread:
        return conclusion
    acting = [finding for finding in unread if chain.requested_action(finding) is not Action.ALLOW]
    return Conclusion(Verdict.UNASSESSED, min(acting, key=chain.precedence, default=None), unread[0].reason)


def conclude_cut_short(conclusion: Conclusion, findings: Iterable[Finding]) -> Conclusion:
    """Return the conclusion on an answer of which the rest did not come: what complied is the request alone."""
    if conclusion.verdict is Verdict.COMPLIED and any(finding.reason == INCOMPLETE_ANSWER for finding in findings):
        return Conclusion(Verdict.UNASSESSED, reason=INCOMPLETE_ANSWER)
    return conclusion


def action_in_mode(action: Action, mode: Mode) -> Action:
    """Return the action that is taken in ``mode`` where enforce mode would take ``action``."""
    return action if mode is Mode.ENFORCE else milder_action(action, Action.FLAG)


def strictest_action(actions: Iterable[Action]) -> Action:
    """Return the strictest of some actions, so that one more of them never softens another."""
    return max(actions, key=lambda action: action.rank, default=Action.ALLOW)


def milder_action(one: Action, other: Action) -> Action:
    """Return the less strict of two actions."""
    return one if one.rank <= other.rank else other


def _action_at_stage(action: Action, stage: Stage) -> Action:
    """Return an action that ``stage`` allows: a tool call is blocked where its arguments would be rewritten, because
    the tool would run as neither the model nor the application meant.
    """
    return Action.BLOCK if stage is Stage.TOOL_CALL and action in REWRITES else action
