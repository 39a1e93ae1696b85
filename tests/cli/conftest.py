"""Spans and decision records made by hand, and the command line as its user meets it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator

from specspan.cli.main import main
from specspan.sqlite import SQLiteDecisionExporter, SQLiteSpanExporter
from specspan.sqlite.model import StoredSpan

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
MS = 10**6


@pytest.fixture
def span() -> Callable[..., StoredSpan]:
    """Makes spans of one trace: id, parent, name, and whatever else is to differ."""

    def make(span_id: str, parent: str | None, name: str, **more: Any) -> StoredSpan:
        start = more.pop("start_ms", 0) * MS
        facts = {
            "trace_id": TRACE_ID,
            "span_id": span_id,
            "parent_span_id": parent,
            "name": name,
            "kind": "INTERNAL",
            "start_unix_nano": start,
            "end_unix_nano": start + more.pop("took_ms", 10) * MS,
            "status": "UNSET",
            "status_message": None,
            "service": "support-desk",
            "attributes": {},
            "events": [],
            "links": [],
            "scope": {},
            "resource": {},
        }
        return StoredSpan(**{**facts, **more})

    return make


@pytest.fixture
def finding() -> Callable[..., dict[str, Any]]:
    """Makes findings as a decision record holds them."""

    def make(clause: str, outcome: str, *places: tuple[str, int, int], **more: Any) -> dict[str, Any]:
        return {
            "clause": clause,
            "outcome": outcome,
            "authority": "developer",
            "severity": "high",
            "check": {"name": f"{clause}_check", "kind": "pattern", "version": "1"},
            "evidence": [{"pointer": pointer, "start": start, "end": end} for pointer, start, end in places],
            **more,
        }

    return make


@pytest.fixture
def decision() -> Callable[..., dict[str, Any]]:
    """Makes decision records: the span they are about, findings, and whatever else is to differ."""

    def make(span_id: str, *findings: dict[str, Any], **more: Any) -> dict[str, Any]:
        return {
            "v": 1,
            "type": "decision",
            "id": f"0198c2f4-7a3b-7000-8000-{int(span_id, 16):012x}",
            "time_unix_nano": 1_000,
            "trace_id": TRACE_ID,
            "span_id": span_id,
            "service": {"name": "support-desk"},
            "spec": [{"id": "desk", "version": "1", "digest": "sha256:s"}],
            "policy": {"digest": "sha256:p"},
            "mode": "observe",
            "verdict": "complied",
            "action": "allow",
            "findings": list(findings),
            **more,
        }

    return make


@dataclass(frozen=True)
class Ran:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def specspan(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs `specspan` with arguments, in this process, its output piped."""
    monkeypatch.delenv("COLUMNS", raising=False)  # set by parallel test workers

    def run(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["specspan", *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        said = capsys.readouterr()
        return Ran(code, said.out, said.err)

    return run


class _Ids(IdGenerator):
    """Ids that can be told apart at a glance."""

    def __init__(self) -> None:
        self._traces = self._spans = 0

    def generate_trace_id(self) -> int:
        self._traces += 1
        return self._traces << 124

    def generate_span_id(self) -> int:
        self._spans += 1
        return self._spans


@pytest.fixture
def recorded(tmp_path: Path, finding: Callable[..., Any], decision: Callable[..., Any]) -> Path:
    """A file with two traces: 1000… complied, and two seconds later 2000… violated a clause."""
    path = tmp_path / "specspan.db"
    provider = TracerProvider(
        resource=Resource({"service.name": "support-desk"}), id_generator=_Ids(), shutdown_on_exit=False
    )
    provider.add_span_processor(SimpleSpanProcessor(SQLiteSpanExporter(path)))
    tracer = provider.get_tracer("tests")
    for name, start_s in (("greet", 1), ("refund", 3)):
        tracer.start_span(name, start_time=start_s * 10**9).end((start_s + 1) * 10**9)
    provider.shutdown()
    decisions = SQLiteDecisionExporter(path)
    decisions.export(
        [
            {"v": 1, "type": "policy", "time_unix_nano": 1, "policy": {"digest": "sha256:p"},
             "spec": [{"digest": "sha256:s"}], "clauses": [{"id": "privacy"}, {"id": "humour"}]},
            decision("0" * 15 + "1", finding("honest", "complied"), trace_id="1" + "0" * 31, time_unix_nano=1 * 10**9),
            decision("0" * 15 + "2", finding("privacy", "violated", ("/output/0/parts/0", 1, 5), reason="ssn"),
                     trace_id="2" + "0" * 31, time_unix_nano=3 * 10**9, verdict="violated", action="flag",
                     would="block", governing_clause="privacy", reason="ssn",
                     call={"provider": "openai", "operation": "chat", "model": "m-1"}),
        ]
    )  # fmt: skip
    decisions.shutdown()
    return path
