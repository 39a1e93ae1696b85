"""OpenAI's Agents SDK: a run, its agents, its tools and its model calls, in one trace and each once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError
from typing import Any

import pytest
from agents import Agent, RunConfig, Runner, ShellTool, function_tool, set_tracing_disabled
from agents.exceptions import UserError
from agents.models.openai_chatcompletions import OpenAIChatCompletionsModel
from agents.testing import ScriptedModel, assistant_message, function_call
from ended_spans import Spans
from openai.types.responses import ResponseFunctionShellToolCall
from openai_turns import Turn, Turns
from opentelemetry import trace
from pydantic import TypeAdapter
from tool_scopes import SEARCH, rules

import specspan
from specspan.decision import Mode
from specspan.errors import MissingDependency
from specspan.instrument import install
from specspan.instrument.patches import find_method
from specspan.testing import Recorded, recorded

RAN: list[Any] = []


@pytest.fixture(autouse=True)
def _instrumented() -> Iterator[None]:
    RAN.clear()
    set_tracing_disabled(True)  # the SDK's own goes to its maker
    specspan.instrument("openai", "openai_agents")
    yield
    specspan.uninstrument()


@function_tool
def search(query: str, limit: int) -> str:
    """Searches."""
    RAN.append((query, limit))
    return f"{limit} of {query}"


def asked(limit: int) -> dict[str, Mapping[str, Any]]:
    return {"search": {"query": "shoes", "limit": limit}}


def agent(*turns: Turn, name: str = "desk", **settings: Any) -> Agent[Any]:
    model = OpenAIChatCompletionsModel("gpt-test", Turns(*turns).async_client())
    return Agent(name=name, model=model, tools=[search], **settings)


def tree(record: Recorded | Spans) -> set[tuple[str | None, str]]:
    """Every span with the one above it."""
    spans = record.spans if isinstance(record, Recorded) else record.all
    names = {span.context.span_id: span.name for span in spans if span.context is not None}
    return {(names[span.parent.span_id] if span.parent else None, span.name) for span in spans}


RUN = {
    (None, "invoke_workflow shop"),
    ("invoke_workflow shop", "invoke_agent desk"),
    ("invoke_agent desk", "chat gpt-test"),
    ("invoke_agent desk", "execute_tool search"),
}


async def run(given: Agent[Any], *, streamed: bool = False) -> Any:
    config = RunConfig(workflow_name="shop")
    if not streamed:
        return (await Runner.run(given, "shoes?", run_config=config)).final_output
    result = Runner.run_streamed(given, "shoes?", run_config=config)
    async for _ in result.stream_events():
        assert trace.get_current_span() is trace.INVALID_SPAN
    return result.final_output


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_run_is_a_trace(spans: Spans, streamed: bool) -> None:
    """Run, agent, two model calls and a tool, each with one span; nothing is current for whoever asked."""
    assert await run(agent(asked(3), "three pairs"), streamed=streamed) == "three pairs"
    assert tree(spans) == RUN
    assert sorted(spans.names).count("chat gpt-test") == 2
    assert len(spans.all) == 5
    assert spans.attributes("invoke_agent desk")["gen_ai.agent.name"] == "desk"
    assert spans.attributes("execute_tool search")["gen_ai.tool.call.id"] == "call_search"
    assert [spans.ending(name) for name in ("invoke_workflow shop", "invoke_agent desk")] == ["completed"] * 2
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_without_an_event_loop_it_is_the_same(spans: Spans) -> None:
    """`run_sync` has the spans of `run`, once."""

    def run_sync() -> Any:
        with contextlib.closing(asyncio.new_event_loop()) as loop:  # the SDK would leave one of its own open
            asyncio.set_event_loop(loop)
            return Runner.run_sync(agent(asked(3), "three"), "shoes?", run_config=RunConfig(workflow_name="shop"))

    with ThreadPoolExecutor(1) as thread:
        result = thread.submit(run_sync).result()
    assert (result.final_output, tree(spans), len(spans.all)) == ("three", RUN, 5)


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_tool_out_of_scope_does_not_run(streamed: bool) -> None:
    """In enforce mode the run ends with the SDK's error for a failed tool, whose cause is `Blocked`."""
    with recorded(rules()) as record, specspan.context(scope=SEARCH):
        with pytest.raises((UserError, specspan.Blocked)) as raised:
            await run(agent(asked(30), "never"), streamed=streamed)
    error: Any = raised.value
    blocked = error if isinstance(error, specspan.Blocked) else error.__cause__
    assert isinstance(blocked, specspan.Blocked)
    assert blocked.decision.reason == "argument_over_limit"
    assert RAN == []
    assert tree(record) >= {(None, "invoke_workflow shop"), ("invoke_workflow shop", "invoke_agent desk")}


async def test_a_watched_tool_runs() -> None:
    """In observe mode the tool runs, and its violation is on its span."""
    with recorded(rules(Mode.OBSERVE)) as record, specspan.context(scope=SEARCH):
        assert await run(agent(asked(30), "thirty")) == "thirty"
    assert RAN == [("shoes", 30)]
    verdicts = {span.name: (span.attributes or {}).get("specspan.decision.verdict") for span in record.spans}
    assert verdicts["execute_tool search"] == "violated"


async def test_a_handoff_ends_one_agent_and_begins_the_other(spans: Spans) -> None:
    """Both stand below the run, each with the calls it made; the asking span is above the run."""
    clerk = agent("done", name="clerk")
    with spans.tracer.start_as_current_span("asking"):
        assert await run(agent({"transfer_to_clerk": {}}, handoffs=[clerk])) == "done"
    assert tree(spans) == {
        (None, "asking"),
        ("asking", "invoke_workflow shop"),
        ("invoke_workflow shop", "invoke_agent desk"),
        ("invoke_workflow shop", "invoke_agent clerk"),
        ("invoke_agent desk", "chat gpt-test"),
        ("invoke_agent clerk", "chat gpt-test"),
    }
    assert spans.ending("invoke_agent desk") == "completed"


