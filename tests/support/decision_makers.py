"""Decision records that tests write into a store as they need them."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from specspan.sqlite import SQLiteDecisionExporter, SQLiteSpanExporter


def decision_record(decision_id: str, time_unix_nano: int, **members: Any) -> dict[str, Any]:
    """Return the record of a call that violated the clause ``privacy``, with the members that a test names."""
    return {
        "v": 2,
        "type": "decision",
        "id": decision_id,
        "time_unix_nano": time_unix_nano,
        "trace_id": f"trace-{decision_id}",
        "span_id": f"span-{decision_id}",
        "service": {"name": "desk"},
        "spec": [{"id": "desk", "version": "1", "digest": "sha256:11"}],
        "policy": {"digest": "sha256:22"},
        "call": {"provider": "openai", "operation": "chat", "model": "parrot-1"},
        "mode": "observe",
        "verdict": "violated",
        "action": "flag",
        "governing_clause": "privacy",
        "reason": "seen",
        "findings": [
            {"position": 0, "clause": "privacy", "authority": "root", "outcome": "violated", "reason": "seen"}
        ],
        "counts": {"considered": 1, "unassessed": 0},
    } | members


def write_call(path: Path, text: str, **members: Any) -> str:
    """Write one decided call with its span, all of whose texts are one text; return the id of its trace."""
    spans = SQLiteSpanExporter(path)
    provider = TracerProvider(resource=Resource({"service.name": text[:200]}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    messages = [{"role": text[:50], "parts": [{"type": "text", "content": text}]}]
    with provider.get_tracer("tests").start_as_current_span(text[:200]) as span:
        span.set_attribute("gen_ai.output.messages", json.dumps(messages))
        context = span.get_span_context()
    provider.shutdown()
    trace_id, span_id = f"{context.trace_id:032x}", f"{context.span_id:016x}"
    finding = {
        "position": 0, "clause": text[:200], "authority": text[:50], "outcome": "violated", "reason": text[:50],
        "explanation": text[:200], "evidence": [{"pointer": "/output/0/parts/0", "start": 0, "end": 5}],
    }  # fmt: skip
    record = decision_record("d-1", time.time_ns(), trace_id=trace_id, span_id=span_id, findings=[finding], **members)
    exporter = SQLiteDecisionExporter(path)
    exporter.export([record | {"service": {"name": text[:200]}, "reason": text[:50], "governing_clause": text[:200]}])
    exporter.shutdown()
    return trace_id
