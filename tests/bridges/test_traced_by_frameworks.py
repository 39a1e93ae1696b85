"""LangSmith and Pydantic AI as they are published, and what is decided of the calls they trace."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from bridging import RULES, Bridged, outcomes, process
from openai_wire import Wire, chunks, completion, response, sse
from policies import Code, bound, policy

from specspan.call import ModelCall
from specspan.checks.check import TextAt
from specspan.decision import Mode

MESSAGES = [{"role": "system", "content": "be nice"}, {"role": "user", "content": "something evil"}]


@pytest.fixture
def langsmith_client(others: Bridged) -> Iterator[Any]:
    """One whose runs become spans of the application's provider, and go nowhere else.

    What its environment variables say LangSmith remembers for as long as the process lives.
    """
    import langsmith

    with langsmith.tracing_context(enabled=True):
        yield langsmith.Client(tracing_mode="otel", otel_tracer_provider=others.tracers, api_key="none")


def traced(client: Any, wire: Wire) -> Any:
    """OpenAI's client as LangSmith wraps it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from langsmith.wrappers import wrap_openai

        return wrap_openai(wire.sync_client(), tracing_extra={"client": client})


def observing() -> tuple[Any, list[ModelCall]]:
    """The rules, and a check that keeps what it is asked about."""
    seen: list[ModelCall] = []

    def keep(call: ModelCall, texts: Sequence[TextAt]) -> bool:
        seen.append(call)
        return True

    return policy(*RULES.clauses.values(), bound("seen", Code(keep)), mode=Mode.OBSERVE), seen


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
def test_langsmith_of_openais_client(others: Bridged, langsmith_client: Any, *, streamed: bool) -> None:
    """Question, answer and counts are decided as LangSmith recorded them."""
    rules, seen = observing()
    others.configure(rules)
    wire = Wire(sse(chunks("hel", "lo"))) if streamed else Wire(completion("hello"))
    how: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}} if streamed else {}
    answer = traced(langsmith_client, wire).chat.completions.create(model="gpt-test", messages=MESSAGES, **how)
    if streamed:
        list(answer)
    langsmith_client.flush()
    [record] = others.decisions
    assert record["call"]["dialect"] == "langsmith"
    assert (record["call"]["provider"], record["call"]["model"]) == ("openai", "gpt-test")
    assert record["call"]["usage"] == {
        "input_tokens": 12,
        "output_tokens": 5,
        "cache_read_input_tokens": 4,
        "reasoning_output_tokens": 2,
    }
    assert outcomes(record)["quiet"] == ("violated", "loud")
    assert outcomes(record)["kind"][0] == "violated"
    [call] = seen
    assert [message.role for message in call.input] == ["system", "user"]
    assert (call.output_text, call.request.streaming) == ("hello", streamed)


def test_langsmith_of_tools_and_the_responses_api(others: Bridged, langsmith_client: Any) -> None:
    """Tool calls with their arguments; items of the Responses API."""
    rules, seen = observing()
    others.configure(rules)
    tools = [{"type": "function", "function": {"name": "wipe", "parameters": {"type": "object", "properties": {}}}}]
    asking = Wire(completion("so be it", tools=[("wipe", '{"disk": 1}')]))
    traced(langsmith_client, asking).chat.completions.create(model="gpt-test", messages=MESSAGES, tools=tools)
    langsmith_client.flush()
    traced(langsmith_client, Wire(response("hello"))).responses.create(
        model="gpt-test", input="hi", instructions="be nice"
    )
    langsmith_client.flush()
    with_tool, items = others.decisions
    assert outcomes(with_tool)["tools"] == ("violated", "tool_not_allowed")
    assert seen[0].tool_calls[0].arguments == {"disk": 1}
    assert seen[0].request.tools == tuple(tools)
    assert outcomes(items)["quiet"] == ("violated", "loud")
    assert [message.role for message in seen[1].input] == ["system", "user"]


@pytest.mark.parametrize("content", [True, False], ids=["content", "none"])
async def test_pydantic_ai(others: Bridged, *, content: bool) -> None:
    """Each call of an agent is decided, its tools by name even where no content is recorded; the agent is no call."""
    from pydantic_ai import Agent
    from pydantic_ai.capabilities.instrumentation import Instrumentation
    from pydantic_ai.models.instrumented import InstrumentationSettings
    from pydantic_ai.models.test import TestModel

    rules, _ = observing()
    others.configure(rules)
    settings = InstrumentationSettings(
        tracer_provider=others.tracers, meter_provider=others.meters, include_content=content
    )
    model = TestModel(call_tools=["wipe"], custom_output_text="hello")
    agent = Agent(model, capabilities=[Instrumentation(settings=settings)])

    @agent.tool_plain
    def wipe(disk: int) -> str:
        return "done"

    await agent.run("something evil")
    first, last = others.decisions
    assert {record["call"]["dialect"] for record in (first, last)} == {"pydantic_ai"}
    assert outcomes(first)["tools"] == ("violated", "tool_not_allowed")
    told = ("violated", "loud") if content else ("unassessed", "content_not_recorded")
    assert outcomes(last)["quiet"] == told
    assert outcomes(last)["kind"][0] == ("violated" if content else "unassessed")


def test_a_framework_and_a_client_that_are_both_traced_tell_of_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of LangChain's model around a client's span is the same call."""
    with process() as others:
        others.configure()
        with others.tracers.get_tracer("langsmith").start_as_current_span("ChatOpenAI") as run:
            run.set_attribute("langsmith.span.kind", "llm")
            others.span({"openinference.span.kind": "LLM", "llm.model_name": "m"})
        assert [record["call"]["dialect"] for record in others.decisions] == ["openinference"]
