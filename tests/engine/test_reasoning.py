"""Checks that ask for a model's reasoning."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from policies import answered, bound, policy

from specspan.call import Message, ModelCall, Part, Reasoning, Response, Text, ToolCall
from specspan.checks.kinds.pattern import build
from specspan.decision import Action, Decision, Evidence, Outcome, Verdict
from specspan.engine.engine import Engine
from specspan.engine.rewriting import Ruling
from specspan.engine.waiting import run_sync
from specspan.policy.policy import ClausePolicy

BOTH = ["text", "reasoning"]


def with_answer(*parts: Part) -> ModelCall:
    """Return a call whose answer has these parts."""
    return replace(answered(), response=Response(output=(Message("assistant", parts),)))


def decided(call: ModelCall, *clauses: ClausePolicy) -> tuple[Decision, Ruling]:
    """Return the decision on a call, and the ruling on its answer."""
    evaluation = Engine(policy(*clauses)).open((), call)
    run_sync(evaluation.input(call))
    ruling = run_sync(evaluation.output(call))
    return evaluation.decide(), ruling


def clause(id_: str = "rule", action: Action = Action.FLAG, **configuration: Any) -> ClausePolicy:
    """Return a clause with one pattern check."""
    return bound(id_, build(id_, {"any": ["bad"], **configuration}), action=action)


def test_only_the_check_that_asks_reads_reasoning() -> None:
    """Two clauses on one answer read different parts of it."""
    call = with_answer(Reasoning("a bad idea"), Text("A good answer."))
    decision, _ = decided(call, clause("a"), clause("b", parts=BOTH))
    assert [each.outcome for each in decision.findings] == [Outcome.COMPLIED, Outcome.VIOLATED]
    assert decision.findings[1].evidence == (Evidence("/output/0/parts/0", 2, 5),)
    assert decision.reads_reasoning
    assert not decided(call, clause("a"))[0].reads_reasoning


@pytest.mark.parametrize("parts", [BOTH, ["reasoning"]])
def test_text_is_always_read(parts: list[str]) -> None:
    """A check that asks for reasoning still reads the answer."""
    assert decided(with_answer(Text("bad")), clause(parts=parts))[0].verdict is Verdict.VIOLATED
    assert decided(with_answer(Reasoning("hm"), Text("good")), clause(parts=parts))[0].verdict is Verdict.COMPLIED


def test_an_answer_of_reasoning_alone_is_nothing_to_read_for_the_others() -> None:
    """What a check does not read does not make its clause comply."""
    decision, _ = decided(with_answer(Reasoning("good")), clause("a"), clause("b", parts=BOTH))
    assert [each.outcome for each in decision.findings] == [Outcome.NOT_APPLICABLE, Outcome.COMPLIED]


def test_reasoning_is_joined_with_reasoning() -> None:
    """Text between two parts of reasoning belongs to neither."""
    call = with_answer(Reasoning("b"), Text("x"), Reasoning("ad"), Text("b"))
    decision, _ = decided(call, clause(parts=BOTH))
    assert [each.pointer for each in decision.findings[0].evidence] == ["/output/0/parts/0", "/output/0/parts/2"]
    assert decided(with_answer(Reasoning("b"), Text("ad")), clause(parts=BOTH))[0].verdict is Verdict.COMPLIED


@pytest.mark.parametrize("action", [Action.REDACT, Action.REPLACE])
def test_reasoning_is_blocked_where_text_is_rewritten(action: Action) -> None:
    """Nobody hands on reasoning that a policy would have rewritten."""
    call = with_answer(Reasoning("a bad idea"), Text("A good answer."))
    assert decided(call, clause(action=action, parts=BOTH))[1] == Ruling(Action.BLOCK)
    text_only = decided(with_answer(Reasoning("an idea"), Text("bad")), clause(action=action, parts=BOTH))[1]
    assert (text_only.action, list(text_only.edits)) == (action, ["/output/0/parts/1"])


def test_a_required_text_that_reasoning_lacks_too_is_blocked() -> None:
    """A finding without a place is about all that the check read."""
    check = build("rule", {"require": ["disclaimer"], "parts": BOTH})
    call = with_answer(Reasoning("hm"), Text("good"))
    assert decided(call, bound("rule", check, action=Action.REPLACE))[1].action is Action.BLOCK


def test_reasoning_is_no_argument_of_a_tool() -> None:
    """One configuration may stand at several stages; the one of tool calls reads arguments alone."""
    check = build("rule", {"any": ["bad"], "stage": "tool_call", "parts": BOTH})
    decision, _ = decided(with_answer(Reasoning("bad"), ToolCall("search", {"q": "good"})), bound("rule", check))
    assert (decision.verdict, decision.reads_reasoning) == (Verdict.COMPLIED, False)


def test_a_cut_stream_names_the_text_and_not_the_reasoning_before_it() -> None:
    """The part that was redacted is the one that the consumer read."""
    evaluation = Engine(policy(clause(action=Action.REDACT, parts=BOTH))).open((), answered(streaming=True))
    stream = evaluation.stream()
    assert stream is not None
    assert stream.feed(0, "so bad") is not None
    run_sync(evaluation.output(with_answer(Reasoning("hm"), Text("so bad")), released_chars=0))
    assert evaluation.decide().redacted == ("/output/0/parts/1",)
