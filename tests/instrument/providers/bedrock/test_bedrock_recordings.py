"""Recorded traffic of the real service, replayed through the real client: the span says what the body says."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from bedrock_wire import client
from botocore.eventstream import EventStreamBuffer
from botocore.exceptions import ClientError
from cassettes import Exchange, before_send, exchanges
from ended_spans import Spans
from opentelemetry.trace import SpanKind, StatusCode
from replays import Facts, Tally, told

from specspan.call import Usage

RECORDED = 86
FOLDERS = ("otel-contrib/botocore", "openinference/bedrock")
NO_MODEL_CALLS = {
    "bedrock-agent-runtime": "an agent's turn is not a model call",
    "/guardrail/": "a guardrail is not a model",
    "rackcdn.com": "an image that was fetched for a request",
}
METHODS = {
    "converse": "converse",
    "converse-stream": "converse_stream",
    "invoke": "invoke_model",
    "invoke-with-response-stream": "invoke_model_with_response_stream",
}
FINISH_REASONS = {
    "end_turn": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "stop_sequence": "stop",
    "MAX_TOKENS": "length",
    "LENGTH": "length",
    "FINISH": "stop",
    "length": "length",
    "stop": "stop",
}


def replay(exchange: Exchange) -> None:
    """Make the recorded call, and read all of its answer; it is what was recorded."""
    found = client(before_send(exchange))
    _, model, operation = exchange.path.rsplit("/", 2)
    asked = exchange.request if operation.startswith("converse") else {"body": exchange.request_body}
    answer = getattr(found, METHODS[operation])(modelId=model, **asked)
    if exchange.streamed:
        stream = answer["stream"] if operation.startswith("converse") else answer["body"]
        assert len(list(stream)) == len(list(_frames(exchange)))
    elif operation == "invoke":
        assert answer["body"].read() == exchange.body


def test_every_recorded_exchange(
    recordings: Path, content_spans: Spans, bedrock_instrumented: None, tally: Tally
) -> None:
    """Model, id, finish reason, usage, text, tool calls and error of each span equal what was recorded."""
    found = [each for folder in FOLDERS for each in exchanges(recordings / folder)]
    others = {each.name: why for each in found for part, why in NO_MODEL_CALLS.items() if part in each.url}
    model_calls = [each for each in found if each.name not in others]
    for exchange in model_calls:
        content_spans.clear()
        with contextlib.suppress(ClientError):
            replay(exchange)
        (span,) = content_spans.all
        assert told(span) == _expected(exchange), exchange.name
        assert span.kind is SpanKind.CLIENT
        assert span.status.status_code is (StatusCode.UNSET if exchange.status == 200 else StatusCode.ERROR)
        tally.replayed("bedrock", exchange, "sync")
    for exchange in found:
        if exchange.name in others:
            tally.skipped("bedrock", exchange, others[exchange.name])
    assert len(model_calls) >= RECORDED
    assert sum(each.streamed for each in model_calls) >= 39
    assert sum(each.status != 200 for each in model_calls) == 4
    assert sum(bool(_expected(each).tool_calls) for each in model_calls) >= 18


def _expected(exchange: Exchange) -> Facts:
    """What a body says, read without anything of specspan's or the client's."""
    _, model, operation = exchange.path.rsplit("/", 2)
    if exchange.status != 200:
        kind = "chat" if operation.startswith("converse") else "text_completion"
        return Facts("aws.bedrock", kind, model, error="ValidationException")
    body = _joined(exchange) if exchange.streamed else exchange.answer
    if "output" in body:
        return _of_converse(model, body)
    return _of_claude(model, body) if "anthropic" in model else _of_text(model, body, exchange)


def _of_converse(model: str, body: Mapping[str, Any]) -> Facts:
    content, usage = body["output"]["message"]["content"], body["usage"]
    return Facts(
        "aws.bedrock",
        "chat",
        model,
        finish_reasons=(FINISH_REASONS[body["stopReason"]],),
        usage=Usage(
            usage["inputTokens"],
            usage["outputTokens"],
            usage.get("cacheReadInputTokenCount"),  # 0 where there is one
            usage.get("cacheWriteInputTokenCount"),
        ),
        texts=_texts(block.get("text", "") for block in content),
        tool_calls=tuple(
            (block["toolUse"]["toolUseId"], block["toolUse"]["name"], block["toolUse"]["input"])
            for block in content
            if "toolUse" in block
        ),
    )


def _of_claude(model: str, body: Mapping[str, Any]) -> Facts:
    calls = [block for block in body["content"] if block["type"] == "tool_use"]
    return Facts(
        "aws.bedrock",
        "chat",
        model,
        response_id=body["id"],
        response_model=body["model"],
        finish_reasons=(FINISH_REASONS[body["stop_reason"]],),
        usage=Usage(body["usage"]["input_tokens"], body["usage"]["output_tokens"]),
        texts=_texts(block.get("text", "") for block in body["content"]),
        tool_calls=tuple((block["id"], block["name"], block["input"]) for block in calls),
    )


def _of_text(model: str, body: Mapping[str, Any], exchange: Exchange) -> Facts:
    """What Titan, Llama, Mistral and Cohere say. The service counts for those who do not."""
    (choice,) = [each for name in ("results", "outputs", "generations") for each in body.get(name, ())] or [body]
    texts = [choice.get(name, "") for name in ("outputText", "text", "generation")]
    reason = choice.get("completionReason") or choice.get("finish_reason") or choice["stop_reason"]
    counts = [exchange.headers.get(f"x-amzn-bedrock-{way}-token-count") for way in ("input", "output")]
    metered = body.get("amazon-bedrock-invocationMetrics", {})
    read, written = (int(count) for count in counts if count) if any(counts) else metered.values()
    return Facts(
        "aws.bedrock",
        "chat" if "message" in exchange.request else "text_completion",
        model,
        response_id=body.get("response_id") or body.get("id"),
        finish_reasons=(FINISH_REASONS[reason],),
        usage=Usage(read, written),
        texts=_texts(texts),
    )


def _texts(found: Any) -> tuple[str, ...]:
    text = "".join(found)
    return (text,) if text else ()


def _frames(exchange: Exchange) -> Iterator[dict[str, Any]]:
    """What each event of a stream says; of those that are a model's own, what the model said."""
    buffer = EventStreamBuffer()
    buffer.add_data(exchange.body)
    for frame in buffer:
        said = json.loads(frame.payload)
        yield json.loads(base64.b64decode(said["bytes"])) if "bytes" in said else {frame.headers[":event-type"]: said}


