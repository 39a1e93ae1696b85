"""Recorded traffic of the real service, replayed through the real client: the span says what the body says."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from cassettes import Exchange, exchanges, transport
from ended_spans import Spans
from http_libraries import openai_http
from installed import cannot_ask
from openai import APIStatusError, AsyncOpenAI, OpenAI
from opentelemetry.trace import SpanKind, StatusCode
from replays import Facts, Tally, told

from specspan.call import Usage

ERRORS = {400: "BadRequestError", 404: "NotFoundError"}
FOLDERS = ("otel-contrib/openai-v2", "openinference/openai")

Resource = Callable[[Any], Any]
"""The part of a client that an exchange was made with, such as ``client.chat.completions``."""


def replay_sync(exchange: Exchange, resource: Resource) -> None:
    http = openai_http.Client(transport=transport(exchange, openai_http))
    with OpenAI(api_key="test", http_client=http, max_retries=0) as client, contextlib.suppress(APIStatusError):
        answer = _create(resource(client), exchange)(**exchange.request)
        read = answer.parse() if _raw(exchange) else answer
        if exchange.request.get("stream"):
            list(read)


def replay_async(exchange: Exchange, resource: Resource) -> None:
    async def replay() -> None:
        http = openai_http.AsyncClient(transport=transport(exchange, openai_http))
        async with AsyncOpenAI(api_key="test", http_client=http, max_retries=0) as client:
            with contextlib.suppress(APIStatusError):
                answer = await _create(resource(client), exchange)(**exchange.request)
                read = answer.parse() if _raw(exchange) else answer
                if exchange.request.get("stream"):
                    [each async for each in read]

    asyncio.run(replay())


def _raw(exchange: Exchange) -> bool:
    return exchange.request_headers.get("x-stainless-raw-response") == "true"


def _create(resource: Any, exchange: Exchange) -> Any:
    return (resource.with_raw_response if _raw(exchange) else resource).create


@pytest.mark.parametrize("way", [replay_sync, replay_async], ids=["sync", "async"])
class TestEveryRecordedExchange:
    """Model, id, finish reasons, usage, text, tool calls and error type of each span equal what was recorded."""

    @pytest.fixture(autouse=True)
    def _setting(self, recordings: Path, content_spans: Spans, openai_instrumented: None, tally: Tally) -> None:
        self.recordings, self.spans, self.tally = recordings, content_spans, tally

    def replay(
        self,
        way: Callable[[Exchange, Resource], None],
        path: str,
        resource: Resource,
        expected: Callable[[Exchange], Facts],
    ) -> Sequence[Exchange]:
        """Replay and compare every exchange with a path."""
        found = [each for name in FOLDERS for each in exchanges(self.recordings / name, path=path)]
        for exchange in found:
            self.spans.clear()
            try:
                way(exchange, resource)
            except TypeError as error:
                if not cannot_ask(error):
                    raise
                self.tally.skipped("openai", exchange, "this client cannot ask so yet")
                continue
            (span,) = self.spans.all
            assert told(span) == expected(exchange), exchange.name
            assert span.kind is SpanKind.CLIENT
            assert span.status.status_code is (StatusCode.UNSET if exchange.status == 200 else StatusCode.ERROR)
            self.tally.replayed("openai", exchange, way.__name__.removeprefix("replay_"))
        return found

    def test_chat_completions(self, way: Callable[[Exchange, Resource], None]) -> None:
        """Of every chat completion."""
        found = self.replay(way, "/chat/completions$", lambda client: client.chat.completions, _chat)
        assert len(found) >= 46
        assert sum(each.status != 200 for each in found) == 3
        assert sum(bool(_chat(each).tool_calls) for each in found) >= 4

    def test_responses(self, way: Callable[[Exchange, Resource], None]) -> None:
        """Of every response."""
        found = self.replay(way, "/responses$", lambda client: client.responses, _responded)
        assert len(found) >= 21
        assert sum(each.status != 200 for each in found) == 1
        assert sum(each.streamed for each in found) == 9
        assert sum(bool(_responded(each).tool_calls) for each in found) == 1

    def test_embeddings(self, way: Callable[[Exchange, Resource], None]) -> None:
        """Of every embedding, of which there is no text."""
        found = self.replay(way, "/embeddings$", lambda client: client.embeddings, _embedded)
        assert len(found) >= 15
        assert sum(each.status != 200 for each in found) == 2


def _embedded(exchange: Exchange) -> Facts:
    asked = exchange.request["model"]
    if exchange.status != 200:
        return Facts("openai", "embeddings", asked, error=ERRORS[exchange.status])
    body = exchange.answer
    usage = Usage(input_tokens=body["usage"]["prompt_tokens"])
    return Facts("openai", "embeddings", asked, response_model=body["model"], usage=usage)


def _responded(exchange: Exchange) -> Facts:
    asked = exchange.request["model"]
    if exchange.status != 200:
        return Facts("openai", "chat", asked, error=ERRORS[exchange.status])
    body = exchange.events[-1]["response"] if exchange.streamed else exchange.answer
    usage = body["usage"]
    calls = [item for item in body["output"] if item["type"] == "function_call"]
    text = "".join(piece["text"] for item in body["output"] if item["type"] == "message" for piece in item["content"])
    assert (body["status"], body["incomplete_details"]) == ("completed", None)
    return Facts(
        "openai",
        "chat",
        asked,
        response_id=body["id"],
        response_model=body["model"],
        finish_reasons=("tool_calls",) if calls else ("stop",),
        usage=Usage(
            usage["input_tokens"],
            usage["output_tokens"],
            cache_read_input_tokens=usage["input_tokens_details"]["cached_tokens"],
            reasoning_output_tokens=usage["output_tokens_details"]["reasoning_tokens"],
        ),
        texts=(text,) if text else (),
        tool_calls=tuple((call["call_id"], call["name"], json.loads(call["arguments"])) for call in calls),
    )


def _chat(exchange: Exchange) -> Facts:
    """What a chat completion's body says, read without anything of specspan's or the client's."""
    asked = exchange.request["model"]
    if exchange.status != 200:
        return Facts("openai", "chat", asked, error=ERRORS[exchange.status])
    if not exchange.streamed:
        body = exchange.answer
        return _completed(asked, body, body["choices"], body["usage"])
    choices = [choice for event in exchange.events for choice in event["choices"]]
    usages = [event["usage"] for event in exchange.events if event.get("usage")]
    return _completed(asked, exchange.events[0], _joined(choices), usages[-1] if usages else {})


