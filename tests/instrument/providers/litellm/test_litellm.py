"""LiteLLM: one span for a call, whatever it asks underneath; whose model it is; texts in and out."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cassettes import Exchange, exchanges, served
from ended_spans import Spans
from openai_wire import chunk, completion, response, response_events, sse, typed_sse, usage
from policies import bound, pattern, policy
from replays import Facts, Tally, told

import specspan
from specspan.call import Usage
from specspan.decision import Action, Stage
from specspan.errors import Blocked
from specspan.instrument.patches import is_replaced
from specspan.testing.memory import recorded

litellm = pytest.importorskip("litellm", reason="run with: make environments ENVIRONMENTS=litellm")
litellm.suppress_debug_info = True
# What it keeps is for one event loop, and tests have one each: it warns of that, and so does what it keeps.
logging.getLogger("LiteLLM").setLevel(logging.ERROR)
logging.getLogger("asyncio").addFilter(lambda record: not record.getMessage().startswith("Unclosed client"))

SECRET = "123-45-6789"
ASKED: Mapping[str, Any] = {"model": "openai/gpt-test", "messages": [{"role": "user", "content": "hi"}]}
KNOWN = Usage(12, 5, cache_read_input_tokens=4, reasoning_output_tokens=2)


def on_the_wire(body: Any, status: int = 200) -> Exchange:
    """One answer of a service: a dict as JSON, text as a stream of events."""
    streamed = isinstance(body, str)
    headers = {"content-type": "text/event-stream" if streamed else "application/json"}
    content = body if streamed else json.dumps(body)
    return Exchange("wire", "POST", "http://wire/", {}, b"", status, headers, content.encode())


class Caller:
    """Calls one of LiteLLM's functions, or its async twin, and reads what it answers."""

    def __init__(self, *, is_async: bool) -> None:
        self.is_async = is_async

    def __call__(self, answer: Any, name: str = "completion", *args: Any, **asked: Any) -> Any:
        """The answer to what the service answers: a body, or what was recorded. Of a stream, all of its chunks."""
        exchange = answer if isinstance(answer, Exchange) else on_the_wire(answer)
        with served(exchange) as url:
            keys = {"api_base": f"{url}/v1", "api_key": "test", "num_retries": 0, "max_retries": 0}
            given = {**keys, **(asked or ({} if args else ASKED))}
            if self.is_async:
                return asyncio.run(self._later(name, args, given))
            found = getattr(litellm, name)(*args, **given)
            return list(found) if given.get("stream") else found

    async def _later(self, name: str, args: Sequence[Any], given: Mapping[str, Any]) -> Any:
        found = await getattr(litellm, f"a{name}")(*args, **given)
        return [each async for each in found] if given.get("stream") else found


@pytest.fixture(params=[False, True], ids=["sync", "async"])
def call(request: pytest.FixtureRequest) -> Iterator[Caller]:
    """Calls the instrumented functions, beside the client that they ask."""
    specspan.instrument("litellm", "openai")
    yield Caller(is_async=request.param)
    specspan.uninstrument()


def streamed(*pieces: Any) -> str:
    return sse([*pieces, chunk({}, "stop")])


def message(**said: Any) -> dict[str, Any]:
    reason = "tool_calls" if "tool_calls" in said else "stop"
    choice = {"index": 0, "message": {"role": "assistant", **said}, "logprobs": None, "finish_reason": reason}
    return completion(choices=[choice])


def rule(action: Action, stage: Stage = Stage.OUTPUT) -> Any:
    return policy(bound("privacy", pattern(r"\d{3}-\d{2}-\d{4}", stage=stage, reason="ssn"), action=action))


def parts(spans: Spans) -> list[Mapping[str, Any]]:
    (span,) = spans.all
    (said,) = json.loads(str((span.attributes or {})["gen_ai.output.messages"]))
    return list(said["parts"])


