"""Losses inside processors and exporters of OpenTelemetry that specspan made are counted as its own are."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from specspan._support import drop_counts
from specspan._support.otel_private import report_drops
from specspan.runtime.otel_providers import _span_processor
from specspan.runtime.provider_thread import FailedExports


class Backend(SpanExporter):
    """Exporter that fails, or hangs until it is let go on."""

    def __init__(self, result: SpanExportResult = SpanExportResult.SUCCESS) -> None:
        self.result = result
        self.go_on = threading.Event()
        self.is_hanging = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        if self.is_hanging:
            self.go_on.wait(60)
        return self.result

    def shutdown(self) -> None:
        """Have nothing to release."""


@pytest.fixture
def lost() -> Callable[[], dict[str, int]]:
    """Spans lost since the test began, by reason."""
    before = drop_counts.totals()

    def counts() -> dict[str, int]:
        now = drop_counts.totals()
        found = {reason: now[kind, reason] - before.get((kind, reason), 0) for kind, reason in now if kind == "span"}
        return {reason: count for reason, count in found.items() if count}

    return counts


@pytest.fixture
def provider() -> Iterator[TracerProvider]:
    """A provider without a processor."""
    made = TracerProvider(shutdown_on_exit=False)
    yield made
    made.shutdown()


def test_a_batch_that_an_exporter_fails_on_is_counted(
    provider: TracerProvider, lost: Callable[[], dict[str, int]]
) -> None:
    """Each span of it is one that was lost."""
    backend = Backend(SpanExportResult.FAILURE)
    failed = FailedExports()
    failed.watch(backend, "span")
    provider.add_span_processor(_span_processor(backend))
    for _ in range(3):
        provider.get_tracer("test").start_span("s").end()
    provider.force_flush()
    assert failed.count == 1
    assert lost() == {"export_failed": 3}


def test_a_full_queue_is_counted(
    provider: TracerProvider, lost: Callable[[], dict[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a processor lets go for want of room is counted, and what comes after its shutdown."""
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "4")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")
    backend = Backend()
    processor = _span_processor(backend)
    told: list[str] = []
    report_drops(processor, lambda reason, _: told.append(reason))
    if not hasattr(getattr(processor, "_batch_processor", None), "_metrics"):
        pytest.skip("this OpenTelemetry does not count what its processors drop")
    backend.is_hanging = True
    provider.add_span_processor(processor)
    tracer = provider.get_tracer("test")
    for _ in range(20):
        tracer.start_span("s").end()
    full = lost()["queue_full"]
    assert 20 - 2 * 4 <= full <= 20 - 4
    backend.go_on.set()
    processor.shutdown()
    tracer.start_span("late").end()
    assert lost() == {"queue_full": full, "shutdown": 1}
    assert told.count("shutdown") == 1


def test_other_processors_are_left_as_they_are() -> None:
    """A processor whose counts cannot be found is no reason to fail."""
    report_drops(object(), lambda *_: None)
    report_drops(BatchSpanProcessor, lambda *_: None)
