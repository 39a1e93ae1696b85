"""Pydantic AI: a run, its tools and its model calls in one trace, each once, whether or not it traces itself."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from ended_spans import Spans
from openai_turns import Turn, Turns
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import StatusCode
from pydantic import BaseModel
from pydantic_ai import Agent, InstrumentationSettings
from pydantic_ai.capabilities import Instrumentation
from pydantic_ai.exceptions import UserError
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.models.test import TestModel
from pydantic_ai.providers.openai import OpenAIProvider
from tool_scopes import SEARCH, rules

import specspan
from specspan.decision import Action, Mode
from specspan.engine.engine import Engine
from specspan.instrument.gate import Pipeline, activate
from specspan.record.recorder import Recorder
from specspan.record.settings import Settings
from specspan.testing import recorded

RAN: list[tuple[str, int]] = []
RUN = {"invoke_agent desk": None, "chat gpt-test": "invoke_agent desk", "execute_tool search": "invoke_agent desk"}


@pytest.fixture(autouse=True)
def _instrumented() -> Iterator[None]:
    RAN.clear()
    specspan.instrument("openai", "pydantic_ai")
    yield
    specspan.uninstrument()


def search(query: str, limit: int) -> str:
    """Searches."""
    RAN.append((query, limit))
    return f"{limit} of {query}"


def agent(*turns: Turn, **settings: Any) -> Agent[None, str]:
    client = Turns(*turns).async_client()
    model = OpenAIChatModel("gpt-test", provider=OpenAIProvider(openai_client=client))
    return Agent(model, name="desk", tools=[search], **settings)


def asked(limit: int) -> Turn:
    return {"search": {"query": "shoes", "limit": limit}}


def parents(spans: Spans) -> dict[str, str | None]:
    """The name above each name."""
    names = {span.context.span_id: span.name for span in spans.all if span.context is not None}
    return {span.name: names[span.parent.span_id] if span.parent else None for span in spans.all}


async def test_a_run_is_a_trace(spans: Spans) -> None:
    """Agent, two model calls and a tool, each with one span; nothing is current for whoever asked."""
    result = await agent(asked(3), "three pairs").run("shoes?")
    assert (result.output, RAN) == ("three pairs", [("shoes", 3)])
    assert (parents(spans), len(spans.all)) == (RUN, 4)
    assert spans.attributes("execute_tool search")["gen_ai.tool.call.id"] == "call_search"
    assert trace.get_current_span() is trace.INVALID_SPAN


async def test_a_streamed_run_is_one_too(spans: Spans) -> None:
    """Its span ends with its block."""
    async with agent(asked(3), "three pairs").run_stream("shoes?") as result:
        assert "".join([text async for text in result.stream_text(delta=True)]) == "three pairs"
    assert (parents(spans), len(spans.all)) == (RUN, 4)
    assert spans.ending("invoke_agent desk") == "completed"
    assert trace.get_current_span() is trace.INVALID_SPAN


async def test_steps_of_ones_own_are_one_too(spans: Spans) -> None:
    """Whoever goes through the steps of a run is inside of it until the block is left."""
    async with agent(asked(3), "three pairs").iter("shoes?") as run:
        kinds_seen = [type(node).__name__ async for node in run]
    assert kinds_seen[-1] == "End"
    assert (parents(spans), len(spans.all)) == (RUN, 4)


async def test_a_run_broken_off_is_ended_once(spans: Spans) -> None:
    """What leaves the block is the run's, and reaches the application unchanged."""
    error = LookupError("enough")

    async def read() -> None:
        async with agent("three pairs").run_stream("shoes?") as result:
            async for _ in result.stream_text():
                raise error

    with pytest.raises(LookupError) as raised:
        await read()
    assert raised.value is error
    assert spans.ending("invoke_agent desk") == "LookupError"
    assert spans.names.count("invoke_agent desk") == 1


async def test_a_run_that_cannot_begin_is_ended_once(spans: Spans) -> None:
    """The error is the application's as ever, and the run's."""
    with pytest.raises(UserError):
        await Agent(name="desk").run("shoes?")
    assert (spans.names, spans.ending("invoke_agent desk")) == (["invoke_agent desk"], "UserError")


@pytest.mark.parametrize("whole", [False, True])
async def test_a_run_read_as_events_is_one_however_it_is_left(spans: Spans, whole: bool) -> None:
    """It works in a task of its own, and ends with it; nothing is current for who reads."""
    async with agent(asked(3), "three pairs").run_stream_events("shoes?") as events:
        async for _ in events:
            assert trace.get_current_span() is trace.INVALID_SPAN
            if not whole:
                break
    assert spans.names.count("invoke_agent desk") == 1
    assert (spans.ending("invoke_agent desk") == "completed") is whole


