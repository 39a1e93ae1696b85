"""Spans with specspan's attributes, sent by OpenTelemetry's official exporters as the README configures them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from otlp_receiver import Received, over_grpc, over_http

README = Path(__file__).resolve().parents[1] / "README.md"
Receiver = Callable[[], AbstractContextManager[tuple[str, Received]]]

ATTRIBUTES: dict[str, Any] = {
    "gen_ai.operation.name": "chat",
    "gen_ai.usage.input_tokens": 12,
    "specspan.decision.id": "0198c2f4-7a3b-7000-8000-000000000001",
    "specspan.decision.verdict": "violated",
    "specspan.decision.action": "block",
    "specspan.decision.mode": "enforce",
    "specspan.decision.governing_clause": "protect_privacy",
    "specspan.clauses.applied": " ".join(f"clause_{n}" for n in range(1_000)),
    "specspan.clauses.violated": ["protect_privacy", "höflich_bleiben"],
    "specspan.clauses.considered": 1_000,
    "specspan.clause.protect_privacy": "violated",
    "specspan.redactions": ["/output/0/parts/0"],
    "score": 0.5,
}
EVENT = {"specspan.clause.id": "protect_privacy", "outcome": "violated", "evidence.start": 10}

PROGRAM = """
import json, sys
from opentelemetry.sdk._configuration import _OTelSDKConfigurator
_OTelSDKConfigurator().configure()  # what opentelemetry-instrument does
from opentelemetry import trace
from opentelemetry.trace import SpanKind, Status, StatusCode
attributes, event = json.loads(sys.argv[1])
tracer = trace.get_tracer("specspan", "1.0")
with tracer.start_as_current_span("answer"):
    span = tracer.start_span("chat gpt", kind=SpanKind.CLIENT, start_time=1_000)
    span.set_attributes(attributes)
    span.add_event("specspan.finding", event, timestamp=1_500)
    span.set_status(Status(StatusCode.ERROR, "blocked"))
    span.end(2_000)
"""


def documented(heading: str, endpoint: str) -> dict[str, str]:
    """The variables under a heading of the README, its endpoint exchanged for the test's."""
    section = README.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    variables = dict(re.findall(r"^export (\w+)=(\S+)$", section, re.MULTILINE))
    assert set(variables) == {"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL"}
    return {**variables, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}


def send(variables: dict[str, str]) -> None:
    """Run the program above under these variables, and no others of OpenTelemetry's."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    others = {
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "OTEL_SERVICE_NAME": "support-desk",
    }
    command = [sys.executable, "-c", PROGRAM, json.dumps([ATTRIBUTES, EVENT])]
    subprocess.run(command, env={**inherited, **others, **variables}, check=True, timeout=60)


def plain(attributes: Any) -> dict[str, Any]:
    """Protobuf's attributes as Python's values."""
    return {attribute.key: value(attribute.value) for attribute in attributes if isinstance(attribute, KeyValue)}


def value(any_value: AnyValue) -> Any:
    """One value, its type as it was sent."""
    kind = any_value.WhichOneof("value")
    if kind == "array_value":
        return [value(item) for item in any_value.array_value.values]
    return getattr(any_value, str(kind))


@pytest.mark.parametrize(("heading", "receiver"), [("HTTP", over_http), ("gRPC", over_grpc)])
def test_a_span_arrives_with_everything_on_it(heading: str, receiver: Receiver) -> None:
    """Attributes of each type, the event, the status, kind, times, parent, scope's and resource's: all as recorded."""
    with receiver() as (endpoint, received):
        send(documented(heading, endpoint))

    by_name = {span.name: span for span in received.spans}
    assert sorted(by_name) == ["answer", "chat gpt"]
    answer, chat = by_name["answer"], by_name["chat gpt"]
    assert plain(chat.attributes) == ATTRIBUTES
    assert [(event.name, event.time_unix_nano, plain(event.attributes)) for event in chat.events] == [
        ("specspan.finding", 1_500, EVENT)
    ]
    assert (chat.status.code, chat.status.message) == (Status.STATUS_CODE_ERROR, "blocked")
    assert answer.status.code == Status.STATUS_CODE_UNSET
    assert (chat.kind, chat.start_time_unix_nano, chat.end_time_unix_nano) == (Span.SPAN_KIND_CLIENT, 1_000, 2_000)
    assert (chat.trace_id, chat.parent_span_id) == (answer.trace_id, answer.span_id)
    assert (chat.dropped_attributes_count, chat.dropped_events_count) == (0, 0)
    assert {plain(resource.attributes)["service.name"] for resource in received.resources} == {"support-desk"}


def test_http_posts_to_the_path_that_otlp_names() -> None:
    """The documented endpoint is the base: the signal's path is added to it."""
    with over_http() as (endpoint, received):
        send(documented("HTTP", endpoint))

    assert set(received.paths) == {"/v1/traces"}
