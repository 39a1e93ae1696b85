"""Spans written by a real SDK, read back from the file."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import Link, SpanKind, Status, StatusCode, Tracer

from specspan_exporter_sqlite import Reader, SQLiteSpanExporter


def finished(name: str = "work", **attributes: str) -> ReadableSpan:
    """A span that ended."""
    span = TracerProvider(shutdown_on_exit=False).get_tracer("tests").start_span(name, attributes=attributes)
    span.end()
    assert isinstance(span, ReadableSpan)
    return span


def test_a_span_is_read_back_as_it_was_exported(tracer: Tracer, database: Path) -> None:
    """Names, times, kind, status, attributes, events, links, scope and resource all survive."""
    with tracer.start_as_current_span("answer", kind=SpanKind.SERVER) as outer:
        with tracer.start_as_current_span(
            "chat gpt",
            kind=SpanKind.CLIENT,
            links=[Link(outer.get_span_context(), {"why": "test"})],
            attributes={"n": 1, "share": 0.5, "yes": True, "words": ("a", "ö")},
            start_time=1_000,
        ) as inner:
            inner.add_event("specspan.finding", {"clause": "c"}, timestamp=1_500)
            inner.set_status(Status(StatusCode.ERROR, "blocked"))

    trace_id = f"{outer.get_span_context().trace_id:032x}"
    with Reader(database) as reader:
        chat, answer = reader.spans(trace_id)

    assert (chat.name, chat.kind, chat.status, chat.status_message) == ("chat gpt", "CLIENT", "ERROR", "blocked")
    assert (answer.name, answer.kind, answer.status, answer.parent_span_id) == ("answer", "SERVER", "UNSET", None)
    assert chat.parent_span_id == answer.span_id
    assert chat.start_unix_nano == 1_000
    assert chat.duration_ns == chat.end_unix_nano - 1_000
    assert chat.attributes == {"n": 1, "share": 0.5, "yes": True, "words": ["a", "ö"]}
    assert chat.events == [{"name": "specspan.finding", "time_unix_nano": 1_500, "attributes": {"clause": "c"}}]
    assert chat.links == [{"trace_id": trace_id, "span_id": answer.span_id, "attributes": {"why": "test"}}]
    assert (chat.scope["name"], chat.scope["version"]) == ("tests", "1.0")
    assert chat.resource == {"service.name": "support-desk"}
    assert chat.service == "support-desk"


def test_the_decision_on_a_span_is_in_columns(tracer: Tracer, database: Path) -> None:
    """Verdict, action and decision id can be searched without reading JSON."""
    tracer.start_span(
        "chat",
        attributes={
            "specspan.decision.verdict": "violated",
            "specspan.decision.action": "flag",
            "specspan.decision.id": "d-1",
        },
    ).end()

    row = sqlite3.connect(database).execute("SELECT verdict, action, decision_id FROM span").fetchone()

    assert row == ("violated", "flag", "d-1")


def test_a_span_exported_twice_is_there_once(database: Path) -> None:
    """A retry after an unclear failure does no harm, within one batch or across two."""
    exporter, span = SQLiteSpanExporter(database), finished()

    assert exporter.export([span, span]) is SpanExportResult.SUCCESS
    assert exporter.export([span]) is SpanExportResult.SUCCESS
    exporter.shutdown()

    assert sqlite3.connect(database).execute("SELECT count(*) FROM span").fetchone() == (1,)


def test_resources_are_stored_once(database: Path) -> None:
    """A thousand spans of one service do not repeat its resource."""
    exporter, tracer = SQLiteSpanExporter(database), TracerProvider(shutdown_on_exit=False).get_tracer("tests")
    spans = [tracer.start_span("work") for _ in range(1_000)]
    for span in spans:
        span.end()

    exporter.export([span for span in spans if isinstance(span, ReadableSpan)])
    exporter.shutdown()

    assert sqlite3.connect(database).execute("SELECT count(*) FROM resource").fetchone() == (1,)


@pytest.mark.parametrize(
    "text", ["\ud800 alone", "nul \0 inside", "🙂" * 10_000, "line\nline", "'; DROP TABLE span; --"]
)
def test_any_text_can_be_a_name_or_a_value(text: str, database: Path) -> None:
    """What UTF-8 or SQL could choke on reaches the file, and the rest of the batch with it."""
    exporter = SQLiteSpanExporter(database)

    assert exporter.export([finished(text, value=text), finished("next")]) is SpanExportResult.SUCCESS
    exporter.shutdown()

    with Reader(database) as reader:
        values = [span.attributes.get("value") for row in reader.traces() for span in reader.spans(row.trace_id)]
    assert text in values
    assert len(values) == 2


def test_numbers_json_has_no_form_for_do_not_break_a_batch(database: Path) -> None:
    """NaN, infinities and times beyond 64 bits are kept as what can be kept."""
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("tests")
    span = tracer.start_span("odd", attributes={"nan": float("nan"), "big": 2**80, "fine": 1.5}, start_time=2**80)
    span.end()
    assert isinstance(span, ReadableSpan)
    exporter = SQLiteSpanExporter(database)

    assert exporter.export([span]) is SpanExportResult.SUCCESS
    exporter.shutdown()

    (text,) = sqlite3.connect(database).execute("SELECT attributes FROM span").fetchone()
    assert json.loads(text) == {"nan": "nan", "big": 2**80, "fine": 1.5}


def test_what_comes_after_shutdown_fails(database: Path) -> None:
    """An exporter that was shut down opens nothing again."""
    exporter = SQLiteSpanExporter(database)
    exporter.shutdown()

    assert exporter.export([finished()]) is SpanExportResult.FAILURE
    assert not database.exists()


def test_any_opentelemetry_program_can_pick_it(database: Path) -> None:
    """`OTEL_TRACES_EXPORTER=specspan_sqlite` needs no line of code and no specspan."""
    program = """
from opentelemetry.sdk._configuration import _OTelSDKConfigurator
_OTelSDKConfigurator().configure()
from opentelemetry import trace
with trace.get_tracer("app").start_as_current_span("hello"):
    pass
import sys
assert "specspan" not in sys.modules
"""
    environment = {
        **os.environ,
        "OTEL_TRACES_EXPORTER": "specspan_sqlite",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
        "SPECSPAN_DB": str(database),
    }
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=60)

    with Reader(database) as reader:
        assert [trace.name for trace in reader.traces()] == ["hello"]


def test_the_file_is_in_the_current_folder_unless_told_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without `SPECSPAN_DB` the file is `specspan.db`, in the folder that was current at the start."""
    monkeypatch.delenv("SPECSPAN_DB", raising=False)
    monkeypatch.chdir(tmp_path)
    exporter = SQLiteSpanExporter()
    monkeypatch.chdir("/")

    exporter.export([finished()])
    exporter.shutdown()

    assert (tmp_path / "specspan.db").exists()
