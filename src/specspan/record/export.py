"""Export of decision records: every decision, sampled or not, to every exporter, in batches from its own thread."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from opentelemetry.context import attach, detach, set_value

from specspan._support import drop_counts
from specspan._support.guard import guard
from specspan._support.otel_private import SUPPRESS_INSTRUMENTATION_KEY
from specspan.record.batching import BatchWorker
from specspan.record.settings import Settings

_log = logging.getLogger("specspan")
T = TypeVar("T")


class DecisionExporter(Protocol):
    """Carrier of decision records to a backend.

    Called by one thread at a time. Records share parts with one another: they are read, never changed. After a fork
    the child's thread calls the same object.
    """

    def export(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Carry ``records``; raise when that could not be done, and they are handed over again."""

    def shutdown(self) -> None:
        """Release every resource; nothing is exported after."""


class ExportWorker(Generic[T]):
    """Queue of one exporter, whose records are made on its own thread; a failing exporter harms no other.

    A batch that could not be exported is tried again after each of `Settings.retry_delays_s`, then dropped and counted.
    """

    def __init__(
        self, exporter: DecisionExporter, build_record: Callable[[T], Mapping[str, Any]], settings: Settings
    ) -> None:
        self._exporter = exporter
        self._build_record = build_record
        self._retry_delays_s = settings.retry_delays_s
        self._is_failing = False
        self._max_unbuilt = settings.batch_size
        self.worker: BatchWorker[T | _BuiltRecord] = BatchWorker(
            "decision",
            self._write,
            queue_size=settings.queue_size,
            batch_size=settings.batch_size,
            interval_s=settings.interval_s,
            on_close=exporter.shutdown,
        )

    def put(self, item: T) -> None:
        """Queue an item. While the exporter lags, build its record at once: a record holds no conversation."""
        if self.worker.queue_length < self._max_unbuilt:
            self.worker.put(item)
            return
        for record in self._build((item,)):
            self.worker.put(_BuiltRecord(record))

    def _write(self, items: Sequence[T | _BuiltRecord]) -> None:
        records = self._build(items)
        if not records:
            return
        for delay_s in self._retry_delays_s:
            if self._try_export(records):
                return
            self.worker.close_requested.wait(delay_s)
        if not self._try_export(records):
            drop_counts.count("decision", "export_failed", len(records))

    def _build(self, items: Sequence[T | _BuiltRecord]) -> list[Mapping[str, Any]]:
        """Return the records of ``items``, without those that cannot be built, which are counted."""
        records: list[Mapping[str, Any]] = []
        for item in items:
            with guard("record.decision_record"):
                try:
                    records.append(item.record if isinstance(item, _BuiltRecord) else self._build_record(item))
                except Exception:
                    drop_counts.count("decision", "internal")
                    raise
        return records

    def _try_export(self, records: Sequence[Mapping[str, Any]]) -> bool:
        # an exporter's own database and network calls are no part of the application's traces
        token = attach(set_value(SUPPRESS_INSTRUMENTATION_KEY, value=True))
        try:
            self._exporter.export(records)
        except Exception as error:
            if not self._is_failing:  # once an outage, not once a batch
                name = type(self._exporter).__qualname__
                _log.warning("%s could not export %d decision records: %r", name, len(records), error)
            self._is_failing = True
            return False
        finally:
            detach(token)
        self._is_failing = False
        return True


@dataclass(frozen=True, slots=True)
class _BuiltRecord:
    record: Mapping[str, Any]
