"""Amendment of a recorded decision by what reviewers ruled. The verdict on record before stays on record. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from specspan.decision import (
    OUTCOME_SEVERITY,
    Action,
    CheckMechanism,
    CheckRef,
    Finding,
    Outcome,
    Severity,
    Stage,
    Verdict,
)
from specspan.engine.bound_check import INCOMPLETE_ANSWER, UNREAD
from specspan.engine.precedence import (
    CommandChain,
    Conclusion,
    conclude,
    conclude_cut_short,
    conclude_unread,
    strictest_action,
)
from specspan.policy.policy import OnError
from specspan.sqlite.reviewed_verdicts import set_conclusion

Record = Mapping[str, Any]

REVIEWED = "reviewed"
"""Reason of what a person ruled, and name of the check that a person is."""
REVIEW = CheckRef(REVIEWED, CheckMechanism.HUMAN)
_FLAGGED = (Verdict.VIOLATED, Verdict.ERROR, Verdict.UNCERTAIN)


@dataclass(frozen=True, slots=True)
class Amendment:
    """Ruling of a decision before and after a review; the members are those of decision records."""

    before: Mapping[str, Any]
    after: Mapping[str, Any]

    @property
    def verdicts(self) -> tuple[str, str] | None:
        """Verdict before and after; None where only the clause that governs it changed."""
        return changed_verdicts(self.before, self.after)

    def to_record(self) -> dict[str, Any]:
        """Return the member ``amended`` of a record."""
        return {
            name: {key: value for key, value in each.items() if value is not None}
            for name, each in (("before", self.before), ("after", self.after))
        }


def changed_verdicts(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the verdicts of two rulings of one decision; None where they are the same."""
    return None if before["verdict"] == after["verdict"] else (before["verdict"], after["verdict"])


def clause_outcome(decision: Record, clause: str) -> str | None:
    """Return the worst outcome of a clause in an expanded decision record; None where it has no finding about it."""
    found = [finding.outcome for finding in _findings(decision) if finding.clause == clause]
    return max(found, key=lambda outcome: OUTCOME_SEVERITY[outcome]).value if found else None


def amend_decision(decision: Record, ruled: Mapping[str, str], levels: Mapping[str, int]) -> Amendment | None:
    """Return how rulings change the verdict of a decision, or the clause that governs it; None where both stay.

    Args:
        decision: decision record with every finding in full.
        ruled: by clause, the outcome that reviewers ruled.
        levels: by level, its distance from the top of the order of authority; a level that is missing comes last.
    """
    after = _ruling(decision, ruled, levels)
    if all(after[name] == decision.get(name) for name in ("verdict", "governing_clause")):
        return None
    before = {name: decision.get(name) for name in ("verdict", "action", "governing_clause", "reason")}
    return Amendment(before, after)


def conclude_reviewed(decision: Record, policy: Record, ruled: Mapping[str, str]) -> Record:
    """Return the verdict, action, governing clause and reason of a decision, from its findings and what was ruled.

    Args:
        decision: decision record with every finding in full, those that came late included.
        policy: record of its policy; empty where that is missing.
        ruled: by clause, the outcome that reviewers ruled.
    """
    levels = policy.get("levels")
    return _ruling(decision, ruled, levels if isinstance(levels, Mapping) else {})


def _ruling(decision: Record, ruled: Mapping[str, str], levels: Mapping[str, int]) -> dict[str, Any]:
    findings = list(_with_rulings(list(_findings(decision)), ruled))
    conclusion = _conclude(decision, findings, levels)
    action = _word(Action, decision.get("action"), Action.ALLOW)
    if conclusion.verdict in _FLAGGED:
        action = strictest_action((action, Action.FLAG))
    return {
        "verdict": conclusion.verdict.value,
        "action": action.value,
        "governing_clause": None if conclusion.governing is None else conclusion.governing.clause,
        "reason": conclusion.reason,
    }


def _with_rulings(findings: list[Finding], ruled: Mapping[str, str]) -> Iterator[Finding]:
    """Yield one finding of a person for each clause that was ruled on, and every finding about the others."""
    seen: set[str] = set()
    for finding in findings:
        if finding.clause not in ruled:
            yield finding
        elif finding.clause not in seen:
            seen.add(finding.clause)
            yield Finding(
                Outcome(ruled[finding.clause]),
                reason=REVIEWED,
                clause=finding.clause,
                authority=finding.authority,
                severity=finding.severity,
                action=finding.action,
                stage=finding.stage,
                check=REVIEW,
            )


def _conclude(decision: Record, findings: list[Finding], levels: Mapping[str, int]) -> Conclusion:
    order: dict[str, int] = {}
    for finding in findings:
        order.setdefault(finding.clause, len(order))
    ranks = {finding.authority: levels.get(finding.authority, len(levels)) for finding in findings}
    tops = [level for level, rank in levels.items() if rank == 0]
    chain = CommandChain(ranks, tops, order, dict.fromkeys(order, OnError.OPEN))
    assessed = any(finding.outcome is Outcome.COMPLIED for finding in findings)
    conclusion = conclude(findings, chain, assessed=assessed)
    if decision.get("reason") in UNREAD:
        return conclude_unread(conclusion, findings, chain)
    return conclude_cut_short(conclusion, findings) if decision.get("reason") == INCOMPLETE_ANSWER else conclusion


def _findings(decision: Record) -> Iterator[Finding]:
    """Yield the findings of an expanded record; one of a later version whose outcome is unknown is left out."""
    for each in decision.get("findings") or ():
        outcome = _word(Outcome, each.get("outcome"), None)
        if outcome is None:
            continue
        ref = each.get("check") or {}
        mechanism = _word(CheckMechanism, ref.get("kind"), CheckMechanism.CODE)
        yield Finding(
            outcome,
            reason=each.get("reason"),
            clause=str(each.get("clause") or ""),
            authority=str(each.get("authority") or ""),
            severity=_word(Severity, each.get("severity"), Severity.MEDIUM),
            action=_word(Action, each.get("action"), Action.FLAG),
            stage=_word(Stage, each.get("stage"), Stage.OUTPUT),
            check=CheckRef(str(ref.get("name")), mechanism) if ref else None,
        )


def _word(kind: Any, value: Any, default: Any) -> Any:
    try:
        return kind(value)
    except ValueError:
        return default


set_conclusion(conclude_reviewed)  # for the stores of this process, which themselves conclude nothing
