"""Groq and Together, who speak OpenAI's language through clients of their own: a span says what the body says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import groq
import httpx
import pytest
import together
from cassettes import Exchange, exchanges, transport
from ended_spans import Spans
from openai_wire import chunk, completion, sse, usage
from policies import bound, pattern, policy
from replays import Facts, Tally, told

import specspan
from specspan.call import Usage
from specspan.decision import Action, Stage
from specspan.errors import Blocked
from specspan.instrument.patches import is_replaced
from specspan.testing.memory import recorded

SECRET = "123-45-6789"
CLIENTS: Mapping[str, tuple[Any, Any]] = {
    "groq": (groq.Groq, groq.AsyncGroq),
    "together": (together.Together, together.AsyncTogether),
}


@dataclass(frozen=True)
class Caller:
    """Calls a client of one provider, one way."""

    name: str
    is_async: bool

    def __call__(self, answer: Any, path: str = "chat.completions", **asked: Any) -> Any:
        """The answer of ``create``, all chunks of a stream; ``answer`` is the body, or a transport."""
        how = answer if isinstance(answer, httpx.MockTransport) else _answering(answer)
        return asyncio.run(self._later(how, path, asked)) if self.is_async else self._now(how, path, asked)

    def _now(self, how: Any, path: str, asked: Mapping[str, Any]) -> Any:
        http = httpx.Client(transport=how)
        with CLIENTS[self.name][0](api_key="test", http_client=http, max_retries=0) as client:
            answer = _resource(client, path).create(**_with_defaults(asked))
            return list(answer) if asked.get("stream") else answer

    async def _later(self, how: Any, path: str, asked: Mapping[str, Any]) -> Any:
        http = httpx.AsyncClient(transport=how)
        async with CLIENTS[self.name][1](api_key="test", http_client=http, max_retries=0) as client:
            answer = await _resource(client, path).create(**_with_defaults(asked))
            return [each async for each in answer] if asked.get("stream") else answer


def _resource(client: Any, path: str) -> Any:
    for name in path.split("."):
        client = getattr(client, name)
    return client


def _with_defaults(asked: Mapping[str, Any]) -> dict[str, Any]:
    defaults = {} if "input" in asked else {"messages": [{"role": "user", "content": "hi"}]}
    return {"model": "vendor/m", **defaults, **asked}


def _answering(body: Any) -> httpx.MockTransport:
    kind = "text/event-stream" if isinstance(body, str) else "application/json"
    content = body if isinstance(body, str) else json.dumps(body)
    return httpx.MockTransport(lambda request: httpx.Response(200, headers={"content-type": kind}, text=content))


@pytest.fixture(params=[(name, is_async) for name in CLIENTS for is_async in (False, True)], ids=str)
def call(request: pytest.FixtureRequest) -> Iterator[Caller]:
    """Calls each provider through its instrumented sync and async client."""
    caller = Caller(*request.param)
    specspan.instrument(caller.name)
    yield caller
    specspan.uninstrument()


def _message(**said: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", **said}, "logprobs": None, "finish_reason": "stop"}
    return completion(choices=[choice])


def test_a_plain_answer(call: Caller, content_spans: Spans) -> None:
    """Whatever the body says is on the span, and the server; the vendor's prefix of the model stays."""
    answer = call(completion("Hello."))
    assert answer.choices[0].message.content == "Hello."
    (span,) = content_spans.all
    known = Usage(12, 5, cache_read_input_tokens=4, reasoning_output_tokens=2)
    assert told(span) == Facts(
        call.name, "chat", "vendor/m", "chatcmpl-1", "gpt-test-2026", ("stop",), known, ("Hello.",)
    )
    assert call.name in str((span.attributes or {})["server.address"])


def test_reasoning(call: Caller, content_spans: Spans) -> None:
    """What the model thought is reasoning, plain and streamed, and no part of the text."""
    thought = [
        chunk({"role": "assistant", "reasoning": "So "}),
        chunk({"reasoning": "be it."}),
        chunk({"content": "A"}),
    ]
    call(_message(content="A", reasoning="So be it."))
    call(sse([*thought, chunk({}, "stop")]), stream=True)
    for span in content_spans.all:
        (said,) = json.loads(str((span.attributes or {})["gen_ai.output.messages"]))
        assert [(part["type"], part["content"]) for part in said["parts"]] == [
            ("reasoning", "So be it."),
            ("text", "A"),
        ]


def test_streamed_tool_calls(call: Caller, content_spans: Spans) -> None:
    """Arguments that came in pieces are put together."""
    pieces = [
        {"index": 0, "id": "c1", "type": "function", "function": {"name": "find", "arguments": '{"q":'}},
        {"index": 0, "function": {"arguments": ' "a"}'}},
    ]
    call(sse([*(chunk({"tool_calls": [each]}) for each in pieces), chunk({}, "tool_calls")]), stream=True)
    (span,) = content_spans.all
    assert told(span).tool_calls == (("c1", "find", {"q": "a"}),)
    assert told(span).finish_reasons == ("tool_calls",)


def test_usage_of_a_stream(call: Caller, content_spans: Spans) -> None:
    """It is read wherever the service puts it, and absent where it said nothing."""
    own = {"x_groq": {"id": "req_1", "usage": usage()}} if call.name == "groq" else {"usage": usage()}
    call(sse([chunk({"content": "A"}), {**chunk({}, "stop"), **own}]), stream=True)
    call(sse([chunk({"content": "A"}), chunk({}, "stop")]), stream=True)
    first, second = map(told, content_spans.all)
    assert (first.usage.input_tokens, first.usage.output_tokens) == (12, 5)
    assert second.usage == Usage()


