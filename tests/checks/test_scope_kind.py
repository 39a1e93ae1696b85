"""`scope`: whether tool calls are within the scope of autonomy in force."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError

from specspan.call import CallContext, Message, ModelCall, Request, Response, Text, ToolCall
from specspan.checks.check import as_finding
from specspan.checks.registry import kinds
from specspan.checks.texts import texts
from specspan.decision import CheckMechanism, CheckRef, Finding, Outcome, Stage
from specspan.scope.narrowing import Budget, Standing, Trust
from specspan.scope.scope import ArgumentLimit, Cost, ScopeOfAutonomy

LOCAL = Standing(Trust.LOCAL)
NOW = datetime.now(timezone.utc)
REFUND = ToolCall("issue_refund", {"amount": 20})
REFUNDS = ScopeOfAutonomy(("issue_refund",), {"issue_refund": {"amount": ArgumentLimit(max=50)}})
FIVE_EURO = Cost(Decimal(5), "EUR")


def limiting(argument: str, limit: ArgumentLimit) -> ScopeOfAutonomy:
    return ScopeOfAutonomy(limits={"issue_refund": {argument: limit}})


def decided(
    scope: ScopeOfAutonomy | None,
    *tools: ToolCall,
    standing: Standing | None = LOCAL,
    kind: str = "scope",
    configuration: Any = None,
) -> Finding:
    """What the check says of an answer with these tool calls."""
    answer = Message("assistant", (Text("One moment."), *tools))
    call = ModelCall(Request("openai"), Response(output=(answer,)), CallContext(scope=scope, standing=standing))
    check = kinds()[kind].build("scope_of_autonomy", configuration)
    read = [text for text in texts(call, check.traits.stage) if check.traits.reads(text.role)]
    return as_finding(check.decide(call, read))


def test_a_check_says_what_it_is() -> None:
    """It looks at tool calls, without a prefilter, on the caller's thread."""
    check = kinds()["scope"].build("scope_of_autonomy", {"version": "2"})
    expected = (CheckRef("scope", CheckMechanism.CODE, "2"), Stage.TOOL_CALL, (), None)
    assert (check.ref, check.traits.stage, check.traits.prefilter, check.traits.timeout_s) == expected


def test_a_policy_says_no_more_than_it_knows() -> None:
    """An unknown key, or a word for true, is refused."""
    for configuration in ({"required": True}, {"require": "yes"}):
        with pytest.raises(ValidationError):
            kinds()["scope"].build("scope_of_autonomy", configuration)


@pytest.mark.parametrize("kind", ["scope", "tools"])
@pytest.mark.parametrize(
    ("scope", "tool", "reason"),
    [
        (ScopeOfAutonomy(), REFUND, None),
        (REFUNDS, REFUND, None),
        (REFUNDS, ToolCall("delete_account", {}), "tool_out_of_scope"),
        (ScopeOfAutonomy(()), REFUND, "tool_out_of_scope"),
        (REFUNDS, ToolCall("issue_refund", {"amount": 51}), "argument_over_limit"),
        (REFUNDS, ToolCall("issue_refund", {}), "argument_missing"),
        (REFUNDS, ToolCall("issue_refund", "no object"), "arguments_not_an_object"),
        (limiting("amount", ArgumentLimit(forbidden=True)), REFUND, "argument_forbidden"),
        (limiting("note", ArgumentLimit(forbidden=True)), REFUND, None),
        (limiting("amount", ArgumentLimit(patterns=("x",))), REFUND, "argument_wrong_type"),
        (
            limiting("x", ArgumentLimit(patterns=("(?=a)a",))),
            ToolCall("issue_refund", {"x": "a"}),
            "argument_does_not_match",
        ),
        (ScopeOfAutonomy(deadline=NOW + timedelta(days=1)), REFUND, None),
        (ScopeOfAutonomy(deadline=NOW), REFUND, "deadline_passed"),
    ],
)
def test_what_the_scope_allows(scope: ScopeOfAutonomy, tool: ToolCall, reason: str | None, kind: str) -> None:
    """Each bound is kept, whichever of the two kinds is bound to the clause."""
    found = decided(scope, tool, kind=kind)
    assert (found.outcome, found.reason) == (Outcome.COMPLIED if reason is None else Outcome.VIOLATED, reason)


def test_without_a_scope_there_is_nothing_to_keep_to() -> None:
    """The clause does not apply, nor to an answer without tool calls."""
    assert decided(None, REFUND, standing=None).outcome is Outcome.NOT_APPLICABLE
    assert decided(REFUNDS).outcome is Outcome.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("standing", "reason"),
    [
        (None, "scope_missing"),
        (Standing(Trust.LOCAL), None),
        (Standing(Trust.VERIFIED), None),
        (Standing(Trust.EXPIRED), "scope_expired"),
        (Standing(Trust.UNTRUSTED), "scope_untrusted"),
    ],
)
def test_a_required_scope_must_be_trusted(standing: Standing | None, reason: str | None) -> None:
    """With `require`, no tool is called under a scope that anybody could have written."""
    found = decided(None if standing is None else REFUNDS, REFUND, standing=standing, configuration={"require": True})
    assert found.reason == reason
    assert decided(REFUNDS, standing=standing, configuration={"require": True}).outcome is Outcome.NOT_APPLICABLE


def test_an_untrusted_scope_still_narrows() -> None:
    """Without `require`, what arrived unsigned is kept to; one that cannot be read leaves nothing to keep to."""
    untrusted = Standing(Trust.UNTRUSTED)
    assert decided(ScopeOfAutonomy(()), REFUND, standing=untrusted).reason == "tool_out_of_scope"
    assert decided(None, REFUND, standing=untrusted).outcome is Outcome.COMPLIED


@pytest.mark.parametrize(
    ("spent", "reason"),
    [
        (Cost(Decimal("4.99"), "EUR"), None),
        (Cost(Decimal(5), "EUR"), "cost_limit_reached"),
        (Cost(Decimal(0), "USD"), None),
        (Cost(Decimal("0.01"), "USD"), "cost_limit_reached"),
        (None, "cost_limit_reached"),
    ],
)
def test_what_was_spent_counts(spent: Cost | None, reason: str | None) -> None:
    """Once the limit is reached no tool may be called; what cannot be compared with it may be over it."""
    budget = Budget(FIVE_EURO)
    budget.spend(spent)
    standing = Standing(Trust.LOCAL, None, (Budget(FIVE_EURO), budget))
    assert decided(ScopeOfAutonomy(cost_limit=FIVE_EURO), REFUND, standing=standing).reason == reason


def test_every_call_out_of_scope_is_pointed_at() -> None:
    """The first gives the reason, each is evidence."""
    found = decided(REFUNDS, REFUND, ToolCall("a", {}), ToolCall("issue_refund", {}))
    assert found.reason == "tool_out_of_scope"
    assert [each.pointer for each in found.evidence] == ["/output/0/parts/2", "/output/0/parts/3"]
