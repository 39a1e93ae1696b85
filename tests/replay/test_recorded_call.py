"""A recorded call is read back as it was, and says what is missing of it."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specspan.bridges.dialect import RecordedSpan
from specspan.call import (
    CallContext,
    Media,
    Message,
    ModelCall,
    Part,
    Reasoning,
    Refusal,
    Request,
    Response,
    Text,
    ToolCall,
    ToolCallResponse,
    Unknown,
)
from specspan.record.attributes import at_start
from specspan.record.content import content_attributes
from specspan.replay.recorded_call import read_recorded_call
from specspan.scope.narrowing import Budget, Standing, Trust
from specspan.scope.scope import ArgumentLimit, Cost, ScopeOfAutonomy

TIME_NS = 1_790_000_000_000_000_000
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
arguments = values.filter(lambda value: value is not None)
parts: st.SearchStrategy[Part] = st.one_of(
    st.builds(Text, texts),
    st.builds(Refusal, texts),
    st.builds(Reasoning, texts),
    st.just(Reasoning("", is_encrypted=True)),
    st.builds(ToolCall, texts, arguments, st.none() | texts),
    st.builds(ToolCallResponse, arguments, st.none() | texts),
    st.builds(Media, st.sampled_from(["image", "audio"]), st.none() | texts, st.none() | texts),
    st.builds(Unknown, st.sampled_from(["x-ray", "body"])),
)
messages = st.lists(
    st.builds(Message, st.sampled_from(["user", "tool", "assistant"]), st.lists(parts, max_size=3).map(tuple)),
    max_size=3,
).map(tuple)
words = st.text("abc-", min_size=1, max_size=5)
calls = st.builds(
    ModelCall,
    st.builds(
        Request,
        st.just("openai"),
        st.just("chat"),
        st.none() | words,
        st.dictionaries(st.sampled_from(["temperature", "top_p"]), st.floats(0, 1), max_size=2),
        messages.filter(bool),
        st.lists(st.builds(Text, texts), max_size=1).map(tuple),
        conversation=st.none() | words,
        repeated=st.lists(words, max_size=1).map(tuple),
        is_seen=st.booleans(),
        streaming=st.booleans(),
    ),
    st.builds(
        Response,
        st.none() | words,
        st.none() | words,
        messages,
        unlisted=st.lists(st.lists(texts, min_size=1, max_size=2).map(tuple), max_size=2).map(tuple),
    ),
    st.builds(
        CallContext, st.none() | words, st.none() | words, attributes=st.dictionaries(words, words | st.booleans())
    ),
)


def recorded(call: ModelCall, **more: Any) -> Any:
    """Return a call read back from the attributes of its span."""
    attributes = at_start(call.request, call.context) | content_attributes(call) | more.pop("attributes", {})
    if call.response is not None:
        attributes |= {
            f"gen_ai.response.{k}": v for k in ("id", "model") if (v := getattr(call.response, k)) is not None
        }
    decision = {
        "id": "d-1",
        "time_unix_nano": TIME_NS,
        "call": {"provider": "openai", "operation": "chat", "model": call.request.model},
        **more,
    }
    return read_recorded_call(decision, RecordedSpan(attributes))


@given(calls)
def test_a_call_is_read_back_as_it_was(call: ModelCall) -> None:
    """Every part, fact and text that a check can read is there again."""
    back = recorded(call)
    assert back.missing is None
    assert back.call == call


def test_the_scope_holds_as_it_did() -> None:
    """Bounds, origin and an empty budget are there; a deadline that was not over then is not over now."""
    scope = ScopeOfAutonomy(
        ("search",), {"search": {"q": ArgumentLimit(max=5)}}, datetime(2026, 10, 1, tzinfo=timezone.utc)
    )
    spent = Budget(Cost(Decimal(1), "EUR"))
    spent.spend(Cost(Decimal(1), "EUR"))
    standing = Standing(Trust.VERIFIED, budgets=(spent,))
    context = CallContext(scope=scope, standing=standing)
    call = ModelCall(Request("openai", input=(Message("user", (Text("hi"),)),)), Response(), context)
    back = recorded(call).call.context
    assert (back.scope.allowed_tools, back.scope.limits, back.scope.deadline) == (("search",), scope.limits, None)
    assert back.standing.trust is Trust.VERIFIED
    assert [budget.remaining.amount for budget in back.standing.budgets] == [0]
    over = recorded(call, time_unix_nano=1_795_000_000_000_000_000).call.context.scope
    assert over.deadline == scope.deadline


@pytest.mark.parametrize(
    ("attributes", "more", "missing"),
    [
        ({"specspan.content.truncated": True}, {}, "content_truncated"),
        ({}, {"redacted": ["/output/0/parts/0"]}, "content_redacted"),
        ({}, {"stream": {"released_chars": 5}}, "content_redacted"),
        ({"gen_ai.output.messages": "[{"}, {}, "content_not_understood"),
        ({"gen_ai.output.messages": '[{"role": "assistant"}]'}, {}, "content_not_understood"),
        ({"specspan.call.facts": '[{"scope": {"later": 1}}]'}, {}, "content_not_understood"),
    ],
)
def test_what_is_missing_is_said(attributes: dict[str, Any], more: dict[str, Any], missing: str) -> None:
    """Content that was cut, redacted or is damaged is not taken for all of it."""
    call = ModelCall(
        Request("openai", input=(Message("user", (Text("hi"),)),)),
        Response(output=(Message("assistant", (Text("Hello."),)),)),
    )
    back = recorded(call, attributes=attributes, **more)
    assert back.missing == missing
    assert back.call.gaps.input == missing
