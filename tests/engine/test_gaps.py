"""Calls of which not all was seen."""

from __future__ import annotations

from dataclasses import replace

import pytest
from policies import answered, bound, pattern, policy, says

from specspan.call import UNKNOWN_ARGUMENTS, CallContext, Gaps, ModelCall, ToolCall
from specspan.checks.check import Check
from specspan.checks.kinds import tools
from specspan.checks.kinds.pattern import build
from specspan.decision import Decision, Mode, Outcome, Override, Stage, Verdict
from specspan.engine.bound_check import NOT_SAMPLED
from specspan.engine.engine import Engine
from specspan.engine.waiting import run_sync
from specspan.policy.policy import CheckBinding
from specspan.scope.scope import ArgumentLimit, ScopeOfAutonomy

UNSEEN = "content_not_recorded"


def decided(call: ModelCall, *checks: Check | CheckBinding) -> Decision:
    """The decision about one clause with these checks."""
    evaluation = Engine(policy(bound("rule", *checks))).open((), call)
    run_sync(evaluation.input(call))
    run_sync(evaluation.output(call))
    return evaluation.decide()


def short(call: ModelCall, **gaps: str) -> ModelCall:
    return replace(call, gaps=Gaps(**gaps))


def test_a_pattern_over_an_answer_that_was_not_seen_is_unassessed() -> None:
    """Neither complied nor not applicable, and finding and decision say why."""
    decision = decided(short(answered(), output=UNSEEN), pattern("bad"))
    [finding] = decision.findings
    assert (finding.outcome, finding.reason) == (Outcome.UNASSESSED, UNSEEN)
    assert (decision.verdict, decision.reason, decision.summary.unassessed) == (Verdict.UNASSESSED, UNSEEN, 1)


@pytest.mark.parametrize(("text", "outcome"), [("all bad", Outcome.VIOLATED), ("all good", Outcome.UNASSESSED)])
def test_what_must_not_be_there_is_found_in_a_part(text: str, outcome: Outcome) -> None:
    """A forbidden pattern in what was seen is a violation; that it was not seen there is nothing."""
    [finding] = decided(short(answered(text), output="content_truncated"), pattern("bad")).findings
    assert finding.outcome is outcome


def test_what_must_be_there_may_stand_in_what_was_not_seen() -> None:
    """A required text that is absent from a part is no violation."""
    check = build("rule", {"require": ["disclaimer"]})
    [finding] = decided(short(answered("all good"), output="content_truncated"), check).findings
    assert (finding.outcome, finding.reason) == (Outcome.UNASSESSED, "content_truncated")


def test_a_function_is_not_asked_about_a_part() -> None:
    """It may look at anything, also at what was asked; so an answer alone is not enough for it."""
    check = says(AssertionError("it was asked"))
    [finding] = decided(short(answered("all good"), input=UNSEEN), check).findings
    assert (finding.outcome, finding.reason) == (Outcome.UNASSESSED, UNSEEN)


def test_a_pattern_over_the_answer_does_without_the_question() -> None:
    """What a check does not read it does not miss."""
    assert decided(short(answered("good"), input=UNSEEN), pattern("bad")).verdict is Verdict.COMPLIED


def test_a_clause_does_not_comply_by_half_of_its_checks() -> None:
    """Where one check could not see, the others' finding nothing amiss is not enough; a violation is."""
    asked, said = pattern("evil", stage=Stage.INPUT), pattern("bad")
    call = short(answered("good"), input=UNSEEN)
    assert decided(call, asked, said).verdict is Verdict.UNASSESSED
    assert decided(short(answered("bad"), input=UNSEEN), asked, said).verdict is Verdict.VIOLATED


def test_a_function_that_finds_for_itself_that_the_clause_complies_does_not_make_it() -> None:
    """An explicit finding counts no more than True."""
    from specspan.decision import Finding

    call = short(answered("good"), input=UNSEEN)
    checks = pattern("evil", stage=Stage.INPUT), pattern("bad")
    own = says(Finding(Outcome.COMPLIED), stage=Stage.INPUT)
    assert decided(call, *checks, own).verdict is Verdict.UNASSESSED
    seen = short(answered("good"), output=UNSEEN)
    assert decided(seen, own, pattern("bad")).verdict is Verdict.UNASSESSED