async def test_a_cancelled_run_is_ended_once(spans: Spans) -> None:
    """A run whose task is cancelled says so."""
    reached = asyncio.Event()

    async def never(*_: Any) -> Any:
        reached.set()
        await asyncio.Event().wait()

    task = asyncio.ensure_future(Agent(FunctionModel(never), name="desk").run("shoes?"))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (spans.names, spans.ending("invoke_agent desk")) == (["invoke_agent desk"], "CancelledError")


async def test_a_tool_out_of_scope_does_not_run() -> None:
    """In enforce mode `Blocked` reaches whoever ran the agent, and the tool did not run."""
    with recorded(rules()) as record, specspan.context(scope=SEARCH), pytest.raises(specspan.Blocked) as blocked:
        await agent(asked(30), "never").run("shoes?")
    assert (RAN, blocked.value.decision.reason) == ([], "argument_over_limit")
    assert blocked.value.decision.action is Action.BLOCK
    assert "invoke_agent desk" in {span.name for span in record.spans}


async def test_a_shaped_answer_is_no_tool(spans: Spans) -> None:
    """The tool by which a model gives its answer a shape is not run, so nothing is said of it."""

    class Pairs(BaseModel):
        count: int

    result = await Agent(TestModel(call_tools=[]), name="desk", output_type=Pairs).run("shoes?")
    assert isinstance(result.output, Pairs)
    assert spans.names == ["invoke_agent desk"]


@pytest.mark.parametrize("by", ["agent", "run", "all", "setting"])
async def test_where_it_traces_itself_each_thing_has_one_span(spans: Spans, by: str) -> None:
    """Its spans are the agent's, the tool's and the call's; decisions are on them, and tokens are counted once."""
    settings = InstrumentationSettings(tracer_provider=spans.provider)
    desk = agent(asked(3), "three", capabilities=[Instrumentation(settings)] if by == "agent" else [])
    if by == "setting":
        desk.instrument = settings
    if by == "all":
        Agent.instrument_all(settings)
    try:
        await desk.run("shoes?", capabilities=[Instrumentation(settings)] if by == "run" else None)
    finally:
        Agent.instrument_all(False)
    assert (parents(spans), len(spans.all)) == (RUN, 4)
    scopes = {span.instrumentation_scope.name for span in spans.all if span.instrumentation_scope is not None}
    assert scopes == {"pydantic-ai"}


async def test_what_is_decided_stands_on_the_spans_it_makes(spans: Spans) -> None:
    """A tool that is not let through is so on the span that Pydantic AI made of it."""
    activate(Pipeline(Recorder(Settings(), tracer_provider=spans.provider), Engine(rules(Mode.OBSERVE))))
    settings = InstrumentationSettings(tracer_provider=spans.provider)
    with specspan.context(scope=SEARCH):
        await agent(asked(30), "thirty", capabilities=[Instrumentation(settings)]).run("shoes?")
    assert (parents(spans), len(spans.all), RAN) == (RUN, 4, [("shoes", 30)])
    tool = spans.attributes("execute_tool search")
    assert (tool["specspan.decision.verdict"], tool["specspan.decision.would"]) == ("violated", "block")


async def test_whoever_traces_elsewhere_has_the_whole_of_their_own(spans: Spans) -> None:
    """Where Pydantic AI's spans go to another provider, ours are all there."""
    settings = InstrumentationSettings(tracer_provider=TracerProvider())
    desk = agent(asked(3), "three", capabilities=[Instrumentation(settings)])
    await desk.run("shoes?")
    assert sorted(spans.names) == sorted([*RUN, "chat gpt-test"])


async def test_an_agent_without_a_name_is_called_one(spans: Spans) -> None:
    """As Pydantic AI calls it."""
    async with Agent(TestModel(call_tools=[])).iter("shoes?") as run:
        async for _ in run:
            pass
    assert spans.names == ["invoke_agent agent"]
    assert spans.named("invoke_agent agent").status.status_code is StatusCode.UNSET


def test_methods_are_put_back() -> None:
    """`uninstrument` leaves the very function."""
    wrapped = vars(Agent)["iter"]
    specspan.uninstrument()
    assert vars(Agent)["iter"] is wrapped.__wrapped__
