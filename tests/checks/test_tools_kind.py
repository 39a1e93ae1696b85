"""`tools`: which tools may be called, and with what arguments."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from specspan.call import CallContext, Message, ModelCall, Request, Response, Text, ToolCall
from specspan.checks.check import CheckConfigError, as_finding
from specspan.checks.registry import kinds
from specspan.checks.texts import texts
from specspan.decision import CheckMechanism, CheckRef, Evidence, Finding, Outcome, Stage
from specspan.scope.scope import ScopeOfAutonomy

REFUND = {
    "allow": ["search_orders", "issue_refund"],
    "limits": {
        "issue_refund": {
            "amount": {"max": 50, "min": 0.01},
            "currency": {"one_of": ["EUR", "USD"], "optional": True},
            "order": {"pattern": r"ORD-\d+", "optional": True},
        }
    },
}


def decided(configuration: object, *tools: ToolCall, allowed: tuple[str, ...] | None = None) -> Finding:
    """What the check says of an answer with these tool calls."""
    answer = Message("assistant", (Text("One moment."), *tools))
    scope = None if allowed is None else ScopeOfAutonomy(allowed)
    call = ModelCall(Request("openai"), Response(output=(answer,)), CallContext(scope=scope))
    check = kinds()["tools"].build("scope_of_autonomy", configuration)
    read = [text for text in texts(call, check.traits.stage) if check.traits.reads(text.role)]
    return as_finding(check.decide(call, read))


def refund(**arguments: Any) -> ToolCall:
    return ToolCall("issue_refund", arguments)


def test_a_check_says_what_it_is() -> None:
    """It looks at tool calls, without a prefilter, on the caller's thread."""
    check = kinds()["tools"].build("scope", {"version": "2"})
    assert (check.ref, check.traits.stage, check.traits.prefilter, check.traits.timeout_s) == (
        CheckRef("tools", CheckMechanism.CODE, "2"),
        Stage.TOOL_CALL,
        (),
        None,
    )


def test_an_answer_without_tool_calls_is_not_concerned() -> None:
    """Text alone is outside any scope of autonomy."""
    assert decided(REFUND).outcome is Outcome.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("tool", "reason"),
    [
        (ToolCall("search_orders"), None),
        (ToolCall("search_orders", '{"broken'), None),
        (ToolCall("delete_order"), "tool_not_allowed"),
        (ToolCall("Issue_Refund", {"amount": 1}), "tool_not_allowed"),
        (refund(amount=50), None),
        (refund(amount=50.0, currency="EUR", order="ORD-7"), None),
        (refund(amount=50.01), "argument_over_limit"),
        (refund(amount=10**400), "argument_over_limit"),
        (refund(amount=-5), "argument_under_limit"),
        (refund(amount="10"), "argument_wrong_type"),
        (refund(amount=True), "argument_wrong_type"),
        (refund(amount=None), "argument_wrong_type"),
        (refund(amount=[10]), "argument_wrong_type"),
        (refund(amount={"value": 10}), "argument_wrong_type"),
        (refund(amount=float("nan")), "argument_wrong_type"),
        (refund(amount=float("inf")), "argument_wrong_type"),
        (refund(amount=float("-inf")), "argument_wrong_type"),
        (refund(), "argument_missing"),
        (refund(Amount=10), "argument_missing"),
        (refund(amount=1, currency="GBP"), "argument_not_listed"),
        (refund(amount=1, currency=["EUR"]), "argument_wrong_type"),
        (refund(amount=1, currency=None), "argument_wrong_type"),
        (refund(amount=1, order="ORD-7; DROP"), "argument_does_not_match"),
        (refund(amount=1, order="ORD-7\n"), "argument_does_not_match"),
        (refund(amount=1, order=7), "argument_wrong_type"),
        (ToolCall("issue_refund", '{"amount": 10'), "arguments_not_an_object"),
        (ToolCall("issue_refund", [10]), "arguments_not_an_object"),
        (ToolCall("issue_refund", None), "arguments_not_an_object"),
    ],
    ids=str,
)
def test_scope_and_limits(tool: ToolCall, reason: str | None) -> None:
    """What cannot be shown to be within the limits is a violation, never let through."""
    found = decided(REFUND, tool)
    assert (found.outcome, found.reason) == (Outcome.COMPLIED if reason is None else Outcome.VIOLATED, reason)


