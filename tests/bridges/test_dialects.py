"""What each dialect records, by hand after its documentation, and what is read of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from thorough import examples

from specspan.bridges.dialect import Dialect, Event, RecordedSpan, iter_dialects
from specspan.call import (
    UNKNOWN_ARGUMENTS,
    WHOLE,
    Gaps,
    Media,
    Message,
    ModelCall,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolCallResponse,
    Usage,
)

ALL = tuple(sorted(iter_dialects(), key=lambda dialect: dialect.general))


def spoken(recorded: RecordedSpan) -> Dialect | None:
    return next((dialect for dialect in ALL if dialect.matches(recorded)), None)


def read(dialect: str, attributes: Mapping[str, Any], **more: Any) -> ModelCall | None:
    recorded = RecordedSpan(attributes, **more)
    found = spoken(recorded)
    assert found is not None
    assert found.name == dialect
    return found.read(recorded)


def call(dialect: str, attributes: Mapping[str, Any], **more: Any) -> ModelCall:
    found = read(dialect, attributes, **more)
    assert found is not None
    return found


def said(found: ModelCall) -> tuple[list[tuple[str, tuple[Any, ...]]], list[tuple[str, tuple[Any, ...]]]]:
    """Messages of both sides as roles and parts."""
    return [(each.role, each.parts) for each in found.input], [(each.role, each.parts) for each in found.output]


CHAT = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m", "gen_ai.provider.name": "p"}
HELLO = [("user", (Text("hi"),))], [("assistant", (Text("hello"),))]


def test_the_parts_of_the_conventions() -> None:
    """Text, reasoning, tool calls and results, media by reference, refusals."""
    parts = [
        {"type": "text", "content": "a"},
        {"type": "reasoning", "content": "b"},
        {"type": "tool_call", "id": "1", "name": "get", "arguments": {"x": 1}},
        {"type": "tool_call_response", "id": "1", "response": {"y": 2}},
        {"type": "tool_call_response", "id": "2", "result": "seen"},
        {"type": "uri", "modality": "image", "uri": "https://x/y.png", "mime_type": "image/png"},
        {"type": "blob", "modality": "audio", "content": "AAAA", "mime_type": "audio/wav"},
        {"type": "file", "modality": "image", "file_id": "f-1"},
        {"type": "refusal", "content": "no"},
    ]
    found = call("gen_ai", {**CHAT, "gen_ai.input.messages": json.dumps([{"role": "user", "parts": parts}])})
    assert found.input[0].parts == (
        Text("a"),
        Reasoning("b"),
        ToolCall("get", {"x": 1}, "1"),
        ToolCallResponse({"y": 2}, "1"),
        ToolCallResponse("seen", "2"),
        Media("image", "https://x/y.png", "image/png"),
        Media("audio", None, "audio/wav"),
        Media("image", "f-1"),
        Refusal("no"),
    )
    assert found.gaps == Gaps(None, *["content_not_recorded"] * 3)


def test_the_facts_of_the_conventions() -> None:
    """Ids, models, reasons and counts are as they were recorded; what nobody counted is absent."""
    found = call(
        "gen_ai",
        {
            **CHAT,
            "gen_ai.response.id": "r",
            "gen_ai.response.model": "m-2026",
            "gen_ai.response.finish_reasons": ("stop", "length"),
            "gen_ai.usage.input_tokens": 12,
            "gen_ai.usage.cache_read.input_tokens": 4,
            "gen_ai.conversation.id": "c-9",
            "gen_ai.system_instructions": '[{"type": "text", "content": "be kind"}]',
            "gen_ai.tool.definitions": '[{"type": "function", "name": "get"}]',
            "gen_ai.request.stream": True,
            "gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]',
            "gen_ai.output.messages": '[{"role": "assistant", "parts": [{"type": "text", "content": "hello"}]}]',
        },
    )
    assert said(found) == HELLO
    request, response = found.request, found.response
    assert (request.provider, request.model, request.conversation, request.streaming) == ("p", "m", "c-9", True)
    assert request.system_instructions == (Text("be kind"),)
    assert request.tools == ({"type": "function", "name": "get"},)
    assert response is not None
    assert (response.id, response.model, response.finish_reasons) == ("r", "m-2026", ("stop", "length"))
    assert response.usage == Usage(12, cache_read_input_tokens=4)
    assert found.gaps == WHOLE


def test_embeddings_have_no_answer_to_miss() -> None:
    """What was embedded may be missing; numbers come back."""
    found = call("gen_ai", {"gen_ai.operation.name": "embeddings", "gen_ai.request.model": "m"})
    assert (found.request.operation, found.output) == ("embeddings", ())
    assert found.gaps == Gaps("content_not_recorded")


def test_messages_in_events() -> None:
    """One event a message, as log records with a body, or as events of the span with JSON in an attribute."""
    bodies = [
        ("gen_ai.system.message", {"content": "be kind"}),
        ("gen_ai.user.message", {"content": "hi"}),
        ("gen_ai.assistant.message", {"tool_calls": [{"id": "1", "function": {"name": "get", "arguments": "{}"}}]}),
        ("gen_ai.tool.message", {"id": "1", "content": "seen"}),
        ("gen_ai.choice", {"index": 0, "finish_reason": "stop", "message": {"content": "hello"}}),
        ("gen_ai.choice", {"index": 1, "finish_reason": "length", "message": {"content": "well"}}),
    ]
    logged = tuple(Event(name, {}, body) for name, body in bodies)
    on_span = tuple(Event(name, {"gen_ai.event.content": json.dumps(body)}) for name, body in bodies)
    for events in (logged, on_span):
        found = call("gen_ai", CHAT, events=events)
        asked, answered = said(found)
        assert asked == [
            ("system", (Text("be kind"),)),
            ("user", (Text("hi"),)),
            ("assistant", (ToolCall("get", {}, "1"),)),
            ("tool", (ToolCallResponse("seen", "1"),)),
        ]
        assert answered == [("assistant", (Text("hello"),)), ("assistant", (Text("well"),))]
        assert found.response is not None
        assert found.response.finish_reasons == ("stop", "length")
        assert found.gaps == WHOLE


def test_messages_in_one_event_a_side() -> None:
    """As it was before each had one of its own."""
    events = (
        Event("gen_ai.content.prompt", {"gen_ai.prompt": '[{"role": "user", "content": "hi"}]'}),
        Event("gen_ai.content.completion", {"gen_ai.completion": '[{"role": "assistant", "content": "hello"}]'}),
    )
    assert said(call("gen_ai", CHAT, events=events)) == HELLO


def test_openinference_hides_what_it_is_told_to() -> None:
    """A text that was taken out is withheld; what is hidden altogether is not recorded."""
    hidden = {
        "openinference.span.kind": "LLM",
        "llm.input_messages.0.message.role": "user",
        "llm.input_messages.0.message.content": "__REDACTED__",
        "llm.output_messages.0.message.role": "assistant",
    }
    found = call("openinference", hidden)
    assert found.gaps == Gaps("content_withheld", "content_not_recorded")


def test_openinference_with_content_of_several_kinds() -> None:
    """Texts, images and tool calls; numbers may leave some out."""
    at = "llm.input_messages.3.message."
    found = call(
        "openinference",
        {
            "openinference.span.kind": "LLM",
            "llm.model_name": "m",
            at + "role": "user",
            at + "contents.0.message_content.type": "text",
            at + "contents.0.message_content.text": "hi",
            at + "contents.2.message_content.type": "image",
            at + "contents.2.message_content.image.image.url": "data:image/png;base64,AAAA",
            "llm.output_messages.0.message.role": "assistant",
            "llm.output_messages.0.message.tool_calls.0.tool_call.function.name": "get",
            "llm.tools.0.tool.json_schema": '{"name": "get"}',
            "llm.token_count.prompt": 12,
        },
    )
    assert said(found)[0] == [("user", (Text("hi"), Media("image", None, "image/png")))]
    assert said(found)[1] == [("assistant", (ToolCall("get", UNKNOWN_ARGUMENTS),))]
    assert found.gaps == Gaps(arguments="content_not_recorded")
    assert found.request.tools == ({"name": "get"},)
    assert found.response is not None
    assert found.response.usage == Usage(12)


def test_openllmetry_in_numbers() -> None:
    """Every value an attribute; a list of content is JSON in one."""
    found = call(
        "openllmetry",
        {
            "llm.request.type": "chat",
            "gen_ai.system": "OpenAI",
            "gen_ai.request.model": "m",
            "gen_ai.prompt.0.role": "system",
            "gen_ai.prompt.0.content": "be kind",
            "gen_ai.prompt.1.role": "user",
            "gen_ai.prompt.1.content": '[{"type": "text", "text": "hi"}]',
            "gen_ai.prompt.2.role": "assistant",
            "gen_ai.prompt.2.tool_calls.0.id": "1",
            "gen_ai.prompt.2.tool_calls.0.name": "get",
            "gen_ai.prompt.2.tool_calls.0.arguments": '{"x": 1}',
            "gen_ai.prompt.3.role": "tool",
            "gen_ai.prompt.3.tool_call_id": "1",
            "gen_ai.prompt.3.content": "seen",
            "gen_ai.completion.0.role": "assistant",
            "gen_ai.completion.0.content": "hello",
            "gen_ai.completion.0.finish_reason": "stop",
            "gen_ai.usage.prompt_tokens": 12,
            "gen_ai.usage.completion_tokens": 5,
            "llm.request.functions.0.name": "get",
            "llm.is_streaming": True,
            "traceloop.entity.name": "desk",
        },
    )
    asked, answered = said(found)
    assert asked == [
        ("system", (Text("be kind"),)),
        ("user", (Text("hi"),)),
        ("assistant", (ToolCall("get", {"x": 1}, "1"),)),
        ("tool", (ToolCallResponse("seen", "1"),)),
    ]
    assert answered == [("assistant", (Text("hello"),))]
    assert found.response is not None
    assert (found.response.finish_reasons, found.response.usage) == (("stop",), Usage(12, 5))
    assert (found.request.streaming, found.request.tools) == (True, ({"name": "get"},))
    assert found.gaps == WHOLE


def test_openllmetry_without_content() -> None:
    """`TRACELOOP_TRACE_CONTENT=false` leaves all of it out."""
    found = call("openllmetry", {"llm.request.type": "chat", "gen_ai.request.model": "m"})
    assert found.gaps == Gaps(*["content_not_recorded"] * 4)


LOGFIRE = {"logfire.span_type": "span", "gen_ai.request.model": "m"}


def test_logfire_by_the_bodies_of_request_and_answer() -> None:
    """As it wrote before the conventions' messages."""
    found = call(
        "logfire",
        {
            **LOGFIRE,
            "request_data": json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]}),
            "response_data": json.dumps({"message": {"role": "assistant", "content": "hello"}, "usage": None}),
        },
    )
    assert said(found) == HELLO
    assert found.gaps == WHOLE


