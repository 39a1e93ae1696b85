"""LlamaIndex: a run of an agent or a workflow has one span, its tools are decided before they run.

The package has an environment of its own: ``make environments ENVIRONMENTS=llama_index``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from ended_spans import Spans
from opentelemetry import trace
from tool_scopes import SEARCH, rules

import specspan
from specspan.testing import recorded

pytest.importorskip("llama_index.core", reason="make environments ENVIRONMENTS=llama_index")

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, ToolCallBlock
from llama_index.core.llms.mock import MockFunctionCallingLLM
from llama_index.core.tools import FunctionTool
from llama_index.core.workflow import StartEvent, StopEvent, Workflow, step
from workflows.errors import WorkflowCancelledByUser

pytestmark = pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecationWarning")  # the package's own

RAN: list[tuple[str, int]] = []


@pytest.fixture(autouse=True)
def _instrumented() -> Iterator[None]:
    RAN.clear()
    specspan.instrument("llama_index")
    yield
    specspan.uninstrument()


def search(query: str, limit: int = 5) -> str:
    """Searches."""
    RAN.append((query, limit))
    return f"{limit} of {query}"


TOOL = FunctionTool.from_defaults(search)


def agent(limit: int) -> Any:
    """An agent that searches once, and then says what it was told."""

    def answer(messages: Sequence[ChatMessage], **_: Any) -> Any:
        last = messages[-1]
        if last.role == "tool":
            return ChatMessage(role="assistant", content=f"told: {last.content}")
        asked = {"query": "shoes", "limit": limit}
        block = ToolCallBlock(tool_call_id="c-1", tool_name="search", tool_kwargs=asked)
        return ChatMessage(role="assistant", blocks=[block])

    llm = MockFunctionCallingLLM(response_generator=answer, is_chat_model=True)
    return FunctionAgent(name="desk", description="Sells shoes.", tools=[TOOL], llm=llm, streaming=False)


class Counting(Workflow):  # type: ignore[misc]  # its package is not where types are checked
    """Counts, inside its span."""

    @step  # type: ignore[untyped-decorator]  # as above
    async def count(self, event: StartEvent) -> StopEvent:
        assert getattr(trace.get_current_span(), "name", None) == "invoke_workflow counting"
        if event.get("fails", default=False):
            raise LookupError("no more numbers")
        if event.get("stands", default=False):
            await asyncio.Event().wait()
        return StopEvent(result=3)


def counting() -> Any:
    return Counting(workflow_name="counting")


async def test_an_agent_is_one_span_and_its_tools_stand_below_it(spans: Spans) -> None:
    """Under its name, with nothing current for whoever asked."""
    handler = agent(3).run("shoes?")
    assert trace.get_current_span() is trace.INVALID_SPAN
    assert str(await handler) == "told: 3 of shoes"
    assert spans.parent_of("execute_tool search") == "invoke_agent desk"
    assert spans.names == ["execute_tool search", "invoke_agent desk"]
    assert spans.attributes("invoke_agent desk")["gen_ai.agent.description"] == "Sells shoes."
    assert spans.ending("invoke_agent desk") == "completed"


async def test_a_tool_out_of_scope_does_not_run() -> None:
    """In enforce mode the model is told that it failed, as of any tool that raises; it did not run."""
    with recorded(rules()) as record, specspan.context(scope=SEARCH):
        answer = str(await agent(30).run("shoes?"))
    assert (RAN, answer.startswith("told: ")) == ([], True)
    of = {span.name: span.attributes or {} for span in record.spans}
    assert of["execute_tool search"]["specspan.decision.reason"] == "argument_over_limit"
    assert of["execute_tool search"]["specspan.decision.action"] == "block"


@pytest.mark.parametrize("is_async", [False, True])
async def test_a_tool_that_the_application_calls_is_decided_too(is_async: bool) -> None:
    """By the names of its parameters, defaults included; out of scope `Blocked` is raised."""
    with recorded(rules()) as record, specspan.context(scope=SEARCH):
        answer = await TOOL.acall("shoes") if is_async else TOOL.call("shoes")
        with pytest.raises(specspan.Blocked):
            await TOOL.acall(query="shoes", limit=30) if is_async else TOOL.call(query="shoes", limit=30)
    assert (answer.content, RAN) == ("5 of shoes", [("shoes", 5)])
    assert [span.name for span in record.spans] == ["execute_tool search"] * 2


async def test_a_workflow_is_one_span(spans: Spans) -> None:
    """Read as events or awaited, it ends with the run."""
    handler = counting().run()
    async for _ in handler.stream_events():
        assert trace.get_current_span() is trace.INVALID_SPAN
    assert await handler == 3
    assert (spans.names, spans.ending("invoke_workflow counting")) == (["invoke_workflow counting"], "completed")


async def test_a_workflow_that_nobody_reads_is_ended(spans: Spans) -> None:
    """It goes on by itself, and its span with it."""
    task = counting().run()._result_task
    await asyncio.wait([task])
    assert spans.ending("invoke_workflow counting") == "completed"


async def test_a_workflow_that_fails_says_so(spans: Spans) -> None:
    """The error reaches whoever waits, and is the workflow's."""
    with pytest.raises(LookupError, match="no more numbers"):
        await counting().run(fails=True)
    assert spans.ending("invoke_workflow counting") == "LookupError"


async def test_a_workflow_that_is_cancelled_says_so(spans: Spans) -> None:
    """It is ended once."""
    handler = counting().run(stands=True)
    await asyncio.sleep(0)
    await handler.cancel_run()
    with pytest.raises(WorkflowCancelledByUser):
        await handler
    assert spans.ending("invoke_workflow counting") == "WorkflowCancelledByUser"


def test_methods_are_put_back() -> None:
    """`uninstrument` leaves the very functions."""
    wrapped = [vars(Workflow)["run"], vars(FunctionTool)["call"]]
    specspan.uninstrument()
    assert [vars(Workflow)["run"], vars(FunctionTool)["call"]] == [each.__wrapped__ for each in wrapped]