def test_a_plain_answer(call: Caller, content_spans: Spans) -> None:
    """One span, though the client that is asked underneath is met, too; the prefix of the model stays."""
    answer = call(completion("Hello."))
    assert type(answer) is litellm.ModelResponse
    (span,) = content_spans.all
    assert told(span) == Facts(
        "openai", "chat", "openai/gpt-test", "chatcmpl-1", "gpt-test-2026", ("stop",), KNOWN, ("Hello.",)
    )
    assert (span.attributes or {})["server.address"] == "127.0.0.1"


def test_a_stream(call: Caller, content_spans: Spans) -> None:
    """So has a stream; what was counted is read where it is hidden, and where it was asked for."""
    pieces = streamed(chunk({"content": "Hel"}), chunk({"content": "lo."}))
    events = pieces.replace(
        "data: [DONE]", f"data: {json.dumps({**chunk({}), 'choices': [], 'usage': usage()})}\n\ndata: [DONE]"
    )
    chunks = call(events, **ASKED, stream=True, stream_options={"include_usage": True})
    assert {type(each) for each in chunks} == {litellm.ModelResponseStream}
    (span,) = content_spans.all
    found = told(span)
    assert (found.response_id, found.finish_reasons, found.texts) == ("chatcmpl-1", ("stop",), ("Hello.",))
    assert (found.usage.input_tokens, found.usage.output_tokens) == (12, 5)
    assert (span.attributes or {})["gen_ai.response.time_to_first_chunk"] > 0  # type: ignore[operator]  # a number


def test_what_was_not_counted(call: Caller, content_spans: Spans) -> None:
    """LiteLLM's zeros for it are no counts."""
    body = completion("Hello.")
    del body["usage"]
    call(body)
    call(streamed(chunk({"content": "Hello."})), **ASKED, stream=True)
    assert [told(span).usage for span in content_spans.all] == [Usage(), Usage()]


@pytest.mark.parametrize(
    ("asked", "provider"),
    [
        ({"model": "openai/gpt-test"}, "openai"),
        ({"model": "gpt-4o"}, "openai"),
        ({"model": "m", "custom_llm_provider": "openai"}, "openai"),
        ({"model": "hosted_vllm/vendor/m"}, "hosted_vllm"),
        ({"model": "together_ai/vendor/m"}, "together"),
        ({"model": "xai/m"}, "x_ai"),
    ],
    ids=str,
)
def test_whose_model_it_is(call: Caller, spans: Spans, asked: Mapping[str, Any], provider: str) -> None:
    """LiteLLM is asked, and the provider is the one that it asks."""
    call(completion("Hello."), **{**ASKED, **asked})
    (span,) = spans.all
    assert (span.attributes or {})["gen_ai.provider.name"] == provider
    assert (span.attributes or {})["gen_ai.request.model"] == asked["model"]


def test_a_model_of_nobodys(call: Caller, spans: Spans) -> None:
    """What LiteLLM refuses fails as it does without specspan, and is its own."""
    with pytest.raises(litellm.BadRequestError):
        call({}, model="nobodys", messages=[])
    (span,) = spans.all
    assert (span.attributes or {})["error.type"] == "BadRequestError"
    assert (span.attributes or {})["gen_ai.provider.name"] == "litellm"


def test_a_service_that_refuses(call: Caller, spans: Spans) -> None:
    """The error is the one that LiteLLM makes of it."""
    with pytest.raises(litellm.NotFoundError):
        call(on_the_wire({"error": {"message": "no such model", "type": "x", "code": "model_not_found"}}, 404))
    (span,) = spans.all
    assert (span.attributes or {})["error.type"] == "NotFoundError"


