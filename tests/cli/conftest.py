"""Spans and decision records, made by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from specspan_exporter_sqlite.model import StoredSpan

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
