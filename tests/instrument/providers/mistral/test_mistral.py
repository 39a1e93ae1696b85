"""Mistral through its real client: what of a call is understood, what a policy makes of it, and what was recorded."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cassettes import Exchange, exchanges, transport
from ended_spans import Spans
from mistral_wire import HI, USAGE, Wire, ask, called, chunk, client, completion, http, sse
from mistralai.client import models
from mistralai.client.chat import Chat
from mistralai.client.errors import ResponseValidationError, SDKError
from policies import Code, bound, pattern, policy
from pydantic import BaseModel
from replays import Facts, Tally, told

import specspan
from specspan._support import drop_counts
from specspan.call import Usage
from specspan.decision import Action, Stage
from specspan.errors import Blocked
from specspan.instrument.gate import Pipeline, activate
from specspan.instrument.patches import find_method, is_replaced
from specspan.instrument.providers.mistral import chat as mistral
from specspan.policy.policy import OnError
from specspan.record.recorder import Recorder
from specspan.testing.memory import recorded

pytestmark = pytest.mark.usefixtures("mistral_instrumented")

SECRET = "123-45-6789"


def fact(operation: str = "chat", model: str | None = "vendor/m", **changes: Any) -> Facts:
    known: dict[str, Any] = {
        "response_id": "cmpl-1",
        "response_model": "mistral-test-2026",
        "finish_reasons": ("stop",),
        "usage": Usage(12, 5, cache_read_input_tokens=4),
        "texts": ("hello",),
    }
    return Facts("mistral_ai", operation, model, **(known | changes))


def parts(content_spans: Spans, side: str = "output") -> Any:
    (span,) = content_spans.all
    (message,) = json.loads(str((span.attributes or {})[f"gen_ai.{side}.messages"]))
    return message["parts"]


def streamed(*chunks: Any) -> Wire:
    return Wire(sse(*chunks))


def test_a_chat(is_async: bool, content_spans: Spans) -> None:
    """Whatever the body says is on the span, and what was asked; the vendor's prefix of the model stays."""
    answer = ask(Wire(completion()), is_async=is_async, temperature=0.5, random_seed=7, stop="x", n=1, max_tokens=9)
    assert isinstance(answer, models.ChatCompletionResponse)
    (span,) = content_spans.all
    assert told(span) == fact()
    found = span.attributes or {}
    assert found["gen_ai.request.stop_sequences"] == ("x",)
    asked = {name: found.get(f"gen_ai.request.{name}") for name in ("temperature", "seed", "max_tokens", "top_p")}
    assert asked == {"temperature": 0.5, "seed": 7, "max_tokens": 9, "top_p": None}
    assert (found["server.address"], found["server.port"]) == ("api.mistral.ai", 443)


@pytest.mark.parametrize(("kind", "expected"), [("text", "text"), ("json_object", "json")])
def test_the_format_that_was_asked_for(spans: Spans, kind: Any, expected: str) -> None:
    """It is known of the client's own objects and of dicts."""
    ask(Wire(completion()), response_format=models.ResponseFormat(type=kind))
    ask(Wire(completion()), response_format={"type": kind})
    assert [(span.attributes or {})["gen_ai.output.type"] for span in spans.all] == [expected, expected]


def test_the_server_that_is_named(is_async: bool, spans: Spans) -> None:
    """Where one call goes elsewhere, that is on its span."""
    ask(Wire(completion()), is_async=is_async, server_url="http://local:8000")
    (span,) = spans.all
    found = span.attributes or {}
    assert (found["server.address"], found["server.port"]) == ("local", 8000)


@pytest.mark.parametrize("how", ["chat.stream", "chat.parse_stream"])
def test_a_stream(is_async: bool, content_spans: Spans, how: str) -> None:
    """Text, usage and the finish reason are put together; the application gets every event."""
    chunks = [chunk({"role": "assistant", "content": "hel"}), chunk({"content": "lo"}, "stop", usage=USAGE)]
    args = (Reply,) if "parse" in how else ()
    read = ask(streamed(*chunks), how, *args, is_async=is_async)
    assert [type(each) for each in read] == [models.CompletionEvent] * 2
    (span,) = content_spans.all
    assert told(span) == fact()
    assert (span.attributes or {})["gen_ai.response.time_to_first_chunk"]