def test_logfire_of_a_stream_is_the_log_that_follows() -> None:
    """The span that ends as the stream begins is no call; the log is, and says how long it took."""
    asked = {
        "request_data": json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True})
    }
    assert read("logfire", {**LOGFIRE, **asked}) is None
    assert read("logfire", {**LOGFIRE, **asked, "logfire.span_type": "pending_span"}) is None
    log = {
        **LOGFIRE,
        **asked,
        "logfire.span_type": "log",
        "duration": 1.5,
        "response_data": json.dumps({"combined_chunk_content": "hello", "chunk_count": 2}),
    }
    found = call("logfire", log)
    assert said(found) == HELLO
    assert found.request.streaming
    dialect = spoken(RecordedSpan(log))
    assert dialect is not None
    assert dialect.duration_s(RecordedSpan(log)) == 1.5
    assert dialect.call_id(RecordedSpan(log)) == dialect.call_id(RecordedSpan({**LOGFIRE, **asked}))


def test_logfire_of_a_call_that_failed() -> None:
    """There is no answer, and the question is decided."""
    found = call("logfire", {**LOGFIRE, "request_data": '{"model": "m", "prompt": "hi"}'}, failed=True)
    assert (said(found)[0], found.response) == (HELLO[0], None)


def test_logfire_says_what_it_scrubbed() -> None:
    """What was taken out is withheld."""
    body = {"message": {"role": "assistant", "content": "[Scrubbed due to 'password']"}}
    found = call("logfire", {**LOGFIRE, "request_data": '{"model": "m"}', "response_data": json.dumps(body)})
    assert found.gaps.output == "content_withheld"


