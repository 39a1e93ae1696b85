"""Recorded traffic of the real service, replayed through the real client: the span says what the body says."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from anthropic import Anthropic, AsyncAnthropic
from cassettes import Exchange, exchanges, transport
from ended_spans import Spans
from http_libraries import anthropic_http
from installed import cannot_ask
from replays import Facts, Tally, told

from specspan.call import Usage

RECORDED = 20
BETA = "beta=true"
TEXT_COMPLETIONS = "text completions are no longer in the client"
FINISH_REASONS = {"end_turn": "stop", "tool_use": "tool_calls"}

Way = Callable[[Exchange], None]


def create(exchange: Exchange) -> None:
    answer = _messages(exchange).create(**exchange.request)
    if exchange.streamed:
        list(answer)


def create_async(exchange: Exchange) -> None:
    async def ask() -> None:
        answer = await _async_messages(exchange).create(**exchange.request)
        if exchange.streamed:
            [event async for event in answer]

    asyncio.run(ask())


def raw(exchange: Exchange) -> None:
    answer = _messages(exchange).with_raw_response.create(**exchange.request).parse()
    if exchange.streamed:
        list(answer)


def raw_async(exchange: Exchange) -> None:
    async def ask() -> None:
        parsed = (await _async_messages(exchange).with_raw_response.create(**exchange.request)).parse()
        answer = await parsed if inspect.isawaitable(parsed) else parsed  # older clients' is not
        if exchange.streamed:
            [event async for event in answer]

    asyncio.run(ask())


def helper(exchange: Exchange) -> None:
    with _messages(exchange).stream(**_without_stream(exchange)) as stream:
        stream.get_final_message()


def helper_async(exchange: Exchange) -> None:
    async def ask() -> None:
        async with _async_messages(exchange).stream(**_without_stream(exchange)) as stream:
            await stream.get_final_message()

    asyncio.run(ask())


def _messages(exchange: Exchange) -> Any:
    return _resource(_client(exchange), exchange)


def _client(exchange: Exchange) -> Anthropic:
    http = anthropic_http.Client(transport=transport(exchange, anthropic_http))
    return Anthropic(api_key="k", http_client=http)


def _async_messages(exchange: Exchange) -> Any:
    http = anthropic_http.AsyncClient(transport=transport(exchange, anthropic_http))
    return _resource(AsyncAnthropic(api_key="k", http_client=http), exchange)


def _resource(client: Any, exchange: Exchange) -> Any:
    return client.beta.messages if exchange.url.endswith(BETA) else client.messages


def _without_stream(exchange: Exchange) -> dict[str, Any]:
    return {name: value for name, value in exchange.request.items() if name != "stream"}


@pytest.mark.filterwarnings("ignore:The model '.*' is deprecated:DeprecationWarning")
@pytest.mark.parametrize("way", [create, create_async, raw, raw_async, helper, helper_async])
def test_every_message(
    way: Way, recordings: Path, content_spans: Spans, anthropic_instrumented: None, tally: Tally
) -> None:
    """Model, id, finish reason, usage, text and tool calls of each span equal what was recorded."""
    found = exchanges(recordings / "openinference/anthropic", host=r"anthropic\.com$")
    messages = [each for each in found if each.path == "/v1/messages"]
    for exchange in messages:
        if exchange.url.endswith(BETA) and not hasattr(_client(exchange), "beta"):
            assert "SPECSPAN_ENVIRONMENT" in os.environ  # the newest client has them
            tally.skipped("anthropic", exchange, "beta messages are not in the client yet")
        elif exchange.streamed or way not in (helper, helper_async):
            content_spans.clear()
            try:
                way(exchange)
            except TypeError as error:
                if not cannot_ask(error):
                    raise
                tally.skipped("anthropic", exchange, "this client cannot ask so yet")
                continue
            (span,) = content_spans.all
            assert told(span) == _expected(exchange), exchange.name
            tally.replayed("anthropic", exchange, way.__name__)
    assert len(messages) >= RECORDED
    assert sum(exchange.streamed for exchange in messages) >= 6
    assert sum(bool(_expected(exchange).tool_calls) for exchange in messages) >= 2

    others = [each for each in found if each not in messages]
    assert {each.path for each in others} == {"/v1/complete"}
    for exchange in others:
        tally.skipped("anthropic", exchange, TEXT_COMPLETIONS)


def _expected(exchange: Exchange) -> Facts:
    """What a body says, read without anything of specspan's or the client's."""
    body = _joined(exchange.events) if exchange.streamed else exchange.answer
    usage = body["usage"]
    read, written = usage.get("cache_read_input_tokens"), usage.get("cache_creation_input_tokens")
    content = body["content"]
    text = "".join(block["text"] for block in content if block["type"] == "text")
    return Facts(
        "anthropic",
        "chat",
        exchange.request["model"],
        response_id=body["id"],
        response_model=body["model"],
        finish_reasons=(FINISH_REASONS[body["stop_reason"]],),
        usage=Usage(
            usage["input_tokens"] + (read or 0) + (written or 0),
            usage["output_tokens"],
            cache_read_input_tokens=read,
            cache_write_input_tokens=written,
        ),
        texts=(text,) if text else (),
        tool_calls=tuple(
            (block["id"], block["name"], block["input"]) for block in content if block["type"] == "tool_use"
        ),
    )


def _joined(events: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The message that came in pieces."""
    message: dict[str, Any] = {**events[0]["message"], "content": []}
    pieces: dict[int, str] = {}
    for event in events:
        if event["type"] == "content_block_start":
            message["content"].append(dict(event["content_block"]))
            pieces[event["index"]] = ""
        elif event["type"] == "content_block_delta":
            pieces[event["index"]] += event["delta"].get("text") or event["delta"].get("partial_json") or ""
        elif event["type"] == "message_delta":
            message = message | event["delta"] | {"usage": message["usage"] | event["usage"]}
    for index, said in pieces.items():
        block = message["content"][index]
        block.update({"text": said} if block["type"] == "text" else {"input": json.loads(said)})
    return message
