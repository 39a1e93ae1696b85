"""Background work pauses between its items, so that the threads of the application are not kept waiting."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pytest
from opentelemetry.sdk.trace import TracerProvider

from specspan_exporter_sqlite import pacing, record_rows, span_rows

PAUSE_S = 0.0001


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Pauses that were made, by a clock on which each reading is 0.3 ms after the one before."""
    made: list[float] = []
    clock = itertools.count()
    monkeypatch.setattr(pacing, "time", SimpleNamespace(perf_counter=lambda: next(clock) * 0.0003, sleep=made.append))
    return made


def test_a_pause_comes_after_half_a_millisecond(pauses: list[float]) -> None:
    """Each item takes 0.3 ms: after every second one there is a pause."""
    assert list(pacing.paced(range(6))) == list(range(6))
    assert pauses == [PAUSE_S] * 3


def test_rows_are_made_with_pauses(pauses: list[float]) -> None:
    """Neither spans nor records of a batch are made into rows in one go."""
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("test")
    spans = [tracer.start_span("s") for _ in range(10)]
    span_rows.rows(spans)  # type: ignore[arg-type]
    of_spans = len(pauses)
    record_rows.rows([{"type": "note", "n": number} for number in range(10)])
    assert (of_spans, len(pauses)) == (5, 10)
