"""Spans on their way to exporters of specspan's own."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from specspan._support import drop_counts
from specspan.record import export
from specspan.record.settings import Settings
from specspan.record.span_queue import SpanQueue


class Writer:
    """Writes into memory, once it is let."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.closed = 0
        self.attempted, self.go_on = threading.Event(), threading.Event()
        self.go_on.set()
        self.error: Exception | None = None

    def write(self, spans: Sequence[ReadableSpan]) -> None:
        self.attempted.set()
        assert self.go_on.wait(10)
        if self.error is not None:
            raise self.error
        self.names += [span.name for span in spans]

    def shutdown(self) -> None:
        self.closed += 1


@pytest.fixture
def lost() -> Iterator[Counter[tuple[str, str]]]:
    counted: Counter[tuple[str, str]] = Counter()

    def add(what: str, reason: str, count: int) -> None:
        counted[what, reason] += count

    stop = drop_counts.watch(add)
    yield counted
    stop()


def provider_of(queue: SpanQueue, **options: object) -> TracerProvider:
    provider = TracerProvider(shutdown_on_exit=False, **options)  # type: ignore[arg-type]
    provider.add_span_processor(queue)
    return provider


def end_spans(provider: TracerProvider, *names: str) -> None:
    for name in names:
        provider.get_tracer("tests").start_span(name).end()


def test_spans_are_written_in_order(lost: Counter[tuple[str, str]]) -> None:
    """A flush writes every span that ended before, the shutdown those after it, and closes the writer once."""
    writer = Writer()
    provider = provider_of(SpanQueue(writer, Settings(interval_s=60.0)))
    end_spans(provider, "a", "b")
    assert provider.force_flush(10_000)
    assert writer.names == ["a", "b"]
    end_spans(provider, "c")
    provider.shutdown()
    assert (writer.names, writer.closed) == (["a", "b", "c"], 1)
    assert not lost


def test_what_is_not_sampled_is_not_written() -> None:
    """A sampler's choice holds, as with OpenTelemetry's batch processor."""
    writer = Writer()
    provider = provider_of(SpanQueue(writer), sampler=ALWAYS_OFF)
    end_spans(provider, "a")
    provider.shutdown()
    assert writer.names == []


def test_more_spans_wait_than_opentelemetry_holds(lost: Counter[tuple[str, str]]) -> None:
    """While the writer is held up, as many spans wait as the setting says, and those beyond are counted."""
    writer = Writer()
    writer.go_on.clear()
    queue = SpanQueue(writer, Settings(queue_size=5_000, batch_size=1, interval_s=60.0))
    provider = provider_of(queue)
    end_spans(provider, "first")
    assert writer.attempted.wait(10)
    end_spans(provider, *map(str, range(5_100)))
    assert not provider.force_flush(0)
    writer.go_on.set()
    provider.shutdown()
    assert len(writer.names) == 5_001
    assert lost == {("span", "queue_full"): 100}


def test_a_lasting_fault_is_counted(lost: Counter[tuple[str, str]], caplog: pytest.LogCaptureFixture) -> None:
    """A batch that cannot be written is tried again, dropped in the end, counted, and logged once."""
    writer = Writer()
    writer.error = OSError("no such disk")
    provider = provider_of(SpanQueue(writer, Settings(retry_delays_s=(0.0,))))
    end_spans(provider, "a", "b")
    provider.shutdown()
    assert lost == {("span", "export_failed"): 2}
    assert [record.getMessage() for record in caplog.records] == [
        "Writer could not export 2 spans: OSError('no such disk')"
    ]


def test_no_thread_of_the_application_waits_for_what_will_pass(
    lost: Counter[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no thread can be started any more, the caller's own makes one attempt, and what failed is counted."""

    class Locked(Exception):
        is_temporary = True

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(export, "_TEMPORARY_DELAY_S", 60.0)
    writer = Writer()
    writer.error = Locked()
    provider = provider_of(SpanQueue(writer))
    monkeypatch.setattr(threading.Thread, "start", refuse)
    end_spans(provider, "a")
    provider.shutdown()
    assert lost == {("span", "export_failed"): 1}


def test_who_gives_up_counts_once_what_a_shutdown_waits_for(lost: Counter[tuple[str, str]]) -> None:
    """The batch that hangs and all behind it; the shutdown on the other thread counts none of them again."""
    writer = Writer()
    writer.go_on.clear()
    queue = SpanQueue(writer, Settings(batch_size=2))
    provider = provider_of(queue)
    end_spans(provider, *"abcde")
    assert writer.attempted.wait(10)
    shutdown = threading.Thread(target=provider.shutdown)
    shutdown.start()
    queue.give_up()
    at_return = lost.copy()
    writer.go_on.set()
    shutdown.join(10)

    assert not shutdown.is_alive()
    assert sum(at_return.values()) == at_return["span", "shutdown"] == 5
    assert lost == at_return
