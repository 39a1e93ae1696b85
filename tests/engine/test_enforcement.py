"""A clause that is only watched while the rest of its policy is enforced."""

from __future__ import annotations

from dataclasses import replace

import policies
import pytest
from hypothesis import given
from hypothesis import strategies as st
from policies import answered, asked, bound, pattern, says

from specspan.call import ToolCall
from specspan.checks.check import Check
from specspan.decision import Action, Decision, Mode, Outcome, Stage, Verdict
from specspan.engine.engine import Engine
from specspan.engine.rewriting import PROCEED, Ruling
from specspan.engine.waiting import run_sync
from specspan.policy.policy import ClausePolicy, OnError


def watched(id_: str, *checks: Check, action: Action = Action.BLOCK, on_error: OnError = OnError.OPEN) -> ClausePolicy:
    """A clause that is only watched."""
    return replace(bound(id_, *checks, action=action, on_error=on_error), mode=Mode.OBSERVE)


def decided(*clauses: ClausePolicy, mode: Mode = Mode.ENFORCE, text: str = "bad worse") -> tuple[Ruling, Decision]:
    """What is done about an answer, and the decision about it."""
    evaluation = Engine(policies.policy(*clauses, mode=mode)).open()
    ruling = run_sync(evaluation.output(answered(text)))
    return ruling, evaluation.decide()


def test_a_watched_clause_is_recorded_and_changes_nothing() -> None:
    """Verdict and finding are those of a violation, a flag is all that is done, and what it would be is told."""
    ruling, decision = decided(watched("new", pattern("bad")))
    assert ruling.action is Action.FLAG
    assert (decision.verdict, decision.mode) == (Verdict.VIOLATED, Mode.ENFORCE)
    assert (decision.action, decision.would, decision.governing_clause) == (Action.FLAG, Action.BLOCK, "new")
    assert decision.findings[0].action is Action.BLOCK


def test_the_rest_of_the_policy_is_enforced() -> None:
    """A watched clause neither adds to what another clause does nor takes from it."""
    ruling, decision = decided(watched("new", pattern("bad")), bound("old", pattern("worse"), action=Action.REDACT))
    assert dict(ruling.edits) == {"/output/0/parts/0": "bad [redacted:pattern]"}
    assert (decision.action, decision.would) == (Action.REDACT, Action.BLOCK)


def test_where_it_would_make_no_difference_nothing_is_said_of_it() -> None:
    """``would`` stands in enforce mode only where the watched clauses would have made the action stricter."""
    _, decision = decided(watched("new", pattern("bad")), bound("old", pattern("worse"), action=Action.BLOCK))
    assert (decision.action, decision.would) == (Action.BLOCK, None)
    _, decision = decided(watched("new", pattern("absent")))
    assert (decision.verdict, decision.action, decision.would) == (Verdict.COMPLIED, Action.ALLOW, None)


def test_in_observe_mode_it_would_be_watched_all_the_same() -> None:
    """``would`` says what enforcing this policy would do, and this policy watches the clause."""
    _, decision = decided(watched("new", pattern("bad")), mode=Mode.OBSERVE)
    assert (decision.action, decision.would) == (Action.FLAG, Action.FLAG)


@pytest.mark.parametrize("on_error", [OnError.CLOSED, OnError.ESCALATE])
def test_a_failing_check_of_a_watched_clause_stops_nothing(on_error: OnError) -> None:
    """What a failure would mean is told like any other action."""
    ruling, decision = decided(watched("new", says(RuntimeError("no")), on_error=on_error))
    assert ruling.action is Action.FLAG
    assert decision.summary.errored == ("new",)
    assert decision.would is (Action.BLOCK if on_error is OnError.CLOSED else Action.ESCALATE)


def test_a_question_and_a_tool_call_go_through() -> None:
    """It holds at every stage."""
    clause = watched("new", pattern("secret", stage=Stage.INPUT), says(False, Stage.TOOL_CALL))
    evaluation = Engine(policies.policy(clause)).open()
    assert not run_sync(evaluation.input(asked("a secret"))).action.stops
    assert not run_sync(evaluation.output(answered("fine", tools=[ToolCall("t")]))).action.stops
    assert evaluation.decide().would is Action.BLOCK


def test_a_stream_is_not_cut_by_a_watched_clause() -> None:
    """All of it is handed over; that it would have been cut is told."""
    evaluation = Engine(policies.policy(watched("new", pattern("bad")))).open()
    run_sync(evaluation.input(asked(streaming=True)))
    assert evaluation.stream() is None
    run_sync(evaluation.output(answered("so bad", streaming=True), released_chars=6))
    decision = evaluation.decide()
    assert (decision.action, decision.would, decision.released_chars) == (Action.FLAG, Action.BLOCK, None)


def test_a_stream_is_cut_by_the_other_clauses_alone() -> None:
    """A chunk that only a watched clause minds is handed over."""
    old = bound("old", pattern("worse"), action=Action.BLOCK)
    evaluation = Engine(policies.policy(watched("new", pattern("bad")), old)).open()
    run_sync(evaluation.input(asked(streaming=True)))
    stream = evaluation.stream()
    assert stream is not None
    assert stream.feed(0, "bad ") is None
    assert stream.feed(0, "worse") is not None


_actions = st.sampled_from(list(Action))


@given(clauses=st.lists(st.tuples(_actions, st.booleans(), st.sampled_from(["bad", "worse", "absent"])), max_size=6))
def test_watched_clauses_never_change_what_is_done(clauses: list[tuple[Action, bool, str]]) -> None:
    """Above a flag, what is done with them is what is done without them."""
    made = [
        (watched if only_watched else bound)(str(number), pattern(word), action=action)
        for number, (action, only_watched, word) in enumerate(clauses)
    ]
    with_them, decision = decided(*made)
    without, _ = decided(*(clause for clause in made if clause.mode is Mode.ENFORCE))
    if max(with_them.action.rank, without.action.rank) > Action.FLAG.rank:
        assert with_them == without
    assert decision.would is None or decision.would.rank > decision.action.rank
    violated = {finding.clause for finding in decision.findings if finding.outcome is Outcome.VIOLATED}
    assert violated == {str(number) for number, (_, _, word) in enumerate(clauses) if word != "absent"}


def test_nothing_is_asked_of_a_policy_that_enforces_all() -> None:
    """The usual ruling is the shared one."""
    ruling, _ = decided(bound("old", pattern("absent"), action=Action.BLOCK))
    assert ruling is PROCEED
