"""LangGraph's graphs and LangChain's agents: one span a run, in every way it is read, and tools decided in it."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import types
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from ended_spans import Spans
from langchain.agents import create_agent
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.tools import tool
from langgraph.graph import END, START, StateGraph
from langgraph.pregel.main import Pregel
from opentelemetry import trace
from tool_scopes import SEARCH, rules
from typing_extensions import TypedDict

import specspan
from specspan.testing import recorded

RAN: list[int] = []


@pytest.fixture(autouse=True)
def _instrumented() -> Iterator[None]:
    RAN.clear()
    specspan.instrument("langchain", "langgraph")
    yield
    specspan.uninstrument()


class Scripted(GenericFakeChatModel):
    """A model that says one message after the other, and takes any tools."""

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> Scripted:
        return self


@tool
def search(limit: int) -> str:
    """Searches."""
    RAN.append(limit)
    return f"{limit} pairs"


def desk(limit: int) -> Any:
    """An agent that searches, and says so."""
    asked = AIMessage("", tool_calls=[{"name": "search", "args": {"limit": limit}, "id": "c-1", "type": "tool_call"}])
    turns: Iterator[AIMessage | str] = iter((asked, "found"))
    return create_agent(Scripted(messages=turns), tools=[search], name="desk")


ASKED: Any = {"messages": [{"role": "user", "content": "shoes?"}]}


class State(TypedDict):
    n: int


def counting(steps: int = 3, fails: bool = False) -> Any:
    """A graph that counts, one step a node, in each of which its span is current."""

    def step(state: State) -> State:
        assert getattr(trace.get_current_span(), "name", None) == "invoke_workflow counting"
        if fails:
            raise LookupError("no more numbers")
        return {"n": state["n"] + 1}

    graph = StateGraph(State)
    names = [f"step-{i}" for i in range(steps)]
    for name in names:
        graph.add_node(name, step)
    for before, after in zip([START, *names], [*names, END], strict=True):
        graph.add_edge(before, after)
    return graph.compile(name="counting")


async def invoked(graph: Any, given: Any, *, is_async: bool) -> Any:
    return await graph.ainvoke(given) if is_async else graph.invoke(given)


@pytest.mark.parametrize("is_async", [False, True])
async def test_an_agent_is_one_span_and_its_tools_stand_below_it(spans: Spans, is_async: bool) -> None:
    """What `create_agent` makes is an agent, under the name it was given."""
    answer = await invoked(desk(3), ASKED, is_async=is_async)
    assert answer["messages"][-1].content == "found"
    assert spans.names == ["execute_tool search", "invoke_agent desk"]
    assert spans.parent_of("execute_tool search") == "invoke_agent desk"
    assert spans.attributes("invoke_agent desk")["gen_ai.agent.name"] == "desk"


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_tool_out_of_scope_ends_the_run(is_async: bool) -> None:
    """In enforce mode `Blocked` reaches whoever invoked the agent, and the tool did not run."""
    with recorded(rules()) as record, specspan.context(scope=SEARCH), pytest.raises(specspan.Blocked) as blocked:
        await invoked(desk(30), ASKED, is_async=is_async)
    assert (RAN, blocked.value.decision.reason) == ([], "argument_over_limit")
    of = {span.name: span.attributes or {} for span in record.spans}
    assert of["execute_tool search"]["specspan.decision.action"] == "block"
    assert set(of) == {"execute_tool search", "invoke_agent desk"}


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_graph_is_a_workflow(spans: Spans, is_async: bool) -> None:
    """A graph of one's own has the span of a workflow, with its name, ended once."""
    assert await invoked(counting(), {"n": 0}, is_async=is_async) == {"n": 3}
    assert spans.names == ["invoke_workflow counting"]
    assert spans.attributes("invoke_workflow counting")["gen_ai.workflow.name"] == "counting"


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_graph_in_a_graph_stands_below_it(spans: Spans, is_async: bool) -> None:
    """A graph that is another's node is a workflow of its own."""
    outer = StateGraph(State)
    outer.add_node("inner", counting())
    outer.add_edge(START, "inner")
    assert await invoked(outer.compile(name="outer"), {"n": 0}, is_async=is_async) == {"n": 3}
    assert spans.parent_of("invoke_workflow counting") == "invoke_workflow outer"


@pytest.mark.parametrize("is_async", [False, True])
async def test_what_a_node_raises_is_the_graphs(spans: Spans, is_async: bool) -> None:
    """It reaches the application unchanged."""
    with pytest.raises(LookupError, match="no more numbers"):
        await invoked(counting(fails=True), {"n": 0}, is_async=is_async)
    assert spans.ending("invoke_workflow counting") == "LookupError"


@pytest.mark.parametrize("kind", ["read", "broken off", "closed", "failing"])
def test_however_a_stream_is_left_its_span_ends_once(spans: Spans, kind: str) -> None:
    """It is current in no step of the consumer's, and ended when the consumer is done with it."""
    stream = counting().stream({"n": 0})
    with contextlib.suppress(LookupError), contextlib.closing(stream):
        for _ in stream:
            assert trace.get_current_span() is trace.INVALID_SPAN
            if kind == "broken off":
                break
            if kind == "closed":
                stream.close()
            if kind == "failing":
                raise LookupError
    del stream
    assert spans.ending("invoke_workflow counting") == ("completed" if kind == "read" else "closed")


@pytest.mark.parametrize("kind", ["read", "closed", "cancelled", "let go"])
async def test_however_an_async_stream_is_left_its_span_ends_once(spans: Spans, kind: str) -> None:
    """The same, awaited."""
    reached = asyncio.Event()

    async def read() -> None:
        stream = counting().astream({"n": 0})
        async for _ in stream:
            assert trace.get_current_span() is trace.INVALID_SPAN
            if kind == "closed":
                await stream.aclose()
            if kind == "cancelled":
                reached.set()
                await asyncio.Event().wait()
            if kind == "let go":
                break

    task = asyncio.ensure_future(read())
    if kind == "cancelled":
        await reached.wait()
        task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    del task  # its exception holds the frames it passed
    gc.collect()
    for _ in range(3):  # the loop closes what was let go of in a task, and that lets go of what is inside
        await asyncio.sleep(0)
        await asyncio.gather(*(asyncio.all_tasks() - {asyncio.current_task()}), return_exceptions=True)
    expected = {"read": {"completed"}, "closed": {"closed"}}.get(kind, {"abandoned", "closed", "CancelledError"})
    assert spans.ending("invoke_workflow counting") in expected
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_it_is_what_it_was(spans: Spans) -> None:
    """A stream is a generator as ever, what it gives is the same, and nothing is left behind by `uninstrument`."""
    stream = counting().stream({"n": 0}, stream_mode="updates")
    assert type(stream).__name__ == "generator"
    assert list(stream) == [{f"step-{i}": {"n": i + 1}} for i in range(3)]
    replaced = vars(Pregel)["stream"], vars(Pregel)["astream"]
    specspan.uninstrument()
    originals = vars(Pregel)["stream"], vars(Pregel)["astream"]
    assert [type(each) for each in originals] == [types.FunctionType] * 2
    assert not any(each is original for each, original in zip(replaced, originals, strict=True))
    specspan.instrument("langgraph")
    specspan.uninstrument()
    assert (vars(Pregel)["stream"], vars(Pregel)["astream"]) == originals
