"""Bytes that one call costs over OTLP, before compression."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from recording import KIND, SSN, Recording, decision

from specspan.decision import Finding
from specspan.record.settings import FindingEvents, Settings

Record = Callable[..., Recording]
HUNDRED = [replace(KIND, clause=f"avoid_a_certain_kind_of_harm_{number}") for number in range(100)]


def sent_bytes(recording: Recording, findings: Sequence[Finding]) -> int:
    recording.call(decision(*findings))
    return int(encode_logs(recording.logs).ByteSize() + encode_spans(recording.spans).ByteSize())


@pytest.mark.parametrize(("findings", "most"), [(HUNDRED, 3_500), ([*HUNDRED[1:], SSN], 6_000)])
def test_a_call_of_a_hundred_clauses_is_light(record: Record, findings: Sequence[Finding], most: int) -> None:
    """Span and log records of a call with 100 clauses, and of one that violated one of them."""
    assert sent_bytes(record(), findings) <= most


def test_each_clause_has_its_price_for_whoever_asks_for_all(record: Record) -> None:
    """With every finding the call weighs at least ten times as much: the price that the page names."""
    light, heavy = record(), record(Settings(finding_events=FindingEvents.ALL))
    assert sent_bytes(heavy, HUNDRED) > 10 * sent_bytes(light, HUNDRED)