async def test_an_agent_that_is_a_tool_works_below_it(spans: Spans) -> None:
    """Its run stands below the run of the tool."""
    clerk = agent("it is", name="clerk").as_tool("ask_clerk", "Asks.")
    desk = agent({"ask_clerk": {"input": "open?"}}, "open").clone(tools=[clerk])
    assert await run(desk) == "open"
    assert tree(spans) == {
        (None, "invoke_workflow shop"),
        ("invoke_workflow shop", "invoke_agent desk"),
        ("invoke_agent desk", "chat gpt-test"),
        ("invoke_agent desk", "execute_tool ask_clerk"),
        ("execute_tool ask_clerk", "invoke_workflow shop"),
        ("invoke_workflow shop", "invoke_agent clerk"),
        ("invoke_agent clerk", "chat gpt-test"),
    }


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_run_that_fails_says_so(spans: Spans, streamed: bool) -> None:
    """What ends the run is the run's and the agent's, and reaches the application as ever."""
    model = ScriptedModel([ConnectionError("gone")])
    with pytest.raises(ConnectionError, match="gone"):
        await run(Agent(name="desk", model=model), streamed=streamed)
    assert [spans.ending(name) for name in ("invoke_workflow shop", "invoke_agent desk")] == ["ConnectionError"] * 2


async def test_what_the_application_was_handling_is_not_the_runs(spans: Spans) -> None:
    """A run inside an ``except`` that goes well went well."""
    try:
        raise LookupError("before")
    except LookupError:
        await run(agent("fine"))
    assert [spans.ending(name) for name in ("invoke_workflow shop", "invoke_agent desk")] == ["completed"] * 2


async def _left(result: Any) -> None:
    async for _ in result.stream_events():
        break


async def _cancelled(result: Any) -> None:
    async for _ in result.stream_events():
        result.cancel()


async def _failing(result: Any) -> None:
    with contextlib.suppress(LookupError):
        async for _ in result.stream_events():
            raise LookupError


async def _unread(result: Any) -> None:
    del result


@pytest.mark.parametrize("leave", [_left, _cancelled, _failing, _unread])
async def test_however_a_streamed_run_is_left_its_spans_end_once(
    spans: Spans, leave: Callable[[Any], Awaitable[None]]
) -> None:
    """The run goes on, or is cancelled, as the SDK has it: either way each span is ended, and once."""
    result = Runner.run_streamed(agent("fine"), "shoes?", run_config=RunConfig(workflow_name="shop"))
    task: Any = result.run_loop_task
    await leave(result)
    await asyncio.wait([task])
    assert trace.get_current_span() is trace.INVALID_SPAN
    assert sorted(spans.names) == ["chat gpt-test", "invoke_agent desk", "invoke_workflow shop"] or (
        leave is _cancelled and sorted(spans.names)[-2:] == ["invoke_agent desk", "invoke_workflow shop"]
    )


def shell(*commands: str) -> tuple[Agent[Any], list[Any]]:
    """An agent that has ``commands`` run, and what was run."""
    ran: list[Any] = []

    def run_them(request: Any) -> str:
        ran.extend(request.data.action.commands)
        return "ok"

    call: Any = {"type": "shell_call", "id": "s-1", "call_id": "c-1", "status": "completed"}
    asked: Any = TypeAdapter(ResponseFunctionShellToolCall).validate_python(
        {**call, "action": {"commands": list(commands)}, "environment": None}
    )
    model = ScriptedModel([[asked], [assistant_message("ran")]])
    return Agent(name="desk", model=model, tools=[ShellTool(executor=run_them)]), ran


async def test_a_shell_is_decided_like_any_tool() -> None:
    """Tools that the SDK itself brings are decided before they run, under the name the model calls them by."""
    with recorded(rules()) as record:
        with specspan.context(scope=specspan.ScopeOfAutonomy(("shell",))):
            desk, ran = shell("ls")
            assert (await run(desk), ran) == ("ran", ["ls"])
        desk, ran = shell("rm")
        with specspan.context(scope=SEARCH), pytest.raises(specspan.Blocked):
            await run(desk)
    assert ran == []
    assert [span.name for span in record.spans if "tool" in span.name] == ["execute_tool shell"] * 2


async def test_arguments_that_are_no_json_are_decided_as_they_came(spans: Spans) -> None:
    """Malformed arguments harm nobody: the SDK refuses them itself, and the run of the tool has its span."""
    model = ScriptedModel([[function_call("search", "{limit", call_id="c-1")], [assistant_message("sorry")]])
    assert await run(Agent(name="desk", model=model, tools=[search])) == "sorry"
    assert (RAN, spans.parent_of("execute_tool search")) == ([], "invoke_agent desk")


def test_a_package_of_the_applications_own_that_is_called_agents_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the SDK is not installed, what is called ``agents`` is somebody else's: it is not even imported."""
    specspan.uninstrument()

    def not_installed(name: str) -> None:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(install, "distribution", not_installed)
    places: list[str] = []

    def note(place: str) -> tuple[Any, str]:
        places.append(place)
        return find_method(place)

    monkeypatch.setattr(install, "find_method", note)
    with pytest.raises(MissingDependency, match=r"pip install 'specspan\[openai-agents\]'"):
        specspan.instrument("openai_agents")
    assert not [place for place in places if place.startswith("agents")]