def tool_calls(*names: str) -> ModelCall:
    return short(answered(tools=[ToolCall(name, UNKNOWN_ARGUMENTS) for name in names]), output=UNSEEN, arguments=UNSEEN)


@pytest.mark.parametrize(("name", "outcome"), [("search", Outcome.COMPLIED), ("wipe", Outcome.VIOLATED)])
def test_the_names_of_tools_are_decided_without_their_arguments(name: str, outcome: Outcome) -> None:
    """Which tools may be called is known from their names."""
    [finding] = decided(tool_calls(name), tools.build("rule", {"allow": ["search"]})).findings
    assert finding.outcome is outcome


def test_limits_are_not_decided_without_arguments() -> None:
    """A limit is neither kept nor broken by an argument that nobody told; what may not be called still may not."""
    check = tools.build("rule", {"allow": ["refund"], "limits": {"refund": {"amount": {"max": 50}}}})
    assert decided(tool_calls("refund"), check).findings[0].outcome is Outcome.UNASSESSED
    assert decided(tool_calls("wipe"), check).findings[0].reason == "tool_not_allowed"


def test_limits_of_a_scope_leave_it_uncertain() -> None:
    """A scope of autonomy that limits arguments is not known to be kept to."""
    scope = ScopeOfAutonomy(allowed_tools=("refund",), limits={"refund": {"amount": ArgumentLimit(max=50)}})
    call = replace(tool_calls("refund"), context=CallContext(scope=scope))
    [finding] = decided(call, tools.build("rule", {"deny": ["wipe"]})).findings
    assert (finding.outcome, finding.reason) == (Outcome.UNCERTAIN, "arguments_not_told")


def test_patterns_do_not_read_arguments_that_nobody_told() -> None:
    """They are no empty text."""
    [finding] = decided(tool_calls("refund"), pattern("bad", stage=Stage.TOOL_CALL)).findings
    assert finding.outcome is Outcome.UNASSESSED


def test_a_limited_check_needs_what_the_check_needs() -> None:
    """A share of the calls is looked at, and of those what the check reads."""
    limited = CheckBinding(pattern("bad"), 1.0, 1.0)
    assert decided(short(answered("good"), input=UNSEEN), limited).verdict is Verdict.COMPLIED
    assert decided(short(answered("bad"), output=UNSEEN), limited).verdict is Verdict.VIOLATED


def test_an_engine_that_observes_takes_no_action() -> None:
    """It decides under the same policy, and says what would have been done."""
    engine = Engine(policy(bound("rule", pattern("bad")), mode=Mode.ENFORCE))
    evaluation = engine.in_observe_mode().open()
    assert run_sync(evaluation.output(answered("bad"))).action == "allow"
    decision = evaluation.decide()
    assert (decision.mode, decision.policy_digest, decision.would) == (Mode.OBSERVE, "sha256:policy", "flag")
    observing = Engine(policy(bound("rule", pattern("bad")), mode=Mode.OBSERVE))
    assert observing.in_observe_mode() is observing


def test_an_override_of_one_call_holds_for_no_other_with_the_same_gap() -> None:
    """Plans for calls with gaps are kept, each for the overrides it was made under."""
    engine = Engine(policy(bound("rule", pattern("bad"), authority="guideline")))
    call = short(answered("bad"), input=UNSEEN)

    def outcome(*overrides: Override) -> Outcome:
        evaluation = engine.open(overrides, call)
        run_sync(evaluation.output(call))
        [finding] = evaluation.decide().findings
        return finding.outcome

    granted = Override("rule", by="user", reason="asked for")
    assert [outcome(), outcome(granted), outcome()] == [Outcome.VIOLATED, Outcome.OVERRIDDEN, Outcome.VIOLATED]


def test_a_call_with_a_gap_that_is_not_sampled_names_both_reasons() -> None:
    """Every clause has its finding, one whose check could not see and one whose check is for other calls."""
    blind = says(AssertionError("it was asked"))
    clauses = bound("blind", blind), bound("rare", CheckBinding(pattern("evil", stage=Stage.INPUT), 1e-9))
    call = short(answered("good"), output=UNSEEN)
    evaluation = Engine(policy(*clauses)).open((), call)
    run_sync(evaluation.input(call))
    run_sync(evaluation.output(call))
    decision = evaluation.decide()
    assert [(each.clause, each.reason) for each in decision.findings] == [("blind", UNSEEN), ("rare", NOT_SAMPLED)]
    assert decision.summary.unassessed == 2