def test_pydantic_ai_in_events() -> None:
    """The first version of its format: events as JSON in one attribute."""
    events = [
        {"event.name": "gen_ai.system.message", "role": "system", "content": "be kind", "gen_ai.message.index": 0},
        {"event.name": "gen_ai.user.message", "role": "user", "content": "hi", "gen_ai.message.index": 0},
        {
            "event.name": "gen_ai.choice",
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "hello",
                "tool_calls": [{"id": "1", "type": "function", "function": {"name": "get", "arguments": {"x": 1}}}],
            },
        },
    ]
    found = call("pydantic_ai", {**CHAT, "events": json.dumps(events)}, scope="pydantic-ai")
    assert said(found) == (
        [("system", (Text("be kind"),)), ("user", (Text("hi"),))],
        [("assistant", (Text("hello"), ToolCall("get", {"x": 1}, "1")))],
    )
    assert found.gaps == WHOLE


def test_pydantic_ai_without_content() -> None:
    """Parts are named and hold nothing: tools are known, texts and arguments are not."""
    found = call(
        "pydantic_ai",
        {
            **CHAT,
            "gen_ai.input.messages": '[{"role": "user", "parts": [{"type": "text"}]}]',
            "gen_ai.output.messages": json.dumps(
                [{"role": "assistant", "parts": [{"type": "text"}, {"type": "tool_call", "id": "1", "name": "get"}]}]
            ),
        },
        scope="pydantic-ai",
    )
    assert found.tool_calls == (ToolCall("get", UNKNOWN_ARGUMENTS, "1"),)
    assert found.gaps == Gaps("content_not_recorded", "content_not_recorded", None, "content_not_recorded")


