"""Recorded traffic of the real service, replayed through the real client: the span says what the body says."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from ended_spans import Spans
from openai import APIStatusError
from openai_wire import Ask, Wire
from opentelemetry.trace import SpanKind, StatusCode

from specspan.call import ModelCall
from specspan.record.recorder import Recorder

RECORDED = 39
ERRORS = {404: "NotFoundError"}


@dataclass(frozen=True)
class Exchange:
    """One recorded request and its answer."""

    name: str
    request: Mapping[str, Any]
    raw: bool
    status: int
    body: str


@dataclass(frozen=True)
class Answer:
    """What a body says, read without anything of specspan's or the client's."""

    attributes: Mapping[str, Any]
    tool_calls: list[tuple[str, str, Any]]


@pytest.fixture(scope="module")
def exchanges(recordings: Path) -> list[Exchange]:
    return list(_exchanges(recordings / "otel-contrib" / "openai-v2"))


def test_every_chat_completion_gives_one_true_span(
    exchanges: list[Exchange], ask: Ask, spans: Spans, openai_instrumented: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Model, id, finish reasons, usage, tool calls and error type of each span equal what was recorded."""
    calls = _watch_calls(monkeypatch)
    for exchange in exchanges:
        spans.clear()
        wire = Wire(exchange.body if "data: " in exchange.body else json.loads(exchange.body), exchange.status)
        with contextlib.suppress(APIStatusError):
            ask(wire, raw=exchange.raw, **exchange.request)

        (span,) = spans.all
        expected = _answered(exchange)
        assert (span.name, span.kind) == (f"chat {exchange.request['model']}", SpanKind.CLIENT), exchange.name
        assert span.status.status_code is (StatusCode.UNSET if exchange.status == 200 else StatusCode.ERROR)
        assert _said(span.attributes or {}) == expected.attributes, exchange.name
        (call,) = calls
        assert [(each.id, each.name, each.arguments) for each in call.tool_calls] == expected.tool_calls, exchange.name
        calls.clear()
    assert len(exchanges) >= RECORDED
    assert sum(exchange.status != 200 for exchange in exchanges) == 2
    assert sum(bool(_answered(exchange).tool_calls) for exchange in exchanges) >= 4


def _watch_calls(monkeypatch: pytest.MonkeyPatch) -> list[ModelCall]:
    """The calls as the recorder is given them: tool calls are content, which spans do not carry."""
    calls: list[ModelCall] = []
    end_call = Recorder.end_call

    def watched(self: Recorder, span: Any, call: ModelCall, *rest: Any) -> None:
        calls.append(call)
        end_call(self, span, call, *rest)

    monkeypatch.setattr(Recorder, "end_call", watched)
    return calls


def _exchanges(folder: Path) -> Iterator[Exchange]:
    for path in sorted(folder.glob("*.yaml")):
        for number, interaction in enumerate(yaml.safe_load(path.read_text())["interactions"]):
            request, response = interaction["request"], interaction["response"]
            if request["uri"].endswith("/chat/completions"):
                raw = "x-stainless-raw-response" in {name.lower() for name in request["headers"]}
                yield Exchange(
                    f"{path.stem}[{number}]",
                    json.loads(request["body"]),
                    raw,
                    response["status"]["code"],
                    response["body"]["string"],
                )


def _said(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """What the span says of the answer, and which model was asked for."""
    prefixes = ("gen_ai.response.", "gen_ai.usage.", "gen_ai.request.model", "error.type")
    said = {name: value for name, value in attributes.items() if name.startswith(prefixes)}
    return {name: value for name, value in said.items() if not name.endswith("time_to_first_chunk")}


def _answered(exchange: Exchange) -> Answer:
    asked = {"gen_ai.request.model": exchange.request["model"]}
    if exchange.status != 200:
        return Answer(asked | {"error.type": ERRORS[exchange.status]}, [])
    if "data: " not in exchange.body:
        body = json.loads(exchange.body)
        tools = [call for choice in body["choices"] for call in choice["message"].get("tool_calls") or ()]
        return Answer(asked | _described(body, body["choices"], body["usage"]), _called(tools))
    events = [json.loads(line[6:]) for line in exchange.body.splitlines() if line.startswith("data: {")]
    choices = [choice for event in events for choice in event["choices"]]
    last = sorted((choice for choice in choices if choice.get("finish_reason")), key=lambda choice: choice["index"])
    usages = [event["usage"] for event in events if event.get("usage")]
    return Answer(asked | _described(events[0], last, usages[-1] if usages else None), _called(_joined(choices)))


def _described(head: Mapping[str, Any], choices: list[Any], usage: Mapping[str, Any] | None) -> dict[str, Any]:
    reasons = tuple(choice["finish_reason"] for choice in choices)
    said = {"gen_ai.response.id": head["id"], "gen_ai.response.model": head["model"]}
    if reasons:
        said["gen_ai.response.finish_reasons"] = reasons
    if usage is not None:
        read, written = usage.get("prompt_tokens_details") or {}, usage.get("completion_tokens_details") or {}
        counts = {
            "gen_ai.usage.input_tokens": usage["prompt_tokens"],
            "gen_ai.usage.output_tokens": usage["completion_tokens"],
            "gen_ai.usage.cache_read.input_tokens": read.get("cached_tokens"),
            "gen_ai.usage.reasoning.output_tokens": written.get("reasoning_tokens"),
        }
        said |= {name: count for name, count in counts.items() if count is not None}
    return said


def _joined(choices: list[Any]) -> list[dict[str, Any]]:
    """Tool calls that came in pieces."""
    calls: dict[tuple[int, int], dict[str, Any]] = {}
    for choice in choices:
        for piece in choice["delta"].get("tool_calls") or ():
            known = calls.setdefault((choice["index"], piece["index"]), {"function": {"name": "", "arguments": ""}})
            known.setdefault("id", piece.get("id"))
            for name in ("name", "arguments"):
                known["function"][name] += piece["function"].get(name) or ""
    return [calls[at] for at in sorted(calls)]


def _called(tools: list[Any]) -> list[tuple[str, str, Any]]:
    return [(call["id"], call["function"]["name"], json.loads(call["function"]["arguments"])) for call in tools]
