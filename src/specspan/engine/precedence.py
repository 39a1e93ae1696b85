"""The chain of command: what many findings come to. Pure; the order of the findings never matters."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass

from specspan.decision import Action, Finding, Mode, Outcome, Stage, Verdict
from specspan.policy.policy import OnError, Policy

REWRITES = frozenset((Action.REDACT, Action.REPLACE))
"""The actions that change a text."""

_WEIGHT = (
    (Outcome.VIOLATED, Verdict.VIOLATED),
    (Outcome.ERROR, Verdict.ERROR),
    (Outcome.UNCERTAIN, Verdict.UNCERTAIN),
)
_ON_ERROR = {OnError.OPEN: Action.ALLOW, OnError.CLOSED: Action.BLOCK, OnError.ESCALATE: Action.ESCALATE}
_STAGES = {stage: order for order, stage in enumerate(Stage)}


@dataclass(frozen=True, slots=True)
class Law:
    """What of spec and policy the chain of command needs."""

    rank: Mapping[str, int]
    """How far down the order of authority each level stands."""
    tops: Container[str]
    """The levels that nobody overrides."""
    order: Mapping[str, int]
    """Where each clause stands in the documents."""
    on_error: Mapping[str, OnError]
    """By clause that a check is bound to."""
    observed: frozenset[str] = frozenset()
    """The clauses that are only watched, whatever the policy's mode is."""

    def asks(self, finding: Finding) -> Action:
        """The action that is taken over this finding alone where its clause is enforced."""
        if finding.outcome is Outcome.VIOLATED:
            return _possible(finding.action, finding.stage)
        if finding.outcome is Outcome.ERROR:
            return _ON_ERROR[self.on_error[finding.clause]]
        return Action.FLAG if finding.outcome is Outcome.UNCERTAIN else Action.ALLOW

    def does(self, finding: Finding) -> Action:
        """The action that enforce mode takes over this finding alone: a flag at most where the clause is watched."""
        asks = self.asks(finding)
        return milder(asks, Action.FLAG) if finding.clause in self.observed else asks

    def precedence(self, finding: Finding) -> tuple[object, ...]:
        """Sorts the finding that governs first: authority, severity, action; then whatever makes the order total.

        At the top of a ladder the action goes before the severity: where two such clauses disagree, the cautious one
        governs (Model Spec, levels_of_authority).
        """
        severe, strict = -finding.severity.rank, -self.asks(finding).rank
        return (
            self.rank[finding.authority],
            *((strict, severe) if finding.authority in self.tops else (severe, strict)),
            self.order[finding.clause],
            _STAGES[finding.stage],
            finding.reason or "",
            finding.check.name if finding.check is not None else "",
            finding.action.rank,
        )


@dataclass(frozen=True, slots=True)
class Conclusion:
    """What the findings of one call come to."""

    verdict: Verdict
    governing: Finding | None = None
    """Whose clause decided; None when nothing was amiss."""
    reason: str | None = None


NOTHING_APPLIED = "nothing_applied"
"""Reason of a decision for which no clause was both applicable and assessed."""

_COMPLIED = Conclusion(Verdict.COMPLIED)
_UNASSESSED = Conclusion(Verdict.UNASSESSED, reason=NOTHING_APPLIED)


def law_of(policy: Policy) -> Law:
    """The law of one policy.

    Raises:
        ValueError: a check is bound to a section without a level, or to one whose level the ladder does not have.
    """
    bound = {id_: clause for id_, clause in policy.clauses.items() if clause.checks}
    authority = policy.authority
    order = {id_: order for order, id_ in enumerate(authority.clauses)}
    rank = authority.ranks
    for id_, clause in bound.items():
        if clause.clause.authority not in rank or id_ not in order:
            raise ValueError(
                f"clause {id_!r} has level {clause.clause.authority!r}, which {authority.title} does not rank"
                f" ({', '.join(authority.ladder)}): no check can be bound to it"
            )
    on_error = {id_: clause.on_error for id_, clause in bound.items()}
    observed = frozenset(id_ for id_, clause in bound.items() if clause.mode is Mode.OBSERVE)
    return Law(rank, authority.tops, order, on_error, observed)


def conclude(findings: Iterable[Finding], law: Law, *, assessed: bool) -> Conclusion:
    """What ``findings`` come to. Those that say complied may be left out, if ``assessed`` tells whether any did."""
    findings = tuple(findings)
    if not findings:
        return _COMPLIED if assessed else _UNASSESSED
    for outcome, verdict in _WEIGHT:
        found = [finding for finding in findings if finding.outcome is outcome]
        if found:
            governing = min(found, key=law.precedence)
            return Conclusion(verdict, governing, governing.reason)
    return _COMPLIED if assessed else _UNASSESSED


def taken(action: Action, mode: Mode) -> Action:
    """What is done when enforce mode would do ``action``."""
    return action if mode is Mode.ENFORCE else milder(action, Action.FLAG)


def strictest(actions: Iterable[Action]) -> Action:
    """The strictest of some actions: what one more of them asks for never softens what another does."""
    return max(actions, key=lambda action: action.rank, default=Action.ALLOW)


def milder(one: Action, other: Action) -> Action:
    """The less strict of two actions."""
    return one if one.rank <= other.rank else other


def _possible(action: Action, stage: Stage) -> Action:
    """Rewriting a tool call's arguments would run a tool as neither model nor application meant: block it instead."""
    return Action.BLOCK if stage is Stage.TOOL_CALL and action in REWRITES else action