def _completed(asked: str, head: Mapping[str, Any], choices: Sequence[Any], usage: Mapping[str, Any]) -> Facts:
    read, written = usage.get("prompt_tokens_details") or {}, usage.get("completion_tokens_details") or {}
    messages = [choice["message"] for choice in choices]
    calls = [call for message in messages for call in message.get("tool_calls") or ()]
    return Facts(
        "openai",
        "chat",
        asked,
        response_id=head["id"],
        response_model=head["model"],
        finish_reasons=tuple(choice["finish_reason"] for choice in choices if choice["finish_reason"]),
        usage=Usage(
            usage.get("prompt_tokens"),
            usage.get("completion_tokens"),
            cache_read_input_tokens=read.get("cached_tokens"),
            reasoning_output_tokens=written.get("reasoning_tokens"),
        ),
        texts=tuple(text for each in messages if (text := (each["content"] or "") + (each.get("refusal") or ""))),
        tool_calls=tuple(
            (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"])) for call in calls
        ),
    )


def _joined(pieces: Sequence[Any]) -> list[dict[str, Any]]:
    """The choices that came in pieces."""
    choices: dict[int, dict[str, Any]] = {}
    for piece in pieces:
        choice = choices.setdefault(
            piece["index"], {"message": {"content": "", "tool_calls": []}, "finish_reason": None}
        )
        choice["finish_reason"] = piece.get("finish_reason") or choice["finish_reason"]
        choice["message"]["content"] += piece["delta"].get("content") or ""
        calls = choice["message"]["tool_calls"]
        for call in piece["delta"].get("tool_calls") or ():
            if call["index"] == len(calls):
                calls.append({"id": call["id"], "function": {"name": "", "arguments": ""}})
            for name in ("name", "arguments"):
                calls[call["index"]]["function"][name] += call["function"].get(name) or ""
    return [choices[index] for index in sorted(choices)]