def test_embeddings(call: Caller, content_spans: Spans) -> None:
    """Texts go in; model and tokens are known of the answer."""
    body = {"object": "list", "model": "e-2", "data": [], "usage": {"prompt_tokens": 3, "total_tokens": 3}}
    call(body, "embeddings", input=["a", "b"])
    (span,) = content_spans.all
    assert told(span) == Facts(call.name, "embeddings", "vendor/m", response_model="e-2", usage=Usage(input_tokens=3))


def _rule(action: Action, stage: Stage = Stage.OUTPUT) -> Any:
    return policy(bound("privacy", pattern(r"\d{3}-\d{2}-\d{4}", stage=stage, reason="ssn"), action=action))


@pytest.mark.parametrize("name", CLIENTS)
def test_methods_are_put_back(name: str) -> None:
    """The very same functions."""
    module = import_module(f"{name}.resources.chat.completions")
    owners = [owner for owner in vars(module).values() if isinstance(owner, type) and "create" in vars(owner)]
    before = [vars(owner)["create"] for owner in owners]
    specspan.instrument(name)
    assert [is_replaced(vars(owner)["create"]) for owner in owners] == [True, True]
    specspan.uninstrument()
    assert all(vars(owner)["create"] is was for owner, was in zip(owners, before, strict=True))


def test_a_blocked_input_is_never_sent(call: Caller) -> None:
    """`Blocked` is raised before the service is asked."""

    def refuse(request: Any) -> Any:
        pytest.fail("asked")

    with recorded(_rule(Action.BLOCK, Stage.INPUT)), pytest.raises(Blocked):
        call(httpx.MockTransport(refuse), messages=[{"role": "user", "content": SECRET}])


def test_a_redacted_input_is_sent_redacted(call: Caller) -> None:
    """The application's own messages are not touched."""
    sent: list[Any] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(json.loads(request.content))
        return httpx.Response(200, json=completion())

    messages = [{"role": "user", "content": f"mine is {SECRET}"}]
    with recorded(_rule(Action.REDACT, Stage.INPUT)):
        call(httpx.MockTransport(answer), messages=messages)
    assert sent[0]["messages"] == [{"role": "user", "content": "mine is [redacted:ssn]"}]
    assert messages[0]["content"] == f"mine is {SECRET}"


def test_an_edited_answer_says_it_nowhere(call: Caller) -> None:
    """Neither in the message nor in the text that some services repeat beside it."""
    body = _message(content=f"It is {SECRET}.")
    body["choices"][0]["text"] = f"It is {SECRET}."
    with recorded(_rule(Action.REDACT)):
        answer = call(body)
    assert answer.choices[0].message.content == "It is [redacted:ssn]."
    assert SECRET not in answer.to_json()


def test_a_cut_stream_says_it_nowhere(call: Caller) -> None:
    """The last chunk has the redacted text, in every place that has a text."""
    events = [chunk({"content": "It is "}), chunk({"content": f"{SECRET}."}), chunk({}, "stop")]
    for event in events:
        event["choices"][0]["text"] = event["choices"][0]["delta"].get("content", "")
    with recorded(_rule(Action.REDACT)):
        chunks = call(sse(events), stream=True)
    assert SECRET not in "".join(each.to_json() for each in chunks)
    assert chunks[-1].choices[0].finish_reason == "content_filter"
    assert "redacted:ssn" in chunks[-1].choices[0].delta.content


@pytest.mark.parametrize("choices", [None, [], [{"index": 0, "message": None, "finish_reason": None}]])
def test_malformed_answers(call: Caller, content_spans: Spans, choices: Sequence[Any] | None) -> None:
    """The application gets what it would have got, and the span carries what is known."""
    answer = call(completion(choices=choices))
    assert answer.choices == choices or len(answer.choices) == 1
    (span,) = content_spans.all
    assert told(span).response_id == "chatcmpl-1"


@pytest.mark.parametrize("way", [False, True], ids=["sync", "async"])
def test_every_recorded_exchange_with_together(
    way: bool,
    recordings: Path,
    content_spans: Spans,
    tally: Tally,
) -> None:
    """Model, id, finish reasons, usage, text and tool calls of each span equal what was recorded."""
    specspan.instrument("together")
    caller = Caller("together", way)
    found = exchanges(recordings / "openinference/together")
    try:
        for exchange in found:
            content_spans.clear()
            caller(transport(exchange, httpx), **exchange.request)
            (span,) = content_spans.all
            assert told(span) == _recorded(exchange), exchange.name
            tally.replayed("together", exchange, "async" if way else "sync")
    finally:
        specspan.uninstrument()
    assert len(found) >= 8


def _recorded(exchange: Exchange) -> Facts:
    head = exchange.events[-1] if exchange.streamed else exchange.answer
    (choice,) = head["choices"]
    calls = [] if exchange.streamed else choice["message"]["tool_calls"]
    pieces = [each["choices"][0]["delta"] for each in exchange.events] if exchange.streamed else [choice["message"]]
    text = "".join(each["content"] or "" for each in pieces)
    counted = head["usage"]
    return Facts(
        "together",
        "chat",
        exchange.request["model"],
        head["id"],
        head["model"],
        (choice["finish_reason"],),
        Usage(counted["prompt_tokens"], counted["completion_tokens"], counted.get("cached_tokens")),
        (text,) if text else (),
        tuple((each["id"], each["function"]["name"], json.loads(each["function"]["arguments"])) for each in calls),
    )
