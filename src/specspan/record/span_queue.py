"""Span processor for exporters of specspan's own: the queue, retries and loss counts that decisions have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from specspan.record.export import ExportWorker
from specspan.record.settings import Settings

_SHUTDOWN_S = 5.0


@runtime_checkable
class SpanWriter(Protocol):
    """Span exporter that raises when it could not write a batch, and that may be handed a batch again."""

    def write(self, spans: Sequence[ReadableSpan]) -> None:
        """Write ``spans``, whole or not at all; those that were written before stay as they are.

        Its errors are as those of `specspan.record.export.DecisionExporter.export`.
        """

    def shutdown(self) -> None:
        """Release every resource; nothing is written after."""


class SpanQueue(SpanProcessor):
    """Processor that hands sampled spans to one writer, in batches and on a thread of its own."""

    def __init__(self, writer: SpanWriter, settings: Settings | None = None) -> None:
        """Start no thread yet; ``settings`` are by default those in the environment."""
        settings = settings if settings is not None else Settings.from_env()
        self._export = ExportWorker("span", writer.write, _unchanged, settings, on_close=writer.shutdown)

    def on_end(self, span: ReadableSpan) -> None:
        """Queue a span that is sampled; drop it, counted, when the queue is full."""
        context = span.context
        if context is not None and context.trace_flags.sampled:
            self._export.worker.put(span)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Write every span that ended before; return False when some were lost, or left after the time given."""
        return self._export.worker.flush().wait(timeout_millis / 1000)

    def shutdown(self) -> None:
        """Write what is queued, and count what was not written in 5 s as dropped."""
        self._export.worker.shutdown(_SHUTDOWN_S)

    def give_up(self) -> None:
        """Count what is not written by now as dropped, also while a `shutdown` on another thread still waits for it."""
        self._export.worker.shutdown(0)


def _unchanged(span: ReadableSpan) -> ReadableSpan:
    return span
