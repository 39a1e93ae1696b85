"""`condition`: an expression in CEL over the call, its context, its tools and the turns before it."""

from __future__ import annotations

from typing import Any

import pytest
from policies import bound, policy

from specspan.call import (
    CallContext,
    Message,
    ModelCall,
    Part,
    Request,
    Response,
    Text,
    ToolCall,
    ToolCallResponse,
)
from specspan.checks.check import CheckConfigError, as_finding
from specspan.checks.conversations.turns import MAX_ITEMS
from specspan.checks.registry import kinds
from specspan.checks.texts import texts
from specspan.decision import Action, Finding, Outcome, Stage, Verdict
from specspan.engine.engine import Engine
from specspan.engine.waiting import run_sync

pytest.importorskip("cel_expr_python", reason="has no build for this Python")

CONFIRMED = "tools.all(t, t.name != 'pay' || history.tools.exists(e, e.name == 'confirm' && e.answered))"


def said(role: str, *parts: Part) -> Message:
    return Message(role, parts)


def called(*output: Part, sent: tuple[Message, ...] = (), **context: Any) -> ModelCall:
    request = Request("openai", model="gpt-5", input=sent, parameters={"temperature": 0.5})
    return ModelCall(request, Response(output=(Message("assistant", output),)), CallContext(**context))


def decided(configuration: object, call: ModelCall) -> Finding:
    """What a condition says of a call."""
    check = kinds()["condition"].build("clause", configuration)
    return as_finding(check.decide(call, texts(call, check.traits.stage)))


def outcome(configuration: object, call: ModelCall) -> tuple[Outcome, str | None]:
    finding = decided(configuration, call)
    return finding.outcome, finding.reason


def refused(configuration: object) -> tuple[str, str | None]:
    """The message with which a condition is refused, and the key that it names."""
    with pytest.raises(CheckConfigError) as caught:
        kinds()["condition"].build("clause", configuration)
    assert caught.value.remedy.endswith((".", "'specspan[cel]'"))
    return caught.value.message, caught.value.key


ASKED = said("user", Text("Pay it."))
CONFIRMS = said("assistant", ToolCall("confirm", {}, "1"))
YES = said("tool", ToolCallResponse("yes", "1"))
PAY = ToolCall("pay", {"amount": 51, "id": 9007199254740993}, "2")


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ((ASKED,), (Outcome.VIOLATED, "condition")),
        ((ASKED, CONFIRMS), (Outcome.VIOLATED, "condition")),
        ((ASKED, CONFIRMS, said("tool", ToolCallResponse("yes", "another"))), (Outcome.VIOLATED, "condition")),
        ((ASKED, CONFIRMS, YES), (Outcome.COMPLIED, None)),
        ((ASKED, CONFIRMS, said("tool", ToolCallResponse("yes"))), (Outcome.COMPLIED, None)),
    ],
    ids=["never", "not answered", "another answered", "answered", "answered without an id"],
)
def test_confirm_before_pay(sent: tuple[Message, ...], expected: tuple[Outcome, str | None]) -> None:
    """A payment complies once a confirmation was asked for and answered, in the messages that were sent."""
    assert outcome(CONFIRMED, called(PAY, sent=sent)) == expected


@pytest.mark.parametrize(
    ("source", "holds"),
    [
        ("call.provider == 'openai' && call.model.startsWith('gpt') && call.parameters.temperature < 1.0", True),
        ("context.user == 'u-7' && context.conversation == 'c-9'", True),
        ("context.facts.tier == 'gold' && !has(context.facts.under_18)", True),
        ("tools.all(t, t.arguments.amount <= 50)", False),
        ("tools.exists(t, t.arguments.id == 9007199254740993)", True),
        ("tools.exists(t, t.arguments.id == 9007199254740992)", False),
        ("size(output.text) == 5 && output.text.matches('^Gl?adly?$') || output.text == 'Done.'", True),
        ("input.text == 'Pay it.' && input.messages.size() == 3", True),
        ("history.tools.size() == 1 && history.tools[0].response == 'yes'", True),
    ],
)
def test_what_an_expression_sees(source: str, holds: bool) -> None:
    """Call, context, input, output, tools and history have the values of the call."""
    facts = {"tier": "gold"}
    call = called(Text("Done."), PAY, sent=(ASKED, CONFIRMS, YES), user="u-7", conversation="c-9", attributes=facts)
    assert outcome(source, call)[0] is (Outcome.COMPLIED if holds else Outcome.VIOLATED)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("call.modle == 'x'", "invalid condition: undefined field 'modle' not found in struct 'Call', at column 5"),
        ("tools.all(t, t.nam == 'x')", "invalid condition: undefined field 'nam' not found in struct 'ToolCall', at column 15"),  # noqa: E501
        ("nope", "invalid condition: undeclared reference to 'nope', at column 1"),
        ("call.model + 1 == 'x'", "invalid condition: found no matching overload for '_+_' applied to '(string, int)', at column 12"),  # noqa: E501
        ("output.text", "a condition of type string"),
        ("now() > timestamp('2026-01-01T00:00:00Z')", "invalid condition: undeclared reference to 'now', at column 4"),
        ("output.text.matches(input.text)", "a condition with a pattern that is computed"),
        ("output.text.matches('(')", "invalid pattern '('"),
        ("true" + " || true" * 2000, "a condition of 16,004 characters"),
    ],
)  # fmt: skip
def test_names_and_types_are_checked_when_it_is_loaded(source: str, message: str) -> None:
    """What is not declared, has a wrong type or is not written out is refused, with its place."""
    assert refused({"holds": source}) == (message, "holds")
    assert refused({"holds": "true", "when": source}) == (message, "when")


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("tools.all(a, tools.all(b, tools.all(c, true)))", "894,048 rounds"),
        ("history.user.all(u, ['a', 'b', 'c'].all(w, !output.text.contains(w)))", "288 times"),
        ("tools.all(t, t.arguments.items.map(i, i).size() < 3)", "map and filter copy a list inside JSON"),
    ],
)
def test_an_expression_that_could_be_slow_is_refused(source: str, why: str) -> None:
    """Macros in macros, passes over whole texts and copies of lists without a bound have a limit."""
    message, _ = refused(source)
    assert message.startswith("a condition that could be slow: ")
    assert why in message