@pytest.mark.parametrize(
    ("listed", "value", "ok"), [(1, 1.0, True), (1, True, False), (True, 1, False), ("1", 1, False)]
)
def test_listed_values_are_those_json_calls_the_same(listed: Any, value: Any, ok: bool) -> None:
    """1 is 1.0, but neither true nor "1"."""
    limits = {"limits": {"t": {"x": {"one_of": [listed]}}}}
    assert (decided(limits, ToolCall("t", {"x": value})).outcome is Outcome.COMPLIED) is ok


def test_denied_tools_may_not_be_called() -> None:
    """With only a deny list, every other tool may."""
    assert decided({"deny": ["shell"]}, ToolCall("shell")).reason == "tool_not_allowed"
    assert decided({"deny": ["shell"]}, ToolCall("search")).outcome is Outcome.COMPLIED


@pytest.mark.parametrize(
    ("allowed", "reason"),
    [(("search",), None), ((), "tool_out_of_scope"), (("other",), "tool_out_of_scope"), (None, None)],
)
def test_the_scope_of_the_call_is_honoured(allowed: tuple[str, ...] | None, reason: str | None) -> None:
    """`specspan.context(scope=...)` narrows what the policy allows, down to nothing."""
    for configuration in ({}, None, {"allow": ["search"]}):
        assert decided(configuration, ToolCall("search"), allowed=allowed).reason == reason


def test_the_scope_of_the_call_widens_nothing() -> None:
    """What the policy does not allow stays not allowed."""
    assert decided(REFUND, ToolCall("shell"), allowed=("shell",)).reason == "tool_not_allowed"


def test_every_call_that_breaks_the_scope_is_pointed_at() -> None:
    """The first gives the reason; the evidence is the whole of each call's arguments."""
    found = decided(REFUND, ToolCall("shell", {"a": 1}), refund(amount=1), refund(amount=99))
    assert found == Finding(
        Outcome.VIOLATED,
        "tool_not_allowed",
        evidence=(
            Evidence("/output/0/parts/1", 0, len(json.dumps({"a": 1}))),
            Evidence("/output/0/parts/3", 0, len(json.dumps({"amount": 99}))),
        ),
    )


@pytest.mark.parametrize(
    ("configuration", "key", "problem"),
    [
        ({"allow": ["a"], "deny": ["a"]}, "deny", "both allowed and denied"),
        ({"allow": ["issue_refund"], "limits": {"isue_refund": {}}}, "limits.isue_refund", "may not be called"),
        ({"deny": ["a"], "limits": {"a": {}}}, "limits.a", "may not be called"),
        ({"limits": {"a": {"x": {}}}}, "limits.a.x", "without anything"),
        ({"limits": {"a": {"x": {"min": 2, "max": 1}}}}, "limits.a.x", "min 2 is over max 1"),
        ({"limits": {"a": {"x": {"pattern": "(?=a)"}}}}, "limits.a.x.pattern", "linear time"),
    ],
)
def test_contradictions_are_refused(configuration: object, key: str, problem: str) -> None:
    """A policy that cannot mean what it says is refused, at the key that is wrong."""
    with pytest.raises(CheckConfigError) as refusal:
        kinds()["tools"].build("scope", configuration)
    assert (refusal.value.key, problem in refusal.value.message) == (key, True)
    assert refusal.value.remedy


def test_a_misspelt_tool_is_answered_with_the_nearest() -> None:
    """The remedy names the tool that was probably meant."""
    with pytest.raises(CheckConfigError) as refusal:
        kinds()["tools"].build("scope", {"allow": ["issue_refund"], "limits": {"isue_refund": {}}})
    assert "'issue_refund'" in refusal.value.remedy


@pytest.mark.parametrize(
    "configuration",
    [
        {"allowed": []},
        {"allow": "search"},
        {"limits": {"a": {"x": {"max": "50"}}}},
        {"limits": {"a": {"x": {"max": True}}}},
        {"limits": {"a": {"x": {"max": float("nan")}}}},
        {"limits": {"a": {"x": {"maximum": 5}}}},
        "search",
    ],
)
def test_other_configurations_are_refused(configuration: object) -> None:
    """Unknown keys and values of another type are refused, not guessed at."""
    with pytest.raises(ValidationError):
        kinds()["tools"].build("scope", configuration)