def test_an_agent_of_pydantic_ai_is_no_call() -> None:
    """Its span repeats the messages of the calls below it."""
    agent = {"gen_ai.request.model": "m", "pydantic_ai.all_messages": "[]"}
    assert read("pydantic_ai", agent, scope="pydantic-ai") is None


def test_langsmith_of_langchain() -> None:
    """LangChain's messages, several batches at once, and its way to count."""
    human = {"lc": 1, "type": "constructor", "id": ["langchain"], "kwargs": {"content": "hi", "type": "human"}}
    kwargs = {"content": "hello", "type": "ai", "tool_calls": [{"name": "get", "args": {"x": 1}, "id": "1"}]}
    answer = {"generations": [[{"text": "hello", "message": {"lc": 1, "type": "constructor", "kwargs": kwargs}}]]}
    counts = {"input_tokens": 12, "output_tokens": 5, "input_token_details": {"cache_read": 4}}
    found = call(
        "langsmith",
        {
            "langsmith.span.kind": "llm",
            "gen_ai.operation.name": "chat",
            "gen_ai.system": "langchain",
            "langsmith.metadata.ls_provider": "anthropic",
            "langsmith.metadata.usage_metadata": json.dumps(counts),
            "gen_ai.prompt": json.dumps({"messages": [[human]]}),
            "gen_ai.completion": json.dumps(answer),
        },
    )
    assert said(found) == (HELLO[0], [("assistant", (Text("hello"), ToolCall("get", {"x": 1}, "1")))])
    assert found.request.provider == "anthropic"
    assert found.response is not None
    assert found.response.usage == Usage(12, 5, cache_read_input_tokens=4)
    assert found.gaps == WHOLE


@pytest.mark.parametrize("kind", ["chain", "prompt", "tool", "retriever"])
def test_other_runs_of_langsmith_are_no_calls(kind: str) -> None:
    """Though prompts are given the operation `chat`, and retrievers `embeddings`."""
    operation = {"prompt": "chat", "retriever": "embeddings"}.get(kind, kind)
    assert read("langsmith", {"langsmith.span.kind": kind, "gen_ai.operation.name": operation}) is None


def test_mlflow_of_openais_client() -> None:
    """Inputs and outputs in the client's shape; every attribute is JSON."""
    answer = {"id": "r", "model": "m-2026", "choices": [{"message": {"content": "hello"}, "finish_reason": "stop"}]}
    found = call(
        "mlflow",
        {
            "mlflow.spanType": '"CHAT_MODEL"',
            "mlflow.llm.provider": '"openai"',
            "mlflow.spanInputs": json.dumps({"model": "m", "messages": [{"role": "user", "content": "hi"}]}),
            "mlflow.spanOutputs": json.dumps(answer),
            "mlflow.chat.tokenUsage": '{"input_tokens": 12, "output_tokens": 5, "total_tokens": 17}',
            "mlflow.chat.tools": '[{"type": "function", "function": {"name": "get"}}]',
        },
    )
    assert said(found) == HELLO
    assert (found.request.provider, found.request.model, len(found.request.tools)) == ("openai", "m", 1)
    assert found.response is not None
    assert (found.response.id, found.response.finish_reasons) == ("r", ("stop",))
    assert found.response.usage == Usage(12, 5)
    assert found.gaps == WHOLE