def test_tool_calls(call: Caller, content_spans: Spans) -> None:
    """Whole, and put together from pieces."""
    made = {"id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"q": "a"}'}}
    pieces = [
        {"index": 0, "id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"q":'}},
        {"index": 0, "function": {"arguments": ' "a"}'}},
    ]
    call(message(content=None, tool_calls=[made]))
    call(sse([*(chunk({"tool_calls": [each]}) for each in pieces), chunk({}, "tool_calls")]), **ASKED, stream=True)
    for span in content_spans.all:
        assert told(span).tool_calls == (("c1", "find", {"q": "a"}),)
        assert told(span).finish_reasons == ("tool_calls",)


def test_reasoning(call: Caller, content_spans: Spans) -> None:
    """What the model thought is told from what it said."""
    call(message(content="A", reasoning_content="So be it."))
    assert [(part["type"], part["content"]) for part in parts(content_spans)] == [
        ("reasoning", "So be it."),
        ("text", "A"),
    ]


def test_a_refusal(call: Caller, content_spans: Spans) -> None:
    """It is found where LiteLLM puts it."""
    call(message(content=None, refusal="No."))
    assert [(part["type"], part["content"]) for part in parts(content_spans)] == [("refusal", "No.")]


def test_several_choices(call: Caller, content_spans: Spans) -> None:
    """Each is a message."""
    said = [
        {"index": i, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        for i, text in enumerate("ab")
    ]
    call(completion(choices=said), **ASKED, n=2)
    (span,) = content_spans.all
    assert told(span).texts == ("a", "b")


def test_what_was_sent(call: Caller, content_spans: Spans) -> None:
    """Positional arguments and an answer among the messages are read; images are referred to, and not kept."""
    earlier = call(completion("Hello."))
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
    content_spans.clear()
    call(
        completion("A."),
        "completion",
        "openai/gpt-test",
        [earlier.choices[0].message, {"role": "user", "content": [picture]}],
    )
    (span,) = content_spans.all
    sent = json.loads(str((span.attributes or {})["gen_ai.input.messages"]))
    assert [part["type"] for each in sent for part in each["parts"]] == ["text", "uri"]
    assert "QUJD" not in json.dumps(sent)


def test_embeddings(call: Caller, content_spans: Spans) -> None:
    """Texts go in; model and tokens are known of the answer."""
    vector = {"object": "embedding", "index": 0, "embedding": [0.5]}
    body = {"object": "list", "model": "e-2", "data": [vector], "usage": {"prompt_tokens": 3, "total_tokens": 3}}
    call(body, "embedding", model="openai/e", input=["a"])
    (span,) = content_spans.all
    assert told(span) == Facts("openai", "embeddings", "openai/e", response_model="e-2", usage=Usage(input_tokens=3))


TEXT = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "t-2026"}


def text_choice(text: str, reason: str | None = "stop") -> dict[str, Any]:
    return {**TEXT, "choices": [{"text": text, "index": 0, "logprobs": None, "finish_reason": reason}]}


def test_text_completions(call: Caller, content_spans: Spans) -> None:
    """A text goes in and its continuation comes out, whole or in pieces."""
    call({**text_choice("Hello."), "usage": usage()}, "text_completion", model="openai/t", prompt="Say")
    call(
        sse([text_choice("Hel", None), text_choice("lo.")]),
        "text_completion",
        model="openai/t",
        prompt="Say",
        stream=True,
    )
    plain, pieces = map(told, content_spans.all)
    assert plain == Facts("openai", "text_completion", "openai/t", "cmpl-1", "t-2026", ("stop",), KNOWN, ("Hello.",))
    assert (pieces.texts, pieces.finish_reasons) == (("Hello.",), ("stop",))


def test_responses(call: Caller, content_spans: Spans) -> None:
    """What is asked by way of the Responses API is read as the service's own client is."""
    call(response("Hello."), "responses", model="openai/gpt-4o", input="hi")
    call(typed_sse(response_events("Hel", "lo.")), "responses", model="openai/gpt-4o", input="hi", stream=True)
    for span in content_spans.all:
        found = told(span)
        assert (found.provider, found.operation, found.texts, found.finish_reasons) == (
            "openai",
            "chat",
            ("Hello.",),
            ("stop",),
        )
        assert found.usage == replace(KNOWN, cache_write_input_tokens=3)


def test_a_router(call: Caller, spans: Spans) -> None:
    """Each call that it makes is one."""
    with served(on_the_wire(completion("Hello."))) as url:
        deployment = {"model": "openai/gpt-test", "api_base": f"{url}/v1", "api_key": "test"}
        router = litellm.Router([{"model_name": "ours", "litellm_params": deployment}], num_retries=0)
        asked: Any = {"model": "ours", "messages": ASKED["messages"]}
        asyncio.run(router.acompletion(**asked)) if call.is_async else router.completion(**asked)
    assert spans.names == ["chat openai/gpt-test"]


def test_the_client_by_itself(call: Caller, spans: Spans) -> None:
    """A call that is not LiteLLM's is met after it as before."""
    from openai_wire import Wire

    call(completion("Hello."))
    Wire(completion("Hello.")).sync_client().chat.completions.create(model="m", messages=[])
    assert spans.names == ["chat openai/gpt-test", "chat m"]


def test_a_blocked_input_is_never_sent(call: Caller) -> None:
    """`Blocked` is raised before the service is asked."""
    with recorded(rule(Action.BLOCK, Stage.INPUT)) as record, pytest.raises(Blocked):
        call(on_the_wire({}, 500), model="openai/m", messages=[{"role": "user", "content": SECRET}])
    assert [each["error.type"] for each in (dict(span.attributes or {}) for span in record.spans)] == [
        "specspan.blocked"
    ]


def test_an_edited_answer_says_it_nowhere(call: Caller) -> None:
    """Neither in the message nor among what LiteLLM keeps beside it; what the client made is not touched."""
    with recorded(rule(Action.REDACT)):
        said = call(message(content=f"It is {SECRET}."))
        refused = call(message(content=None, refusal=f"Not {SECRET}."))
        continued = call(text_choice(f"It is {SECRET}."), "text_completion", model="openai/t", prompt="Say")
    assert said.choices[0].message.content == "It is [redacted:ssn]."
    assert refused.choices[0].message.provider_specific_fields["refusal"] == "Not [redacted:ssn]."
    assert continued.choices[0].text == "It is [redacted:ssn]."
    for answer in (said, refused, continued):
        assert SECRET not in answer.model_dump_json() + str(answer._hidden_params)


def test_a_redacted_input_is_sent_redacted(call: Caller) -> None:
    """In a copy of the application's messages."""
    sent: list[Any] = []
    messages = [{"role": "user", "content": f"mine is {SECRET}"}]
    with recorded(rule(Action.REDACT, Stage.INPUT)):
        call(completion("Hello."), model="openai/m", messages=messages, logger_fn=sent.append)
    assert messages[0]["content"] == f"mine is {SECRET}"
    assert "[redacted:ssn]" in str(sent)
    assert SECRET not in str(sent)


def test_a_cut_stream_says_it_nowhere(call: Caller) -> None:
    """The last chunk has the redacted text, of each kind of stream."""
    pieces = streamed(chunk({"content": "It is "}), chunk({"content": f"{SECRET}."}))
    texts = sse([text_choice("It is ", None), text_choice(f"{SECRET}.")])
    with recorded(rule(Action.REDACT)):
        chunks = call(pieces, **ASKED, stream=True)
        continued = call(texts, "text_completion", model="openai/t", prompt="Say", stream=True)
        events = call(
            typed_sse(response_events("It is ", f"{SECRET}.")),
            "responses",
            model="openai/gpt-4o",
            input="hi",
            stream=True,
        )
    assert chunks[-1].choices[0].finish_reason == "content_filter"
    assert "redacted:ssn" in chunks[-1].choices[0].delta.content
    assert "redacted:ssn" in continued[-1].choices[0].text
    assert events[-1].type == "response.incomplete"
    assert SECRET not in "".join(each.model_dump_json() for each in (*chunks, *continued, *events))


@pytest.mark.parametrize("choices", [[], [{"index": 0, "message": {"role": "assistant"}, "finish_reason": None}]])
def test_malformed_answers(call: Caller, content_spans: Spans, choices: Sequence[Any]) -> None:
    """The span carries what is known."""
    call(completion(choices=choices))
    (span,) = content_spans.all
    assert told(span).response_id == "chatcmpl-1"


def test_functions_are_put_back() -> None:
    """The very same ones."""
    names = [
        f"{twin}{name}" for name in ("completion", "text_completion", "responses", "embedding") for twin in ("", "a")
    ]
    before = [vars(litellm)[name] for name in names]
    specspan.instrument("litellm")
    assert all(is_replaced(vars(litellm)[name]) for name in names)
    specspan.uninstrument()
    assert all(vars(litellm)[name] is was for name, was in zip(names, before, strict=True))


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings:UserWarning")
def test_every_recorded_exchange(call: Caller, recordings: Path, content_spans: Spans, tally: Tally) -> None:
    """Finish reasons, usage, text and tool calls of each span equal what was recorded; id and model what it became."""
    found = exchanges(recordings / "openinference/litellm")
    for exchange in found:
        content_spans.clear()
        name, vendor, read = KINDS[exchange.path]
        asked = {**exchange.request, "model": f"{vendor}/{exchange.request['model']}"}
        answer = call(exchange, name, **asked)
        (span,) = content_spans.all
        expected = read(exchange)
        became: Any = answer[0] if isinstance(answer, list) else answer
        became = getattr(became, "response", became)
        named = Facts(vendor, expected.operation, asked["model"], getattr(became, "id", None), became.model)
        assert told(span) == replace(
            expected,
            **{field: getattr(named, field) for field in ("provider", "model", "response_id", "response_model")},
        ), exchange.name
        tally.replayed("litellm", exchange, "async" if call.is_async else "sync")
    assert len(found) >= 13


def _chat_body(exchange: Exchange) -> Facts:
    (choice,) = exchange.answer["choices"]
    return Facts(
        "",
        "chat",
        "",
        None,
        None,
        (choice["finish_reason"],),
        _counted(exchange.answer["usage"], "prompt", "completion"),
        (choice["message"]["content"],),
    )


def _message_body(exchange: Exchange) -> Facts:
    if exchange.streamed:
        (counts,) = [event["usage"] for event in exchange.events if event["type"] == "message_delta"]
        text = "".join(
            event["delta"].get("text", "") for event in exchange.events if event["type"] == "content_block_delta"
        )
    else:
        counts = exchange.answer["usage"]
        text = "".join(block["text"] for block in exchange.answer["content"])
    cached, written = counts["cache_read_input_tokens"], counts["cache_creation_input_tokens"]
    thought = counts.get("output_tokens_details", {}).get("thinking_tokens")
    return Facts(
        "",
        "chat",
        "",
        None,
        None,
        ("stop",),
        Usage(counts["input_tokens"] + cached + written, counts["output_tokens"], cached, written, thought),
        (text,),
    )


def _response_body(exchange: Exchange) -> Facts:
    body = exchange.events[-1]["response"] if exchange.streamed else exchange.answer
    said = [piece["text"] for item in body["output"] if item["type"] == "message" for piece in item["content"]]
    calls = [item for item in body["output"] if item["type"] == "web_search_call"]
    return Facts(
        "",
        "chat",
        "",
        None,
        None,
        ("stop",),
        _counted(body["usage"], "input", "output"),
        ("".join(said),),
        tuple((each["id"], "web_search", each["action"]) for each in calls),
    )


def _counted(counts: Mapping[str, Any], read: str, written: str) -> Usage:
    return Usage(
        counts[f"{read}_tokens"],
        counts[f"{written}_tokens"],
        counts[f"{read}_tokens_details"]["cached_tokens"],
        counts[f"{read}_tokens_details"].get("cache_write_tokens"),
        reasoning_output_tokens=counts[f"{written}_tokens_details"]["reasoning_tokens"],
    )


def _embeddings_body(exchange: Exchange) -> Facts:
    return Facts("", "embeddings", "", usage=Usage(exchange.answer["usage"]["prompt_tokens"]))


KINDS = {
    "/v1/chat/completions": ("completion", "openai", _chat_body),
    "/v1/messages": ("completion", "anthropic", _message_body),
    "/v1/responses": ("responses", "openai", _response_body),
    "/v1/embeddings": ("embedding", "openai", _embeddings_body),
}
"""The function of LiteLLM that asks it, whose service it is, and what its body says."""
