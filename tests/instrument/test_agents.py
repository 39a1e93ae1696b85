"""`agent` and `workflow`: spans that model calls and tools' runs stand below."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from ended_spans import Spans
from opentelemetry import trace
from opentelemetry.context import attach, detach, set_value
from opentelemetry.trace import SpanKind, StatusCode

import specspan
from specspan.testing import recorded


@specspan.observe(model="parrot")
def parrot(text: str) -> str:
    return text


def test_calls_stand_below_the_agent_that_makes_them() -> None:
    """Workflow, agent, and below that the model call and the tool's run, named and marked as the conventions say."""
    with recorded() as record, specspan.context(conversation="c-9"), specspan.workflow("support"):
        with specspan.agent("desk", id="a-7", description="answers", version="2"):
            parrot("hello")
            with specspan.tool_call("search"):
                pass
    of = {span.name: span for span in record.spans}
    desk = of["invoke_agent desk"]
    assert set(of) == {"invoke_workflow support", "invoke_agent desk", "chat parrot", "execute_tool search"}
    for below, above in (
        ("chat parrot", desk),
        ("execute_tool search", desk),
        (desk.name, of["invoke_workflow support"]),
    ):
        parent = of[below].parent
        assert parent is not None
        assert parent.span_id == above.context.span_id
    assert desk.kind is SpanKind.INTERNAL
    assert dict(desk.attributes or {}) == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "desk",
        "gen_ai.agent.id": "a-7",
        "gen_ai.agent.description": "answers",
        "gen_ai.agent.version": "2",
        "gen_ai.conversation.id": "c-9",
    }
    flow = of["invoke_workflow support"].attributes or {}
    assert (flow["gen_ai.operation.name"], flow["gen_ai.workflow.name"]) == ("invoke_workflow", "support")


async def test_every_kind_of_function_is_one(spans: Spans) -> None:
    """A decorated function, coroutine function or generator has one span a call, current in its body alone."""

    @specspan.agent("plain")
    def plain() -> str:
        return name()

    @specspan.agent("awaited")
    async def awaited() -> str:
        async with specspan.agent("inner"):
            return name()

    @specspan.workflow("yielding")
    def yielding() -> Iterator[str]:
        yield name()

    def name() -> str:
        return str(getattr(trace.get_current_span(), "name", None))

    assert [plain(), await awaited(), *yielding()] == [
        "invoke_agent plain",
        "invoke_agent inner",
        "invoke_workflow yielding",
    ]
    assert name() == "None"
    assert sorted(span.name for span in spans.all) == [
        "invoke_agent awaited",
        "invoke_agent inner",
        "invoke_agent plain",
        "invoke_workflow yielding",
    ]


def test_an_error_is_the_agents(spans: Spans) -> None:
    """What leaves the block is on its span, and reaches the application unchanged."""
    error = LookupError("no such order")
    with pytest.raises(LookupError) as raised:
        with specspan.agent("desk"):
            raise error
    assert raised.value is error
    (span,) = spans.all
    assert (span.status.status_code, (span.attributes or {})["error.type"]) == (StatusCode.ERROR, "LookupError")


def test_without_a_configuration_nothing_happens() -> None:
    """A library may use it: until `configure`, there is no span to make current."""
    with specspan.agent("desk"):
        assert trace.get_current_span() is trace.INVALID_SPAN


def test_suppressed_instrumentation_is_respected(spans: Spans) -> None:
    """Where OpenTelemetry's instrumentation is suppressed, an agent has no span."""
    token = attach(set_value("suppress_instrumentation", True))
    try:
        with specspan.agent("desk"):
            pass
    finally:
        detach(token)
    assert spans.all == ()