def _joined(exchange: Exchange) -> dict[str, Any]:
    """The answer that came in pieces."""
    frames = list(_frames(exchange))
    if "outputText" in frames[0]:
        (only,) = frames
        metrics = only["amazon-bedrock-invocationMetrics"]
        return only | {"amazon-bedrock-invocationMetrics": dict(list(metrics.items())[:2])}
    return _joined_claude(frames) if frames[0].get("type") == "message_start" else _joined_converse(frames)


def _joined_claude(frames: list[dict[str, Any]]) -> dict[str, Any]:
    message = {**frames[0]["message"], "content": []}
    for each in frames:
        if each["type"] == "content_block_start":
            message["content"].append({**each["content_block"], "pieces": ""})
        elif each["type"] == "content_block_delta":
            message["content"][-1]["pieces"] += each["delta"].get("text") or each["delta"].get("partial_json") or ""
        elif each["type"] == "message_delta":
            message = message | each["delta"] | {"usage": message["usage"] | each["usage"]}
    for block in message["content"]:
        said = block.pop("pieces")
        block.update({"text": said} if block["type"] == "text" else {"input": json.loads(said)})
    return message


def _joined_converse(frames: list[dict[str, Any]]) -> dict[str, Any]:
    said = [(name, about) for each in frames for name, about in each.items()]
    starts = {about["contentBlockIndex"]: about["start"] for name, about in said if name == "contentBlockStart"}
    deltas = [about for name, about in said if name == "contentBlockDelta"]
    content: list[dict[str, Any]] = []
    for index, group in groupby(deltas, key=lambda each: each["contentBlockIndex"]):
        pieces = [each["delta"] for each in group]
        if index in starts:
            arguments = json.loads("".join(piece["toolUse"]["input"] for piece in pieces))
            content.append({"toolUse": starts[index]["toolUse"] | {"input": arguments}})
        else:
            content.append({"text": "".join(piece["text"] for piece in pieces)})
    told = dict(said)
    return {
        "output": {"message": {"content": content}},
        "stopReason": told["messageStop"]["stopReason"],
        "usage": told["metadata"]["usage"],
    }