def test_mlflow_of_anthropics_client() -> None:
    """Blocks of content, and the system's instructions apart."""
    blocks = [{"type": "text", "text": "hello"}, {"type": "tool_use", "id": "1", "name": "get", "input": {"x": 1}}]
    found = call(
        "mlflow",
        {
            "mlflow.spanType": "CHAT_MODEL",
            "mlflow.spanInputs": json.dumps(
                {"model": "m", "system": "be kind", "messages": [{"role": "user", "content": "hi"}]}
            ),
            "mlflow.spanOutputs": json.dumps(
                {"id": "r", "role": "assistant", "content": blocks, "stop_reason": "tool_use"}
            ),
        },
    )
    assert said(found) == (
        [("system", (Text("be kind"),)), *HELLO[0]],
        [("assistant", (Text("hello"), ToolCall("get", {"x": 1}, "1")))],
    )
    assert found.response is not None
    assert found.response.finish_reasons == ("tool_use",)


def test_mlflow_of_what_is_no_client() -> None:
    """Plain texts are a question and an answer; other kinds of span are no calls."""
    found = call("mlflow", {"mlflow.spanType": '"LLM"', "mlflow.spanInputs": '"hi"', "mlflow.spanOutputs": '"hello"'})
    assert said(found) == HELLO
    assert read("mlflow", {"mlflow.spanType": '"TOOL"', "mlflow.spanInputs": '{"a": 1}'}) is None
    bare = call("mlflow", {"mlflow.spanType": '"LLM"'})
    assert bare.gaps == Gaps(*["content_not_recorded"] * 4)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "role",
                    "parts",
                    "content",
                    "type",
                    "text",
                    "name",
                    "arguments",
                    "function",
                    "tool_calls",
                    "message",
                    "messages",
                    "choices",
                    "kwargs",
                    "generations",
                    "output",
                    "input",
                    "system",
                    "args",
                    "response",
                    "finish_reason",
                    "items",
                    "event.name",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
NAMES = [
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.tool.definitions",
    "events",
    "request_data",
    "response_data",
    "gen_ai.prompt",
    "gen_ai.completion",
    "mlflow.spanInputs",
    "mlflow.spanOutputs",
    "mlflow.chat.tokenUsage",
    "gen_ai.prompt.0.content",
    "gen_ai.completion.0.tool_calls.0.name",
    "llm.input_messages.0.message.content",
    "llm.output_messages.0.message.tool_calls.0.tool_call.function.arguments",
    "llm.invocation_parameters",
    "gen_ai.response.finish_reasons",
    "gen_ai.usage.input_tokens",
    "llm.tools.0.tool.json_schema",
]
MARKS = [
    CHAT,
    {"llm.request.type": "chat"},
    {"openinference.span.kind": "LLM"},
    {**LOGFIRE, "logfire.span_type": "log", "request_data": "{}"},
    {"langsmith.span.kind": "llm"},
    {"mlflow.spanType": '"CHAT_MODEL"'},
]


@settings(max_examples=examples(300))
@given(
    st.sampled_from(MARKS),
    st.dictionaries(st.sampled_from(NAMES), VALUES | VALUES.map(json.dumps) | st.text(max_size=20), max_size=6),
    st.sampled_from(["", "pydantic-ai", "logfire.openai"]),
)
def test_whatever_stands_there_nothing_is_raised(marks: Mapping[str, Any], rest: Mapping[str, Any], scope: str) -> None:
    """Any shape gives a call whose parts are what they say they are, or none."""
    recorded = RecordedSpan(
        {**rest, **marks}, scope, tuple(Event("gen_ai.choice", rest, each) for each in rest.values())
    )
    dialect = spoken(recorded)
    assert dialect is not None
    found = dialect.read(recorded)
    for message in (*found.input, *found.output) if found is not None else ():
        assert isinstance(message, Message)
        assert isinstance(message.role, str)
        for part in message.parts:
            if isinstance(part, (Text, Refusal, Reasoning)):
                assert isinstance(part.content, str)
            if isinstance(part, ToolCall):
                assert isinstance(part.name, str)
