"""Decisions in a store of either kind, with or without their content, for reviews of them."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import format_span_id, format_trace_id

from specspan.runtime.otel_providers import DECISIONS, TRACES, create_exporter
from specspan.stores.opening import kind_name
from specspan.stores.people import Person, Role

ANA, BEN, CARO = Person("ana"), Person("ben"), Person("caro")
VIEWER, ADMIN = Person("vic", Role.VIEWER), Person("ada", Role.ADMIN)
POLICY = {
    "v": 2,
    "type": "policy",
    "id": "sha256:record",
    "time_unix_nano": 1,
    "service": {"name": "desk"},
    "spec": [{"id": "desk", "digest": "sha256:spec"}],
    "policy": {"digest": "sha256:policy", "layers": []},
    "mode": "observe",
    "levels": {"root": 0, "user": 1},
    "clauses": [
        {
            "id": "be_kind",
            "title": "Be kind",
            "authority": "user",
            "checked": True,
            "mode": "observe",
            "text": "Be kind.",
        },
        {"id": "privacy", "title": "Privacy", "authority": "root", "checked": True, "mode": "observe"},
    ],
    "assessments": [],
}


def decision_id(number: int) -> str:
    """Return the id of a decision by its number."""
    return f"0199a000-0000-7000-8000-{number:012x}"


def finding(clause: str, outcome: str, **more: Any) -> dict[str, Any]:
    """Return a finding as a record holds it."""
    return {
        "clause": clause,
        "authority": "root" if clause == "privacy" else "user",
        "outcome": outcome,
        "severity": "high",
        "action": "flag",
        "stage": "output",
        "check": {"name": "words", "kind": "pattern", "version": "1"},
        **more,
    }


def decision(
    number: int, *findings: dict[str, Any], reviews: Sequence[dict[str, Any]] = (), **more: Any
) -> dict[str, Any]:
    """Return a decision record, whose verdict is that of its first finding unless it is given."""
    verdict = findings[0]["outcome"]
    return {
        "v": 2,
        "type": "decision",
        "id": decision_id(number),
        "time_unix_nano": 10**18 + number,
        "service": {"name": "desk"},
        "spec": [{"id": "desk"}],
        "policy": {"digest": "sha256:policy", "record": "sha256:record"},
        "call": {"provider": "openai", "operation": "chat", "model": "gpt-5"},
        "mode": "observe",
        "verdict": verdict,
        "action": "flag" if verdict in ("violated", "uncertain") else "allow",
        "governing_clause": findings[0]["clause"] if verdict in ("violated", "uncertain") else None,
        "findings": [{"position": place, **each} for place, each in enumerate(findings)],
        "counts": {"considered": 2, "not_applicable": 0, "unassessed": 0},
        **({"reviews": list(reviews)} if reviews else {}),
        **more,
    }


def record(db: str | os.PathLike[str], *records: dict[str, Any]) -> None:
    """Write records into a store."""
    exporter = create_exporter(DECISIONS, kind_name(os.fspath(db)), db=os.fspath(db))
    exporter.export([POLICY, *records])
    exporter.shutdown()


def record_call(db: str | os.PathLike[str], question: str, answer: str) -> dict[str, Any]:
    """Write the span of a call with its content into a store, and return the ids that its decision names."""
    with ExitStack() as stack:
        provider = TracerProvider(resource=Resource({"service.name": "desk"}), shutdown_on_exit=False)
        stack.callback(provider.shutdown)
        exporter = create_exporter(TRACES, f"specspan_{kind_name(os.fspath(db))}", db=os.fspath(db))
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        messages = {"input": ("user", question), "output": ("assistant", answer)}
        attributes = {
            f"gen_ai.{side}.messages": json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])
            for side, (role, text) in messages.items()
        }
        attributes |= {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai"}
        with provider.get_tracer("tests").start_as_current_span("chat gpt-5", attributes=attributes) as span:
            context = span.get_span_context()
    return {"trace_id": format_trace_id(context.trace_id), "span_id": format_span_id(context.span_id)}
