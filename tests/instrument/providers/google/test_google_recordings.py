"""Recorded traffic of Gemini, on both services, replayed through the real client: the span says what the body says."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cassettes import Exchange, exchanges, transport
from ended_spans import Spans
from google.genai.errors import ClientError
from google_wire import client
from replays import Facts, Tally, told

from specspan.call import Usage

FOLDERS = (
    "otel-contrib/google-genai",
    "otel-contrib/vertexai",
    "openinference/google-genai",
    "openinference/google-adk",
)
RECORDED = 63
SKIPPED = {
    "/cachedContents": "making a cache asks nothing of a model",
    "/interactions": "interactions are another API, which is not met",
}


def _asked(exchange: Exchange) -> dict[str, Any]:
    """What was sent, as the client takes it. Fields that it does not know are of no consequence for the answer."""
    sent = exchange.request
    found = re.search(r"models/([^:/]+):(\w+)$", exchange.path)
    assert found is not None
    if found[2] == "batchEmbedContents":
        return {"model": found[1], "contents": [each["content"] for each in sent["requests"]]}
    return {"model": found[1], "contents": [_known_role(each) for each in sent["contents"]]}


def _known_role(content: dict[str, Any]) -> dict[str, Any]:
    """The older client's files have a field that is none of the newer one's."""
    parts = [{name: part[name] for name in part if name != "thoughtSignature"} for part in content["parts"]]
    return {**content, "parts": parts}


def _run(exchange: Exchange, *, is_async: bool) -> None:
    vertex = "aiplatform" in exchange.url
    made = client(transport(exchange, httpx2), is_async=is_async, vertex=vertex)
    method = "embed_content" if "batchEmbed" in exchange.path else "generate_content"
    method += "_stream" if exchange.streamed else ""
    with suppress(ClientError):
        asked = getattr(made.models, method)(**_asked(exchange))
        if is_async:
            asyncio.run(_read(asked, streamed=exchange.streamed))
        elif exchange.streamed:
            list(asked)


async def _read(asked: Any, *, streamed: bool) -> None:
    answer = await asked
    if streamed:
        [chunk async for chunk in answer]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_every_exchange(
    recordings: Path, content_spans: Spans, google_instrumented: None, tally: Tally, *, is_async: bool
) -> None:
    """Model, id, finish reasons, usage, text and tool calls of each span equal what was recorded."""
    replayed = 0
    for exchange in (each for folder in FOLDERS for each in exchanges(recordings / folder)):
        skipped = _skipped(exchange)
        if skipped is not None:
            tally.skipped("google", exchange, skipped)
            continue
        content_spans.clear()
        _run(exchange, is_async=is_async)
        (span,) = content_spans.all
        assert told(span) == _expected(exchange), exchange.name
        tally.replayed("google", exchange, "async" if is_async else "sync")
        replayed += 1
    assert replayed >= RECORDED


def _skipped(exchange: Exchange) -> str | None:
    if re.search(rb'"finishReason":\s*\d', exchange.body):
        return "enums were asked for as numbers, which this client cannot read"
    return next((why for path, why in SKIPPED.items() if exchange.path.endswith(path)), None)


def _expected(exchange: Exchange) -> Facts:
    """What a body says, read without anything of specspan's or the client's."""
    provider = "gcp.vertex_ai" if "aiplatform" in exchange.url else "gcp.gemini"
    model = _asked(exchange)["model"]
    if "batchEmbed" in exchange.path:
        return Facts(provider, "embeddings", model)
    if exchange.status >= 400:
        return Facts(provider, "chat", model, error="ClientError")
    chunks: Sequence[Any] = exchange.events if exchange.streamed else [exchange.answer]
    parts = [part for chunk in chunks for part in _parts(chunk)]
    calls = tuple(
        (part["functionCall"].get("id"), part["functionCall"]["name"], part["functionCall"].get("args"))
        for part in parts
        if "functionCall" in part
    ) + tuple((code.get("id"), "code_execution", {"code": code["code"]}) for code in _all(parts, "executableCode"))
    text = "".join(part["text"] for part in parts if "text" in part and not part.get("thought"))
    (reason,) = {c["finishReason"] for chunk in chunks for c in chunk["candidates"] if "finishReason" in c}
    usage = {name: n for chunk in chunks for name, n in chunk["usageMetadata"].items()}
    prompt, thought, answered = (
        usage.get("promptTokenCount"),
        usage.get("thoughtsTokenCount"),
        usage.get("candidatesTokenCount"),
    )
    return Facts(
        provider,
        "chat",
        model,
        response_id=chunks[-1].get("responseId"),
        response_model=chunks[-1]["modelVersion"],
        finish_reasons=("tool_calls" if _all(parts, "functionCall") else FINISH_REASONS[reason],),
        usage=Usage(
            None if prompt is None else prompt + usage.get("toolUsePromptTokenCount", 0),
            None if thought is answered is None else (thought or 0) + (answered or 0),
            cache_read_input_tokens=usage.get("cachedContentTokenCount"),
            reasoning_output_tokens=thought,
        ),
        texts=(text,) if text else (),
        tool_calls=calls,
    )


FINISH_REASONS = {"STOP": "stop", "MAX_TOKENS": "length"}


def _all(parts: Sequence[Any], name: str) -> list[Any]:
    return [part[name] for part in parts if name in part]


def _parts(chunk: Any) -> Iterator[Any]:
    for candidate in chunk["candidates"]:
        yield from candidate.get("content", {}).get("parts", ())
