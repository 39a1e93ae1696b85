"""Forty secrets in whatever a call is made of, and in the environment: none reaches any sink by default."""

from __future__ import annotations

import gzip
import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx2
import openai
import pytest
from ledgers import ENVIRONMENT, decision_ids
from loopback import Answer, Asked, serving
from manners import POLICY, SPEC
from openai_wire import completion
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from unconfigured import unconfigured

import specspan
from specspan.instrument.install import uninstrument
from specspan.runtime.otlp_decisions import OTLPDecisionExporter
from specspan.sqlite.exporters import SQLiteDecisionExporter, SQLiteSpanExporter

PLACES = ("prompt", "system", "answer", "arguments", "header", "address", "exception", "environment")
CANARIES = {place: [f"canary-{place}-{number}-7f3a" for number in range(5)] for place in PLACES}


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A folder with a policy, in a process whose environment holds secrets and no switch."""
    with unconfigured(monkeypatch, tmp_path) as place:
        for name, value in ENVIRONMENT.items():
            monkeypatch.setenv(name, value)
        for number, secret in enumerate(CANARIES["environment"]):
            monkeypatch.setenv(f"SECRET_{number}", secret)
        monkeypatch.setenv("OPENAI_API_KEY", CANARIES["environment"][0])
        (place / "manners.md").write_text(SPEC)
        (place / "policy.yaml").write_text(POLICY)
        yield place
    uninstrument()


def respond(request: httpx2.Request) -> httpx2.Response:
    """Answer with secrets, or fail with them."""
    number = int(request.headers["x-number"])
    if number == 3:
        return httpx2.Response(
            400, json={"error": {"message": CANARIES["exception"][0], "code": CANARIES["exception"][1]}}
        )
    if number == 4:
        raise httpx2.ConnectError(CANARIES["exception"][2])
    text = f"shut up {CANARIES['answer'][number]}" if number == 0 else CANARIES["answer"][number]
    tools = [("search", f'{{"q": "{CANARIES["arguments"][number]}"}}')] if number == 2 else ()
    return httpx2.Response(200, json=completion(text, tools=tools), headers={"x-secret": CANARIES["header"][number]})


def ask(client: openai.OpenAI, number: int) -> None:
    """Make a call whose every part is a secret; whatever comes of it."""

    @specspan.observe
    def work(secret: str) -> None:
        client.chat.completions.create(
            model="gpt-test",
            messages=[
                {"role": "system", "content": CANARIES["system"][number]},
                {"role": "user", "content": secret},
                {"role": "assistant", "content": CANARIES["answer"][number]},
                {"role": "user", "content": CANARIES["arguments"][number]},
            ],
            extra_headers={"x-number": str(number), "x-token": CANARIES["header"][number]},
            extra_query={"key": CANARIES["address"][number]},
        )
        raise RuntimeError(CANARIES["exception"][3] + CANARIES["exception"][4])

    with suppress(openai.OpenAIError, RuntimeError):
        work(CANARIES["prompt"][number])


def test_no_secret_reaches_a_sink(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Files, spans, log records, metrics, OTLP and log output have the decisions, and nothing of the content."""
    spans, metrics = InMemorySpanExporter(), InMemoryMetricReader()
    logs = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]  # the SDK leaves it untyped
    tracer, logger = TracerProvider(shutdown_on_exit=False), LoggerProvider(shutdown_on_exit=False)
    meter = MeterProvider([metrics], shutdown_on_exit=False)
    db = folder / "specspan.db"
    tracer.add_span_processor(SimpleSpanProcessor(spans))
    tracer.add_span_processor(SimpleSpanProcessor(SQLiteSpanExporter(db)))
    logger.add_log_record_processor(SimpleLogRecordProcessor(logs))
    received: list[Asked] = []

    def receive(asked: Asked) -> Answer:
        received.append(asked)
        return Answer()

    with serving(receive) as url, caplog.at_level(logging.DEBUG):
        otlp = OTLPDecisionExporter({"OTEL_EXPORTER_OTLP_ENDPOINT": url})
        specspan.configure(
            policy=folder / "policy.yaml",
            tracer_provider=tracer,
            meter_provider=meter,
            logger_provider=logger,
            decision_exporters=[SQLiteDecisionExporter(db), otlp],
            ledger=folder / "ledger",
        )
        specspan.instrument("openai")
        http = httpx2.Client(transport=httpx2.MockTransport(respond))
        with openai.OpenAI(http_client=http, max_retries=0) as client:
            for number in range(5):
                ask(client, number)
        assert specspan.force_flush(30.0)
        measured = metrics.get_metrics_data()
        specspan.shutdown()
    for provider in (tracer, meter, logger):
        provider.shutdown()
    sinks = {
        "files": b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file()),
        "spans": "".join(span.to_json() for span in spans.get_finished_spans()).encode(),
        "logs": repr(logs.get_finished_logs()).encode(),
        "metrics": measured.to_json().encode() if measured else b"",
        "OTLP": b"".join(gzip.decompress(asked.body) for asked in received),
        "log output": "".join(
            each.getMessage() + str(each.exc_text) for each in caplog.records if each.name.startswith("specspan")
        ).encode(),
    }
    assert len(decision_ids(folder / "ledger")) == 5
    assert all(name.encode() in sinks["OTLP"] for name in decision_ids(folder / "ledger"))
    assert len(spans.get_finished_spans()) == 10
    leaked = [
        (sink, secret)
        for sink, data in sinks.items()
        for of in CANARIES.values()
        for secret in of
        if secret.encode() in data
    ]
    assert leaked == []
    assert sum(map(len, CANARIES.values())) == 40