@pytest.mark.parametrize(
    ("source", "arguments", "reason"),
    [
        ("tools.all(t, t.arguments.amount < 50)", {}, "condition_no_such_key"),
        ("tools.all(t, t.arguments.amount < 50)", None, "condition_failed"),
        ("tools.all(t, t.arguments.amount < 50)", {"amount": "50"}, "condition_wrong_type"),
        ("tools.all(t, 1 / t.arguments.amount > 0)", {"amount": 0}, "condition_divided_by_zero"),
        ("tools.all(t, t.arguments.all(i, i > 0))", [1] * 20_000, "condition_too_long"),
    ],
)
def test_an_expression_without_a_value_is_an_error(source: str, arguments: Any, reason: str) -> None:
    """An argument that is missing or of another type has not complied; the reason is of a closed set."""
    assert outcome(source, called(ToolCall("pay", arguments))) == (Outcome.ERROR, reason)


def test_arguments_that_cannot_be_read_are_an_error() -> None:
    """What holds itself, or is nested without end, is not followed."""
    endless: dict[str, Any] = {}
    endless["again"] = endless
    source = "tools.all(t, has(t.arguments.again))"
    assert outcome(source, called(ToolCall("pay", endless))) == (Outcome.ERROR, "condition_unreadable_value")
    wide = ToolCall("pay", {"again": list(range(200_000))})
    assert outcome(source, called(wide)) == (Outcome.ERROR, "condition_unreadable_value")


@pytest.mark.parametrize("amount", [10**400, -(10**400), 2**63, float("nan"), float("inf")])
def test_numbers_of_any_size_are_compared(amount: float) -> None:
    """A number that CEL has no integer for is compared as the nearest one that it has."""
    expected = Outcome.COMPLIED if amount < 50 else Outcome.VIOLATED
    assert outcome("tools.all(t, t.arguments.amount < 50)", called(ToolCall("pay", {"amount": amount})))[0] is expected


def test_texts_of_any_characters_are_read() -> None:
    """Lone surrogates, which CEL cannot hold, and zeros end nothing."""
    call = called(Text("a\ud800b\0c"))
    assert outcome("output.text.contains('b') && output.text.contains('c')", call)[0] is Outcome.COMPLIED


def test_ten_megabytes_are_read_in_linear_time() -> None:
    """A pattern that would make a backtracking engine hang runs over an answer of 10 MB."""
    call = called(Text("a" * 10_000_000))
    assert outcome("!output.text.matches('(a+)+b')", call)[0] is Outcome.COMPLIED


def test_a_conversation_that_was_cut_does_not_comply() -> None:
    """What holds for the newest turns alone is uncertain; what they violate is violated."""
    long = tuple(said("user", Text(f"turn {i}")) for i in range(MAX_ITEMS + 1))
    assert outcome("!history.user.exists(u, u == 'turn 0')", called(Text("ok"), sent=long)) == (
        Outcome.UNCERTAIN,
        "history_cut",
    )
    assert outcome("!history.user.exists(u, u == 'turn 9')", called(Text("ok"), sent=long))[0] is Outcome.VIOLATED


def test_stage_follows_from_what_is_read() -> None:
    """The earliest stage at which all of it is known; an earlier one is refused."""

    def stage(source: str, **more: str) -> Stage:
        return kinds()["condition"].build("clause", {"holds": source, **more}).traits.stage

    assert stage("input.text != ''") is Stage.INPUT
    assert stage("output.text != input.text") is Stage.OUTPUT
    assert stage("tools.size() < 3 && output.text != ''") is Stage.TOOL_CALL
    assert stage("tools.size() < 3", stage="output") is Stage.OUTPUT
    assert refused({"holds": "tools.size() < 3", "stage": "input"}) == (
        "'tools' is not known at the stage 'input'",
        "stage",
    )
    assert refused({"holds": "true", "stage": "stream"})[1] == "stage"


def test_when_says_whether_the_clause_applies() -> None:
    """Where it is false nothing was decided, and an answer without tool calls has none to decide."""
    limited = {"holds": "tools.size() <= 1", "when": "context.user != ''", "reason": "too_many_tools", "name": "one"}
    assert outcome(limited, called(PAY, PAY, user="u-7")) == (Outcome.VIOLATED, "too_many_tools")
    assert outcome(limited, called(PAY, PAY))[0] is Outcome.NOT_APPLICABLE
    assert outcome(limited, called(Text("ok"), user="u-7"))[0] is Outcome.NOT_APPLICABLE


def test_a_policy_blocks_by_a_condition() -> None:
    """In a whole decision the payment is blocked, with the reason, before the tool runs."""
    check = kinds()["condition"].build("pay", {"holds": CONFIRMED, "reason": "not_confirmed"})
    evaluation = Engine(policy(bound("pay", check, action=Action.BLOCK))).open()
    ruling = run_sync(evaluation.output(called(PAY, sent=(ASKED,))))
    decision = evaluation.decide()
    assert (ruling.action, decision.verdict, decision.reason) == (Action.BLOCK, Verdict.VIOLATED, "not_confirmed")
