"""`tools` over a conversation: order, approval, numbers of calls and sums of arguments."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from specspan.call import CallContext, Gaps, Message, ModelCall, Part, Request, Response, ToolCall, ToolCallResponse
from specspan.checks.check import Check, CheckConfigError, as_finding
from specspan.checks.conversations import tool_rules
from specspan.checks.registry import kinds
from specspan.decision import Outcome

_names = itertools.count()


def built(**configuration: Any) -> Check:
    """A check with a memory of its own."""
    return kinds()["tools"].build(f"clause {next(_names)}", configuration)


def turn(*parts: Part, role: str = "assistant") -> Message:
    return Message(role, parts)


def answered(id_: str, response: Any = "ok") -> Message:
    return turn(ToolCallResponse(response, id_), role="tool")


def call_of(
    *tools: ToolCall, sent: tuple[Message, ...] = (), id_: str | None = None, gaps: Gaps | None = None, **context: Any
) -> ModelCall:
    response = Response(id=id_, output=(turn(*tools),))
    return ModelCall(Request("openai", input=sent), response, CallContext(**context), gaps or Gaps())


def run_of(tool: ToolCall, **context: Any) -> ModelCall:
    """The call with which a tool that a model asked for is carried out."""
    request = Request("", operation="execute_tool", executes=tool)
    return ModelCall(request, Response(output=(turn(tool),)), CallContext(**context))


def said(check: Check, call: ModelCall) -> tuple[Outcome, str | None]:
    finding = as_finding(check.decide(call, ()))
    return finding.outcome, finding.reason


def pay(id_: str | None, amount: Any = 10) -> ToolCall:
    return ToolCall("pay", {"amount": amount}, id_)


COMPLIED = (Outcome.COMPLIED, None)
READ = (turn(ToolCall("confirm", {}, "c1")), answered("c1"))


def test_a_tool_comes_after_another_has_answered() -> None:
    """It has answered in the messages that were sent; asking for both tools at once is too early."""
    check = built(after={"pay": ["confirm"]})
    assert said(check, call_of(pay("1"))) == (Outcome.VIOLATED, "tool_out_of_order")
    assert said(check, call_of(pay("1"), sent=READ[:1])) == (Outcome.VIOLATED, "tool_out_of_order")
    assert said(check, call_of(ToolCall("confirm", {}, "c2"), pay("1"))) == (Outcome.VIOLATED, "tool_out_of_order")
    assert said(check, call_of(pay("1"), sent=READ)) == COMPLIED


def test_order_of_a_tools_run_is_told_by_the_conversation() -> None:
    """A run sends no messages: what was remembered of the conversation tells the order, and without it nothing does."""
    check = built(after={"pay": ["confirm"]})
    assert said(check, run_of(pay("1"))) == (Outcome.UNCERTAIN, "conversation_not_known")
    assert said(check, run_of(pay("1"), conversation="c")) == (Outcome.VIOLATED, "tool_out_of_order")
    assert said(check, run_of(ToolCall("confirm", {}, "c1"), conversation="c")) == COMPLIED
    assert said(check, run_of(pay("2"), conversation="c")) == COMPLIED


def test_a_run_that_its_answer_was_decided_for_is_not_counted_again() -> None:
    """The answer and the run of one tool call are one call of the tool, told by its id."""
    check = built(calls={"pay": 1})
    assert said(check, call_of(pay("1"), conversation="c")) == COMPLIED
    assert said(check, run_of(pay("1"), conversation="c")) == COMPLIED
    assert said(check, run_of(pay("2"), conversation="c")) == (Outcome.VIOLATED, "tool_calls_over_limit")


def test_messages_that_were_not_seen_are_not_held_against_anybody() -> None:
    """Of a call that others recorded without its messages, the order is not known."""
    call = call_of(pay("1"), gaps=Gaps(input="content_not_recorded"))
    assert said(built(after={"pay": ["confirm"]}), call) == (Outcome.UNCERTAIN, "conversation_not_known")


@pytest.mark.parametrize("value", [None, False, "true", 1])
def test_approval_is_a_fact_that_is_true(value: Any) -> None:
    """The application declares it; nothing else than true will do."""
    check = built(approval={"pay": "pay_approved"})
    facts = {} if value is None else {"pay_approved": value}
    assert said(check, call_of(pay("1"), attributes=facts)) == (Outcome.VIOLATED, "approval_missing")
    assert said(check, call_of(pay("1"), attributes={"pay_approved": True})) == COMPLIED
    assert said(check, call_of(ToolCall("read", {}, "1"), attributes=facts)) == COMPLIED


def test_calls_are_counted_over_the_messages_sent() -> None:
    """Without an id of the conversation, the calls in the messages count, and those of the answer before."""
    check = built(calls={"pay": 2})
    earlier = (turn(pay("1")), answered("1"))
    assert said(check, call_of(pay("2"), sent=earlier)) == COMPLIED
    assert said(check, call_of(pay("2"), pay("3"), sent=earlier)) == (Outcome.VIOLATED, "tool_calls_over_limit")


def test_calls_are_counted_over_a_conversation_that_is_cut() -> None:
    """With an id, calls count that are no longer among the messages; those of other conversations do not."""
    check = built(calls={"*": 2})
    assert said(check, call_of(pay("1"), conversation="a")) == COMPLIED
    assert said(check, call_of(ToolCall("read", {}, "2"), conversation="a")) == COMPLIED
    assert said(check, call_of(pay("3"), conversation="a")) == (Outcome.VIOLATED, "tool_calls_over_limit")
    assert said(check, call_of(pay("3"), conversation="b")) == COMPLIED


def test_a_call_is_counted_once() -> None:
    """One that is remembered and sent, and an answer that is looked at twice."""
    check = built(calls={"pay": 2})
    assert said(check, call_of(pay(None), id_="r1", conversation="a")) == COMPLIED
    assert said(check, call_of(pay(None), id_="r1", conversation="a")) == COMPLIED
    assert said(check, call_of(pay("2"), sent=(turn(pay(None)), answered("1")), conversation="a")) == COMPLIED
    assert said(check, call_of(pay("3"), conversation="a"))[0] is Outcome.VIOLATED


def test_a_call_that_breaks_the_rule_uses_nothing_up() -> None:
    """A payment that is too large leaves the budget as it was."""
    check = built(budgets={"pay": {"amount": {"max": 100}}})
    assert said(check, call_of(pay("1", 60), conversation="a")) == COMPLIED
    assert said(check, call_of(pay("2", 60), conversation="a")) == (Outcome.VIOLATED, "tool_budget_over_limit")
    assert said(check, call_of(pay("3", 40), conversation="a")) == COMPLIED


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"amount": 100.01}, "tool_budget_over_limit"),
        ({"amount": 10**400}, "tool_budget_over_limit"),
        ({"amount": -1}, "argument_under_limit"),
        ({"amount": "10"}, "argument_wrong_type"),
        ({"amount": True}, "argument_wrong_type"),
        ({"amount": float("nan")}, "argument_wrong_type"),
        ({}, "argument_missing"),
        ("{", "argument_missing"),
    ],
)
def test_an_amount_that_cannot_be_summed_up_is_a_violation(arguments: Any, reason: str) -> None:
    """A number from 0 up, or the rule is broken: nothing makes room for more."""
    check = built(budgets={"pay": {"amount": {"max": 100}}})
    assert said(check, call_of(ToolCall("pay", arguments, "1"))) == (Outcome.VIOLATED, reason)


def test_a_rate_counts_the_latest_stretch_of_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Calls before the stretch are forgotten. Without a conversation or a user nobody can tell."""
    now = [100.0]
    monkeypatch.setattr(tool_rules, "now_s", lambda: now[0])
    check = built(calls={"pay": {"max": 1, "per": "1m"}})
    assert said(check, call_of(pay("1"), user="u")) == COMPLIED
    assert said(check, call_of(pay("2"), user="u")) == (Outcome.VIOLATED, "tool_calls_over_limit")
    now[0] += 60
    assert said(check, call_of(pay("3"), user="u")) == COMPLIED
    assert said(check, call_of(pay("4"))) == (Outcome.UNCERTAIN, "conversation_not_known")