THOUGHT = [
    {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
    {"type": "text", "text": "See "},
    {"type": "reference", "reference_ids": [1]},
    {"type": "text", "text": "one."},
]


def test_thoughts_and_references(is_async: bool, content_spans: Spans) -> None:
    """Thoughts are reasoning and no text; what a text refers to is no text of its own."""
    before = drop_counts.totals().get(("content", "not_understood"), 0)
    ask(Wire(completion(THOUGHT)), is_async=is_async)
    kinds = [(part["type"], part["content"]) for part in parts(content_spans)]
    assert kinds == [("reasoning", "Hm."), ("text", "See "), ("text", "one.")]
    content_spans.clear()
    ask(streamed(chunk({"content": THOUGHT[:2]}), chunk({"content": "one."}, "stop")), "chat.stream", is_async=is_async)
    kinds = [(part["type"], part["content"]) for part in parts(content_spans)]
    assert kinds == [("reasoning", "Hm."), ("text", "See one.")]
    assert drop_counts.totals().get(("content", "not_understood"), 0) == before


CALLS: dict[str, tuple[list[Any], tuple[Any, ...]]] = {
    "without numbers": (
        [[called("find", '{"q": 1}', id="a")], [called("find", '{"q": 2}', id="b")]],
        (("a", "find", {"q": 1}), ("b", "find", {"q": 2})),
    ),
    "all in one": (
        [[called("find", '{"q": 1}', id="a", index=0), called("buy", {"n": 2}, id="b", index=1)]],
        (("a", "find", {"q": 1}), ("b", "buy", {"n": 2})),
    ),
    "in pieces": (
        [[called("find", '{"q"', id="a", index=1)], [called("", ": 1}", index=1)]],
        (("a", "find", {"q": 1}),),
    ),
    "without an id": ([[called("find", '{"q": 1}')]], ((None, "find", {"q": 1}),)),
}


@pytest.mark.parametrize(("pieces", "expected"), CALLS.values(), ids=CALLS)
def test_streamed_tool_calls(is_async: bool, content_spans: Spans, pieces: Any, expected: Any) -> None:
    """Each is whole and by itself, however the service numbers them; what has no id has none on the span."""
    chunks = [chunk({"content": "", "tool_calls": each}) for each in pieces]
    ask(streamed(*chunks, chunk({"content": ""}, "tool_calls")), "chat.stream", is_async=is_async)
    (span,) = content_spans.all
    assert told(span).tool_calls == expected
    assert told(span).finish_reasons == ("tool_calls",)


def test_what_the_client_made_up(is_async: bool, content_spans: Spans) -> None:
    """An id and counts that never came are absent, whatever the client has in their place."""
    body = completion("", tool_calls=[called("find", "{}")], reason="tool_calls", usage={"completion_tokens": 5})
    answer = ask(Wire(body), is_async=is_async)
    assert (answer.choices[0].message.tool_calls[0].id, answer.usage.prompt_tokens) == ("null", 0)
    last = chunk({"content": "hello"}, "stop", usage={"completion_tokens": 5})
    ask(streamed(last), "chat.stream", is_async=is_async)
    plain, stream = map(told, content_spans.all)
    assert plain.tool_calls == ((None, "find", {}),)
    assert plain.usage == stream.usage == Usage(None, 5)


def test_tools_and_their_answers(is_async: bool, content_spans: Spans) -> None:
    """The client's own objects and dicts say the same."""
    tool = models.Tool(function=models.Function(name="find", parameters={"type": "object"}))
    call = models.ToolCall(id="a", function=models.FunctionCall(name="find", arguments='{"q": 1}'))
    messages = [
        models.AssistantMessage(tool_calls=[call]),
        models.ToolMessage(content="found", tool_call_id="a"),
        {"role": "tool", "content": "found", "tool_call_id": "a"},
    ]
    before = drop_counts.totals().get(("content", "not_understood"), 0)
    body = completion("", tool_calls=[called("find", '{"q": 2}', id="b")], reason="tool_calls")
    ask(Wire(body), is_async=is_async, messages=messages, tools=[tool])
    (span,) = content_spans.all
    assert told(span).tool_calls == (("b", "find", {"q": 2}),)
    found = span.attributes or {}
    asked = json.loads(str(found["gen_ai.input.messages"]))
    assert [each["role"] for each in asked] == ["assistant", "tool", "tool"]
    assert asked[1]["parts"] == asked[2]["parts"] == [{"type": "tool_call_response", "id": "a", "response": "found"}]
    assert json.loads(str(found["gen_ai.tool.definitions"]))[0]["function"]["name"] == "find"
    assert drop_counts.totals().get(("content", "not_understood"), 0) == before


def test_media_by_reference(is_async: bool, content_spans: Spans) -> None:
    """However an application writes them; never their bytes."""
    content = [
        {"type": "text", "text": "see"},
        {"type": "image_url", "image_url": "https://example.com/a.png"},
        models.ImageURLChunk(image_url="data:image/png;base64,c2VjcmV0"),
        {"type": "image_url", "image_url": {"url": "https://example.com/b.png"}},
        {"type": "document_url", "document_url": "https://example.com/c.pdf"},
        {"type": "input_audio", "input_audio": "c2VjcmV0"},
        {"type": "file", "file_id": "f-1"},
    ]
    ask(Wire(completion()), is_async=is_async, messages=[{"role": "user", "content": content}])
    found = [(part.get("modality"), part.get("uri"), part.get("mime_type")) for part in parts(content_spans, "input")]
    assert found == [
        (None, None, None),
        ("image", "https://example.com/a.png", None),
        ("image", None, "image/png"),
        ("image", "https://example.com/b.png", None),
        ("file", "https://example.com/c.pdf", None),
        ("audio", None, None),
        ("file", "f-1", None),
    ]
    (span,) = content_spans.all
    assert "c2VjcmV0" not in json.dumps(dict(span.attributes or {}), default=str)


def test_agents(is_async: bool, content_spans: Spans) -> None:
    """Their answers are chats; which model they ask is known when it answered."""
    ask(Wire(completion()), "agents.complete", is_async=is_async, agent_id="a-1")
    ask(streamed(chunk({"content": "hello"}, "stop")), "agents.stream", is_async=is_async, agent_id="a-1")
    first, second = map(told, content_spans.all)
    assert first == fact(model=None)
    assert second == fact(model=None, usage=Usage())


@pytest.mark.parametrize("way", ["complete", "stream"])
def test_filling_in(is_async: bool, content_spans: Spans, way: str) -> None:
    """What a text is to be written between is one message."""
    wire = Wire(completion()) if way == "complete" else streamed(chunk({"content": "hello"}, "stop", usage=USAGE))
    ask(wire, f"fim.{way}", is_async=is_async, prompt="def f(", suffix="return 1")
    (span,) = content_spans.all
    assert told(span) == fact("text_completion")
    assert [part["content"] for part in parts(content_spans, "input")] == ["def f(", "return 1"]


def test_embeddings(is_async: bool, content_spans: Spans) -> None:
    """Texts go in; model and tokens are known of the answer, and absent where they never came."""
    body = {"id": "e-1", "object": "list", "model": "e-2", "data": [], "usage": {"prompt_tokens": 3}}
    ask(Wire(body), "embeddings.create", is_async=is_async, inputs=["a", "b"])
    ask(Wire(body | {"usage": {}}), "embeddings.create", is_async=is_async, inputs="a")
    expected = Facts("mistral_ai", "embeddings", "vendor/m", response_model="e-2", usage=Usage(3))
    assert told(content_spans.all[0]) == expected
    assert told(content_spans.all[1]).usage == Usage()
    asked = json.loads(str((content_spans.all[0].attributes or {})["gen_ai.input.messages"]))
    assert [each["parts"][0]["content"] for each in asked] == ["a", "b"]


class Reply(BaseModel):
    """What an answer is parsed to."""

    text: str


@pytest.mark.parametrize("placed", [True, False])
def test_parsed_answers(is_async: bool, content_spans: Spans, *, placed: bool) -> None:
    """Parsing is one call; of an edited answer nothing is left that was parsed."""
    given: Any = {} if placed else {"response_format": Reply}
    args = (Reply,) if placed else ()
    body = completion(json.dumps({"text": SECRET}))
    answer = ask(Wire(body), "chat.parse", *args, is_async=is_async, **given)
    assert answer.choices[0].message.parsed == Reply(text=SECRET)
    (span,) = content_spans.all
    assert (span.attributes or {})["gen_ai.output.type"] == "json"
    with recorded(_rule(Action.REDACT)):
        answer = ask(Wire(body), "chat.parse", *args, is_async=is_async, **given)
    assert answer.choices[0].message.content == '{"text": "[redacted:ssn]"}'
    assert answer.choices[0].message.parsed is None


def test_several_choices(is_async: bool, content_spans: Spans) -> None:
    """Each is a message of its own, and a stream is over when all have ended."""
    chunks = [chunk({"content": "A"}), chunk({"content": "B"}, "length")]
    chunks[0]["choices"][0]["index"] = 1
    chunks[1]["choices"].append({"index": 1, "delta": {"content": "!"}, "finish_reason": "stop"})
    ask(streamed(*chunks), "chat.stream", is_async=is_async, n=2)
    (span,) = content_spans.all
    assert told(span).texts == ("B", "A!")
    assert told(span).finish_reasons == ("length", "stop")


def _rule(action: Action, stage: Stage = Stage.OUTPUT) -> Any:
    return policy(bound("privacy", pattern(r"\d{3}-\d{2}-\d{4}", stage=stage, reason="ssn"), action=action))


@pytest.mark.parametrize("way", ["complete", "stream"])
def test_a_blocked_input_is_never_sent(is_async: bool, way: str) -> None:
    """`Blocked` is raised before the service is asked."""
    wire = Wire(completion())
    with recorded(_rule(Action.BLOCK, Stage.INPUT)), pytest.raises(Blocked):
        ask(wire, f"chat.{way}", is_async=is_async, messages=[{"role": "user", "content": SECRET}])
    assert wire.requests == []


def test_a_tool_call_is_decided_before_it_can_be_carried_out(is_async: bool) -> None:
    """The event with the finish reason, without which no call is complete, is not handed over."""

    def allowed(each: Any, texts: Any) -> bool:
        return not each.tool_calls

    events = [chunk({"content": "", "tool_calls": [called("refund", "{}", id="a")]}), chunk({}, "tool_calls")]
    rule = policy(bound("autonomy", Code(allowed, Stage.TOOL_CALL), action=Action.BLOCK))
    with recorded(rule), pytest.raises(Blocked):
        ask(streamed(*events), "chat.stream", is_async=is_async)


def test_redacted_inputs_are_sent_redacted(is_async: bool) -> None:
    """Of messages as dicts and as objects, of what is filled in and embedded; the application's own are not touched."""
    own = models.UserMessage(content=[models.TextChunk(text=SECRET)])
    told_apart = {"role": "user", "content": SECRET}
    wire = Wire(completion())
    with recorded(_rule(Action.REDACT, Stage.INPUT)):
        ask(wire, is_async=is_async, messages=iter([own, told_apart]))
        ask(wire, "fim.complete", is_async=is_async, prompt="my number:", suffix=SECRET)
        ask(Wire({"id": "", "object": "", "model": "", "data": [], "usage": {}}), "embeddings.create", inputs=[SECRET])
    first, second = wire.requests
    assert first["messages"][0]["content"][0]["text"] == first["messages"][1]["content"] == "[redacted:ssn]"
    assert (second["prompt"], second["suffix"]) == ("my number:", "[redacted:ssn]")
    assert SECRET in str(own)
    assert told_apart["content"] == SECRET


@pytest.mark.parametrize("content", [f"It is {SECRET}.", [{"type": "text", "text": f"It is {SECRET}."}]])
def test_an_edited_answer(is_async: bool, content: Any) -> None:
    """The client's own object, with another text in it."""
    with recorded(_rule(Action.REDACT)):
        answer = ask(Wire(completion(content)), is_async=is_async)
    assert isinstance(answer, models.ChatCompletionResponse)
    assert SECRET not in answer.model_dump_json()
    assert "It is [redacted:ssn]." in answer.model_dump_json()


def test_a_cut_stream_says_it_nowhere(is_async: bool) -> None:
    """The last event has the redacted text, and the reason that the conventions have for it."""
    events = [chunk({"content": "It is "}), chunk({"content": [{"type": "text", "text": SECRET}]}), chunk({}, "stop")]
    with recorded(_rule(Action.REDACT)) as record:
        read = ask(streamed(*events), "chat.stream", is_async=is_async)
    assert SECRET not in "".join(each.model_dump_json(warnings=False) for each in read)
    assert read[-1].data.choices[0].delta.content == "[redacted:ssn]"
    assert read[-1].data.choices[0].finish_reason == "content_filter"
    (span,) = record.spans
    assert (span.attributes or {})["specspan.stream.released_chars"] == len("It is ")


MALFORMED: dict[str, tuple[dict[str, Any], int]] = {
    "no usage": ({"usage": {}}, 0),
    "no choices": ({"choices": []}, 0),
    "null where a list was": ({"choices": None}, 0),
    "no content": ({"choices": [{"index": 0, "finish_reason": "stop", "message": {"content": None}}]}, 0),
    "several messages": ({"choices": [{"index": 0, "finish_reason": "stop", "messages": [{"content": "hi"}]}]}, 1),
    "an unknown block": (
        {"choices": [{"index": 0, "finish_reason": "stop", "message": {"content": [{"type": "hologram"}]}}]},
        1,
    ),
}


@pytest.mark.parametrize(("changes", "lost"), MALFORMED.values(), ids=MALFORMED)
def test_malformed_answers(is_async: bool, content_spans: Spans, changes: Any, lost: int) -> None:
    """The span says what is known, and nothing of what never came; what was not understood is counted."""
    before = drop_counts.totals().get(("content", "not_understood"), 0)
    body = completion(**({"usage": {}} | changes))
    with suppress(Exception):  # what the client itself refuses
        ask(Wire(body), is_async=is_async)
    (span,) = content_spans.all
    if told(span).error is None:
        assert drop_counts.totals().get(("content", "not_understood"), 0) == before + lost
        assert told(span).response_id == "cmpl-1"
    assert told(span).usage == Usage()


def test_an_unknown_block_in_a_stream(is_async: bool) -> None:
    """It is counted once, also where each event is looked at before it is handed over."""
    before = drop_counts.totals().get(("content", "not_understood"), 0)
    events = [chunk({"content": [{"type": "hologram"}, {"type": "text", "text": "hello"}]}), chunk({}, "stop")]
    with recorded(_rule(Action.REDACT)) as record:
        read = ask(streamed(*events), "chat.stream", is_async=is_async)
    assert len(read) == 2
    assert len(record.spans) == 1
    assert drop_counts.totals().get(("content", "not_understood"), 0) == before + 1


def test_a_truncated_stream(is_async: bool, content_spans: Spans) -> None:
    """Without its last event it says what was seen, and no count that never came."""
    ask(Wire(f"data: {json.dumps(chunk({'content': 'hel'}))}\n\n"), "chat.stream", is_async=is_async)
    (span,) = content_spans.all
    assert told(span) == fact(texts=("hel",), finish_reasons=(), usage=Usage())


def test_refused_requests(is_async: bool, spans: Spans) -> None:
    """What the client makes of a refusal is named."""
    wire = Wire({"object": "error", "message": "no", "type": "invalid"}, status=400)
    with pytest.raises(SDKError):
        ask(wire, is_async=is_async)
    (span,) = spans.all
    assert told(span).error == "SDKError"


def traced(made: Any, spans: Spans) -> Any:
    """A client that traces itself, as it can from some version on."""
    from mistralai.extra.observability.telemetry import configure_telemetry

    configure_telemetry(made, provider=spans.provider, redaction=False)
    return made


@pytest.mark.parametrize("way", ["complete", "stream"])
def test_a_client_that_traces_itself(is_async: bool, spans: Spans, way: str) -> None:
    """Its span is ours: what it knows of the connection is there, its content is not, and the service is told of it."""
    wire = Wire(completion()) if way == "complete" else streamed(chunk({"content": "hello"}, "stop"))
    asked: Any = {"is_async": is_async, "messages": [{"role": "user", "content": "secret"}]}

    def tracing() -> Any:
        return traced(client(http.MockTransport(wire), is_async=is_async), spans)

    ask(tracing(), f"chat.{way}", **asked)
    (span,) = spans.all
    assert span.name == "chat vendor/m"
    found = span.attributes or {}
    assert found["http.response.status_code"] == 200
    assert "secret" not in json.dumps(dict(found), default=str)
    assert span.context is not None
    assert str(wire.traced[0]).startswith(f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-")
    specspan.uninstrument()
    spans.clear()
    ask(tracing(), f"chat.{way}", **asked)
    (theirs,) = spans.all
    assert theirs.instrumentation_scope is not None
    assert theirs.instrumentation_scope.name == "mistralai_sdk_tracer"


def test_each_attempt_of_a_client_that_traces_itself(spans: Spans) -> None:
    """A request that is made again is the same call."""
    from mistralai.client.utils import BackoffStrategy, RetryConfig

    answers = iter([http.Response(500), http.Response(200, json=completion())])
    made = traced(client(http.MockTransport(lambda request: next(answers))), spans)
    ask(made, retries=RetryConfig("backoff", BackoffStrategy(1, 1, 1.0, 1000), retry_connection_errors=False))
    assert spans.names == ["chat vendor/m"]


def test_one_that_exports_elsewhere_is_left_alone(spans: Spans) -> None:
    """Spans that go to another provider are nobody's second ones."""
    elsewhere = Spans()
    activate(Pipeline(Recorder(tracer_provider=elsewhere.provider)))
    ask(traced(client(http.MockTransport(Wire(completion()))), spans))
    assert (elsewhere.names, spans.names) == (["chat vendor/m"], ["chat vendor/m"])


def test_methods_are_put_back() -> None:
    """The very same functions."""
    names = ("complete", "complete_async", "stream", "stream_async", "parse", "parse_async")
    assert all(is_replaced(vars(Chat)[name]) for name in names)
    specspan.uninstrument()
    before = [vars(Chat)[name] for name in names]
    assert not any(is_replaced(each) for each in before)
    specspan.instrument("mistral")
    specspan.uninstrument()
    assert all(vars(Chat)[name] is was for name, was in zip(names, before, strict=True))


def test_the_same_models_elsewhere(spans: Spans) -> None:
    """On Azure they are asked through a client of its own, and told apart."""
    from mistralai.azure.client import MistralAzure

    sends = http.Client(transport=http.MockTransport(Wire(completion())))
    azure = MistralAzure(api_key="k", server_url="https://models.example.com", client=sends)
    azure.chat.complete(model="m", messages=list(HI))
    (span,) = spans.all
    assert told(span).provider == "azure.ai.inference"
    assert (span.attributes or {})["server.address"] == "models.example.com"


def test_every_method_is_found() -> None:
    """No name of a method stands for nothing, with this version of the client."""
    assert [each for found in mistral.ADAPTERS for each in found.methods if find_method(each)[0] is None] == []


def test_every_recorded_exchange(is_async: bool, recordings: Path, content_spans: Spans, tally: Tally) -> None:
    """Model, id, finish reasons, usage, text and tool calls of each span equal what was recorded."""
    found = exchanges(recordings / "openinference/mistralai")
    for exchange in found:
        content_spans.clear()
        asked = {name: value for name, value in exchange.request.items() if name != "stream"}
        ask(transport(exchange, http), "chat.stream", is_async=is_async, **asked)
        (span,) = content_spans.all
        assert told(span) == _recorded(exchange), exchange.name
        tally.replayed("mistral", exchange, "async" if is_async else "sync")
    assert len(found) >= 6


def _recorded(exchange: Exchange) -> Facts:
    last = exchange.events[-1]
    deltas = [each["choices"][0]["delta"] for each in exchange.events]
    text = "".join(each.get("content") or "" for each in deltas)
    calls = [each for delta in deltas for each in delta.get("tool_calls") or ()]
    return Facts(
        "mistral_ai",
        "chat",
        exchange.request["model"],
        last["id"],
        last["model"],
        (last["choices"][0]["finish_reason"],),
        Usage(last["usage"]["prompt_tokens"], last["usage"]["completion_tokens"]),
        (text,) if text else (),
        tuple((each["id"], each["function"]["name"], json.loads(each["function"]["arguments"])) for each in calls),
    )


def unread_event() -> dict[str, Any]:
    """Return a chunk that the client refuses, because its id is null."""
    return chunk({"content": SECRET}) | {"id": None}


@pytest.mark.usefixtures("in_production")
@pytest.mark.parametrize("action", [Action.BLOCK, Action.REDACT])
def test_an_event_that_the_client_refuses_is_decided(action: Action, is_async: bool) -> None:
    """The client's error carries the event: `Blocked` is raised in its place, and does not lead to the text."""
    wire = streamed(chunk({"content": "mine is "}), unread_event())
    bindings = bound("privacy", pattern(SECRET), action=action, on_error=OnError.CLOSED)
    with recorded(policy(bindings)) as record, pytest.raises(Blocked) as raised:
        ask(wire, "chat.stream", is_async=is_async)
    assert raised.value.__context__ is None
    assert record.decisions[0]["verdict"] == ("violated" if action is Action.BLOCK else "error")


def test_an_event_that_the_client_refuses_and_the_policy_allows(is_async: bool) -> None:
    """The application gets the client's error."""
    wire = streamed(chunk({"content": "mine is "}), unread_event())
    with recorded(policy(bound("privacy", pattern("else"), action=Action.BLOCK))) as record:
        with pytest.raises(ResponseValidationError) as raised:
            ask(wire, "chat.stream", is_async=is_async)
    assert SECRET in raised.value.body
    assert record.decisions[0]["action"] == "allow"
