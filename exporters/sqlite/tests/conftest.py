"""A database of the test's own, and things to write into it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.trace import Tracer

from specspan_exporter_sqlite import SQLiteDecisionExporter, SQLiteSpanExporter

Record = dict[str, Any]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Where the test's file will be; nothing is there yet."""
    return tmp_path / "specspan.db"


@pytest.fixture
def tracer(database: Path) -> Iterator[Tracer]:
    """A tracer of a real SDK whose spans are in the file as soon as they end."""
    provider = TracerProvider(resource=Resource({"service.name": "support-desk"}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(SQLiteSpanExporter(database)))
    yield provider.get_tracer("tests", "1.0")
    provider.shutdown()


@pytest.fixture
def decisions(database: Path) -> Iterator[SQLiteDecisionExporter]:
    """The decision exporter on the test's file."""
    exporter = SQLiteDecisionExporter(database)
    yield exporter
    exporter.shutdown()


@pytest.fixture
def record() -> Callable[..., Record]:
    """Makes decision records: an id, outcomes by clause, and whatever else is to differ."""

    def make(decision_id: str = "d-1", outcomes: dict[str, str] | None = None, **more: Any) -> Record:
        outcomes = {"protect_privacy": "violated"} if outcomes is None else outcomes
        findings = [
            {
                "clause": clause,
                "outcome": outcome,
                "authority": "root",
                "severity": "high",
                "reason": "ssn",
                "score": 1.0,
                "stage": "output",
                "check": {"name": "ssn", "kind": "pattern", "version": "1"},
                "evidence": [{"pointer": "/output/0/parts/0", "start": 10, "end": 21}],
            }
            for clause, outcome in outcomes.items()
        ]
        return {
            "v": 1,
            "type": "decision",
            "id": decision_id,
            "time_unix_nano": 1_000,
            "trace_id": "0" * 31 + "1",
            "span_id": "0" * 15 + "1",
            "service": {"name": "support-desk"},
            "policy": {"digest": "sha256:p"},
            "verdict": "violated" if "violated" in outcomes.values() else "complied",
            "action": "flag",
            "mode": "observe",
            "findings": findings,
            **more,
        }

    return make


@pytest.fixture
def run_python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a program in a process of its own and hands back what it printed."""

    def run(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", program, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)

    return run