def test_answers_at_once_cannot_both_take_what_is_left() -> None:
    """Of fifty answers on several threads, as many pass as the budget allows."""
    check = built(budgets={"pay": {"amount": {"max": 100}}})
    calls = [call_of(pay(str(i), 10), conversation="a") for i in range(50)]
    with ThreadPoolExecutor(8) as pool:
        outcomes = [outcome for outcome, _ in pool.map(lambda call: said(check, call), calls)]
    assert outcomes.count(Outcome.COMPLIED) == 10


def test_a_policy_that_is_loaded_again_counts_on() -> None:
    """The same rules of the same clause have one memory in the process."""
    rules: dict[str, Any] = {"calls": {"pay": 1}}
    first, again = (kinds()["tools"].build("counted twice", rules) for _ in range(2))
    assert said(first, call_of(pay("1"), conversation="a")) == COMPLIED
    assert said(again, call_of(pay("2"), conversation="a"))[0] is Outcome.VIOLATED


@pytest.mark.parametrize(
    ("configuration", "message", "key"),
    [
        ({"allow": ["read"], "after": {"pay": ["read"]}}, "'pay' has a rule and may not be called", "after.pay"),
        ({"deny": ["pay"], "calls": {"pay": 1}}, "'pay' has a rule and may not be called", "calls.pay"),
        ({"calls": {"pay": {"max": 1, "per": "day"}}}, "unknown period 'day'", "calls.pay.per"),
    ],
)
def test_rules_that_contradict_are_refused(configuration: Any, message: str, key: str) -> None:
    """A tool that may not be called needs no rule; a period is a time."""
    with pytest.raises(CheckConfigError) as caught:
        built(**configuration)
    assert (caught.value.message, caught.value.key) == (message, key)
