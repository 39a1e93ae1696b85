"""Calls that hold a part which no reader understood."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import policies
import pytest
from policies import answered, bound, pattern, says

from specspan.call import Message, ModelCall, Part, Response, Text, ToolCall, Unknown
from specspan.checks.kinds.pattern import build
from specspan.decision import Action, Decision, Mode, Outcome, Stage, Verdict
from specspan.engine.bound_check import NOT_UNDERSTOOD
from specspan.engine.engine import Engine
from specspan.engine.rewriting import Ruling
from specspan.engine.waiting import run_sync
from specspan.policy.policy import ClausePolicy, OnUnread

UNREAD = Unknown("hologram")


def with_answer(*parts: Part) -> ModelCall:
    """Return a call whose answer has these parts."""
    return replace(answered(), response=Response(output=(Message("assistant", parts),)))


def with_question(*parts: Part, role: str = "user", answer: str = "good") -> ModelCall:
    """Return a call whose request ends with a message of these parts."""
    call = answered(answer)
    return replace(call, request=replace(call.request, input=(*call.input, Message(role, parts))))


def decided(call: ModelCall, *clauses: ClausePolicy, mode: Mode = Mode.ENFORCE) -> tuple[Decision, list[Ruling]]:
    """Return the decision on a call that goes through both sides, and the rulings on them."""
    evaluation = Engine(policies.policy(*clauses, mode=mode)).open((), call)
    rulings = [run_sync(evaluation.input(call)), run_sync(evaluation.output(call))]
    return evaluation.decide(), rulings


def outcomes(decision: Decision) -> set[tuple[str, Outcome, str | None]]:
    """Return the clause, outcome and reason of each finding."""
    return {(each.clause, each.outcome, each.reason) for each in decision.findings}


def test_an_answer_with_an_unread_part_does_not_comply() -> None:
    """The clause is unassessed, and finding, decision and counts say why."""
    decision, _ = decided(with_answer(Text("good"), UNREAD), bound("rule", pattern("bad")))
    assert outcomes(decision) == {("rule", Outcome.UNASSESSED, NOT_UNDERSTOOD)}
    assert (decision.verdict, decision.reason, decision.action) == (Verdict.UNASSESSED, NOT_UNDERSTOOD, Action.ALLOW)
    assert (decision.summary.unassessed, decision.summary.applied) == (1, "")


def test_a_violation_in_what_was_read_stands() -> None:
    """A part that nobody understood takes nothing back."""
    decision, _ = decided(with_answer(UNREAD, Text("bad")), bound("rule", pattern("bad")))
    assert decision.verdict is Verdict.VIOLATED


@pytest.mark.parametrize("answer", [True, None, False, RuntimeError("broken")])
def test_a_function_still_runs_beside_an_unread_part(answer: Any) -> None:
    """An unread part is no way around a function: only its approval does not count."""
    expected = {False: Outcome.VIOLATED, True: Outcome.UNASSESSED, None: Outcome.UNASSESSED}
    outcome = Outcome.ERROR if isinstance(answer, Exception) else expected[answer]
    decision, _ = decided(with_answer(Text("good"), UNREAD), bound("rule", says(answer)))
    assert [each.outcome for each in decision.findings] == [outcome]


def test_an_unread_part_of_a_message_that_a_check_does_not_read_is_no_gap() -> None:
    """A pattern on the answer needs no question, and one on the user's words needs no word of the assistant's."""
    on_answer, on_question = bound("a", pattern("bad")), bound("q", pattern("bad", stage=Stage.INPUT))
    decision, _ = decided(with_question(UNREAD, role="assistant"), on_answer, on_question)
    assert {each.outcome for each in decision.findings} == {Outcome.COMPLIED}
    decision, _ = decided(with_question(UNREAD), on_answer, on_question)
    assert outcomes(decision) == {("a", Outcome.COMPLIED, None), ("q", Outcome.UNASSESSED, NOT_UNDERSTOOD)}
    assert decision.verdict is Verdict.UNASSESSED


def test_unread_instructions_are_a_gap_for_who_reads_them() -> None:
    """System instructions that the provider takes apart from the messages count as messages of the system."""
    call = answered("good")
    call = replace(call, request=replace(call.request, system_instructions=(UNREAD,)))
    reader = build("rule", {"any": ["bad"], "stage": "input", "roles": ["system"]})
    assert decided(call, bound("rule", reader))[0].verdict is Verdict.UNASSESSED
    assert decided(call, bound("rule", pattern("bad", stage=Stage.INPUT)))[0].verdict is Verdict.COMPLIED


def test_a_clause_does_not_comply_by_the_check_that_could_read() -> None:
    """Where the answer is unread, what another check of the clause found of the question is not enough."""
    clause = bound("rule", pattern("evil", stage=Stage.INPUT), pattern("bad"))
    decision, _ = decided(with_answer(UNREAD), clause)
    assert outcomes(decision) == {("rule", Outcome.UNASSESSED, NOT_UNDERSTOOD)}


def test_a_check_of_the_answer_that_needs_the_question_misses_it_without_an_input_stage() -> None:
    """The request is looked at once the answer is there, where nothing looked at it before."""
    decision, _ = decided(with_question(UNREAD), bound("rule", says(True)))
    assert outcomes(decision) == {("rule", Outcome.UNASSESSED, NOT_UNDERSTOOD)}


def test_an_unread_part_may_be_a_tool_call() -> None:
    """A check of tool calls does not vouch for a part that may have been one."""
    call = with_answer(ToolCall("search", {"q": "x"}), UNREAD)
    decision, _ = decided(call, bound("rule", pattern("bad", stage=Stage.TOOL_CALL)))
    assert decision.verdict is Verdict.UNASSESSED


@pytest.mark.parametrize(
    ("on_unread", "action", "taken"),
    [
        (OnUnread.OPEN, Action.BLOCK, Action.ALLOW),
        (OnUnread.CLOSED, Action.FLAG, Action.FLAG),
        (OnUnread.CLOSED, Action.BLOCK, Action.BLOCK),
        (OnUnread.CLOSED, Action.REDACT, Action.BLOCK),
        (OnUnread.CLOSED, Action.REPLACE, Action.BLOCK),
        (OnUnread.ESCALATE, Action.FLAG, Action.ESCALATE),
    ],
)
@pytest.mark.parametrize("stage", [Stage.INPUT, Stage.OUTPUT])
def test_on_unread_says_what_is_done(stage: Stage, on_unread: OnUnread, action: Action, taken: Action) -> None:
    """What cannot be read cannot be rewritten, so it is blocked; the record names the clause that acted."""
    clause = replace(bound("rule", pattern("bad", stage=stage), action=action), on_unread=on_unread)
    call = with_answer(UNREAD) if stage is Stage.OUTPUT else with_question(UNREAD)
    decision, rulings = decided(call, clause)
    expected = [taken, Action.ALLOW] if stage is Stage.INPUT else [Action.ALLOW, taken]
    assert [each.action for each in rulings] == expected
    assert (decision.verdict, decision.reason, decision.action) == (Verdict.UNASSESSED, NOT_UNDERSTOOD, taken)
    assert decision.governing_clause == (None if taken is Action.ALLOW else "rule")
    watched, rulings = decided(call, clause, mode=Mode.OBSERVE)
    assert [each.action for each in rulings] == [Action.ALLOW, Action.ALLOW]
    assert (watched.would, watched.action.rank <= Action.FLAG.rank) == (taken, True)


def test_on_unread_does_not_act_where_everything_was_read() -> None:
    """A clause that fails closed over what it cannot read complies with an ordinary answer."""
    clause = replace(bound("rule", pattern("bad"), action=Action.BLOCK), on_unread=OnUnread.CLOSED)
    decision, _ = decided(answered("good"), clause)
    assert (decision.verdict, decision.action) == (Verdict.COMPLIED, Action.ALLOW)


def test_an_unread_part_found_later_in_a_stream_counts() -> None:
    """An answer that was decided once, and then went on, is decided as a whole."""
    evaluation = Engine(policies.policy(bound("rule", pattern("bad")))).open((), answered("good"))
    run_sync(evaluation.output(answered("good"), released_chars=0))
    run_sync(evaluation.output(with_answer(Text("good"), UNREAD), released_chars=4))
    assert evaluation.decide().verdict is Verdict.UNASSESSED


def test_a_timed_check_does_not_comply_beside_an_unread_part() -> None:
    """The result of a worker's thread counts no more than that of the caller's."""
    decision, _ = decided(with_answer(UNREAD, Text("good")), bound("rule", says(True, timeout_s=5.0)))
    assert outcomes(decision) == {("rule", Outcome.UNASSESSED, NOT_UNDERSTOOD)}
