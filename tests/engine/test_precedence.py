"""The chain of command: which clause governs, and what is done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import policies
import pytest
from hypothesis import given
from hypothesis import strategies as st
from policies import bound, pattern, says

from specspan.decision import (
    Action,
    CheckMechanism,
    CheckRef,
    Decision,
    Finding,
    Mode,
    Outcome,
    Override,
    Severity,
    Stage,
    Verdict,
)
from specspan.engine.engine import Engine
from specspan.engine.precedence import action_in_mode, command_chain, conclude
from specspan.engine.waiting import run_sync
from specspan.policy.policy import OnError

CLAUSES = [
    bound(f"{level}_{number}", says(True), authority=level, on_error=on_error)
    for level in policies.LADDER
    for number, on_error in enumerate(OnError)
]
CHAIN = command_chain(policies.policy(*CLAUSES))


def finding(
    clause: str,
    outcome: Outcome = Outcome.VIOLATED,
    severity: Severity = Severity.MEDIUM,
    action: Action = Action.FLAG,
    stage: Stage = Stage.OUTPUT,
    reason: str | None = None,
) -> Finding:
    check = CheckRef("check", CheckMechanism.CODE)
    return Finding(
        outcome,
        reason,
        clause=clause,
        authority=clause.partition("_")[0],
        severity=severity,
        action=action,
        stage=stage,
        check=check,
    )


found = st.builds(
    finding,
    clause=st.sampled_from([clause.clause.id for clause in CLAUSES]),
    outcome=st.sampled_from([outcome for outcome in Outcome if outcome is not Outcome.OVERRIDDEN]),
    severity=st.sampled_from(Severity),
    action=st.sampled_from(Action),
    stage=st.sampled_from(Stage),
    reason=st.sampled_from([None, "one", "other"]),
)


@pytest.mark.parametrize(
    ("governs", "yields"),
    [
        (finding("root_0"), finding("system_0", severity=Severity.CRITICAL, action=Action.BLOCK)),
        (finding("user_1", severity=Severity.HIGH), finding("user_0", action=Action.BLOCK)),
        (finding("user_1", action=Action.BLOCK), finding("user_0", action=Action.REPLACE)),
        (finding("user_0"), finding("user_1")),
        (finding("guideline_0"), finding("root_0", Outcome.ERROR, Severity.CRITICAL)),
        (finding("guideline_0", Outcome.ERROR), finding("root_0", Outcome.UNCERTAIN, Severity.CRITICAL)),
    ],
    ids=["authority", "severity", "action", "order", "violation before error", "error before doubt"],
)
def test_the_chain_names_the_clause_that_governs(governs: Finding, yields: Finding) -> None:
    """Authority comes first, then severity, then the stricter action, then the order of the document."""
    assert conclude([yields, governs], CHAIN, assessed=True).governing == governs


@pytest.mark.parametrize(
    ("outcomes", "assessed", "verdict"),
    [
        ([Outcome.VIOLATED, Outcome.ERROR, Outcome.UNCERTAIN], True, Verdict.VIOLATED),
        ([Outcome.ERROR, Outcome.UNCERTAIN], True, Verdict.ERROR),
        ([Outcome.UNCERTAIN, Outcome.PENDING], True, Verdict.UNCERTAIN),
        ([Outcome.PENDING, Outcome.NOT_APPLICABLE], True, Verdict.COMPLIED),
        ([Outcome.PENDING, Outcome.NOT_APPLICABLE], False, Verdict.UNASSESSED),
    ],
)
def test_the_worst_outcome_is_the_verdict(outcomes: list[Outcome], assessed: bool, verdict: Verdict) -> None:
    """Violations outweigh failures, failures doubts, doubts compliance; nothing assessed is none of them."""
    findings = [finding("user_0", outcome) for outcome in outcomes]
    assert conclude(findings, CHAIN, assessed=assessed).verdict is verdict


@given(st.lists(found, max_size=8), st.randoms())
def test_the_order_of_findings_never_matters(findings: list[Finding], random: Random) -> None:
    """Checks may come back in any order: the conclusion is the same."""
    shuffled = random.sample(findings, len(findings))
    assert conclude(shuffled, CHAIN, assessed=True) == conclude(findings, CHAIN, assessed=True)


def decision_over(asked: Sequence[tuple[Outcome, Action]], order: Sequence[int]) -> Decision:
    """What is decided when clauses with these actions have these outcomes, their checks bound in some order."""
    clauses = {
        f"c{n}": bound(f"c{n}", says(Finding(outcome)), action=action) for n, (outcome, action) in enumerate(asked)
    }
    policy = policies.policy(*clauses.values())
    engine = Engine(replace(policy, clauses={f"c{n}": clauses[f"c{n}"] for n in order}), new_id=str, now_ns=int)
    evaluation = engine.open()
    run_sync(evaluation.output(policies.answered("an answer")))
    decision = evaluation.decide()
    return replace(decision, findings=tuple(replace(finding, duration_ns=0) for finding in decision.findings))


asked = st.lists(
    st.tuples(st.sampled_from([Outcome.VIOLATED, Outcome.UNCERTAIN, Outcome.COMPLIED]), st.sampled_from(Action)),
    min_size=1,
    max_size=5,
)


@given(asked)
def test_one_more_violation_never_makes_the_action_milder(asked: list[tuple[Outcome, Action]]) -> None:
    """Whatever else is found, what one violation asks for is the least that is done."""
    *before, (outcome, action) = asked
    least = decision_over(before, range(len(before))).action
    after = decision_over(asked, range(len(asked))).action
    assert after.rank >= max(least.rank, action.rank if outcome is Outcome.VIOLATED else 0)


@given(asked, st.randoms())
def test_the_order_of_a_policy_file_never_matters(asked: list[tuple[Outcome, Action]], random: Random) -> None:
    """The order in which a policy names its clauses changes nothing in the decision."""
    order = range(len(asked))
    assert decision_over(asked, random.sample(order, len(order))) == decision_over(asked, order)


@given(st.lists(found, max_size=8))
def test_a_judge_never_lowers_a_violation(findings: list[Finding]) -> None:
    """One violation among any findings leaves the verdict violated."""
    violated = finding("guideline_0")
    assert conclude([*findings, violated], CHAIN, assessed=True).verdict is Verdict.VIOLATED


@given(st.lists(st.builds(Override, st.just("top"), st.sampled_from([*policies.LADDER, "god"]), st.text()), max_size=3))
def test_a_clause_at_the_top_is_never_overridden(overrides: list[Override]) -> None:
    """No level sets a clause of the top level aside, not even that level itself."""
    engine = Engine(policies.policy(bound("top", pattern("answer"), authority="root"), overrides=overrides))
    evaluation = engine.open(overrides)
    run_sync(evaluation.output(policies.answered("an answer")))
    assert evaluation.decide().verdict is Verdict.VIOLATED


@pytest.mark.parametrize("would", list(Action))
def test_observe_mode_flags_at_most(would: Action) -> None:
    """In observe mode what would be done is a flag, if anything."""
    assert action_in_mode(would, Mode.ENFORCE) is would
    assert action_in_mode(would, Mode.OBSERVE) is (Action.ALLOW if would is Action.ALLOW else Action.FLAG)


def test_a_check_on_a_section_that_binds_nobody_is_refused() -> None:
    """A level the ladder does not have is an error, never the weakest level."""
    with pytest.raises(ValueError, match="clause 'c' has level 'emperor', which test_spec does not rank"):
        Engine(policies.policy(bound("c", says(True), authority="emperor")))
