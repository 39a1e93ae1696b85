"""Export of decision records, and of spans to exporters of specspan's own, in batches from a thread for each exporter.

Handed over = exported + dropped, exactly, and every drop is counted in `drop_counts`.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from opentelemetry.context import attach, detach, set_value

from specspan._support import drop_counts
from specspan._support.guard import guard
from specspan._support.otel_private import SUPPRESS_INSTRUMENTATION_KEY
from specspan.record.batching import BatchWorker
from specspan.record.pacing import Pacer
from specspan.record.settings import Settings

if TYPE_CHECKING:
    from specspan.ledger.ledger_entry import Place

_log = logging.getLogger("specspan")
T = TypeVar("T")
R = TypeVar("R")
_TEMPORARY_DELAY_S = 0.5


class DecisionExporter(Protocol):
    """Carrier of decision records to a backend.

    Called by one thread at a time. Records share parts with one another: they are read, never changed. After a fork
    the child's thread calls the same object. The record of a policy comes before the first decision that names it, and
    again from time to time: it is told by its id.
    """

    def export(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Carry ``records``; raise when that could not be done, and they are handed over again.

        An error whose ``is_temporary`` is true, such as that of a file that other processes hold locked, is tried
        again until it succeeds or the exporter is shut down; after others the batch is dropped in the end.
        """

    def shutdown(self) -> None:
        """Release every resource; nothing is exported after."""


class DecisionLog(Protocol):
    """Log that has each decision before any exporter. Called by every thread that makes calls; nothing is raised."""

    def append_encoded(
        self,
        kind: str,
        record_id: str,
        data: bytes,
        policy: str | None,
        find_policy: Callable[[str], Mapping[str, Any] | None],
    ) -> Place | None:
        """Write the record of a decision or finding, canonical JSON, after that of the policy that it names.

        Return where it is; None where it was lost, and counted.
        """

    def append_policy(self, record: Mapping[str, Any]) -> None:
        """Write the record of a policy that came into force."""

    @property
    def keeps_content(self) -> bool:
        """Return whether content is kept beside the log, encrypted."""

    def keep_content(self, subject: str, decision: str, content: Mapping[str, Any]) -> None:
        """Keep the content of a call about a subject; what cannot be kept is counted."""

    def accounts(self) -> Mapping[str, Any]:
        """Return how many decisions of this process were ``recorded``, and ``dropped`` by reason."""

    def outages_s(self) -> Mapping[str, float]:
        """Return by backend the seconds for which it has not taken what there is; 0 while it does."""

    def drop(self, reason: str) -> None:
        """Count a decision whose record could not be made."""

    def force_flush(self, timeout_s: float) -> bool:
        """Have everything written outlast a power cut, and delivered; return False where that failed in the time."""

    def shutdown(self, timeout_s: float) -> None:
        """Write the end, and deliver; what comes later is dropped and counted."""


class ExportWorker(Generic[T, R]):
    """Queue of one exporter, whose records are made on its own thread; a failing exporter harms no other.

    A batch that could not be exported is tried again after each of `Settings.retry_delays_s`, then dropped and counted.
    """

    def __init__(
        self,
        kind: str,
        export: Callable[[Sequence[R]], None],
        build: Callable[[T], R],
        settings: Settings,
        *,
        on_close: Callable[[], None],
        kind_of: Callable[[T | R], str] | None = None,
    ) -> None:
        """Start no thread yet.

        Args:
            kind: the kind of item, in loss counts and in the thread's name.
            export: carries a batch to the backend, as `DecisionExporter.export` does.
            build: makes what is exported of an item.
            settings: sizes and times.
            on_close: called once, after the last batch.
            kind_of: returns the kind of an item, or of what was made of it, where not all are of ``kind``.
        """
        self._kind = kind
        self._kind_of = kind_of or (lambda _: kind)
        self._export = export
        self._build_one = build
        self._retry_delays_s = settings.retry_delays_s
        self._is_failing = False
        self._batch_size = settings.batch_size
        self.worker: BatchWorker[T | _Built[R]] = BatchWorker(
            kind,
            self._write,
            queue_size=settings.queue_size,
            batch_size=settings.batch_size,
            interval_s=settings.interval_s,
            on_close=on_close,
            kind_of=None
            if kind_of is None
            else lambda item: kind_of(item.record if isinstance(item, _Built) else item),
        )

    def put(self, item: T) -> None:
        """Queue an item. While the exporter lags, build its record at once: a record holds no conversation."""
        if self.worker.queue_length < self._batch_size:
            self.worker.put(item)
            return
        for record in self._build((item,)):
            self.worker.put(_Built(record))

    def _write(self, items: Sequence[T | _Built[R]]) -> None:
        records = self._build(items)
        if not records:
            return
        delays_s = iter(self._retry_delays_s)
        while (error := self._try_export(records)) is not None:
            if is_temporary(error):
                if not self.worker.is_on_own_thread:  # the caller waits: one attempt
                    break
                self.worker.given_up.wait(_TEMPORARY_DELAY_S)
            elif (delay_s := next(delays_s, None)) is None:
                break
            else:
                self.worker.close_requested.wait(delay_s)
            if self.worker.given_up.is_set():  # and counted
                return
        if error is not None:
            for kind, count in Counter(map(self._kind_of, records)).items():
                drop_counts.count(kind, "export_failed", count)
            self.worker.note_loss()

    def _build(self, items: Sequence[T | _Built[R]]) -> list[R]:
        """Return the records of ``items``, without those that cannot be built, which are counted."""
        records: list[R] = []
        pacer = Pacer() if self.worker.queue_length < self._batch_size else None
        for item in items:
            with guard(f"record.{self._kind}_record"):
                try:
                    records.append(item.record if isinstance(item, _Built) else self._build_one(item))
                except Exception:
                    drop_counts.count(self._kind if isinstance(item, _Built) else self._kind_of(item), "internal")
                    self.worker.note_loss()
                    raise
            if pacer is not None:
                pacer.pause_if_due()
        return records

    def _try_export(self, records: Sequence[R]) -> Exception | None:
        # an exporter's own database and network calls are no part of the application's traces
        token = attach(set_value(SUPPRESS_INSTRUMENTATION_KEY, value=True))
        try:
            self._export(records)
        except Exception as error:
            if not self._is_failing:  # once an outage, not once a batch
                owner = getattr(self._export, "__self__", self._export)
                owner = getattr(owner, "exporter", owner)
                _log.warning(
                    "%s could not export %d %ss: %r", type(owner).__qualname__, len(records), self._kind, error
                )
            self._is_failing = True
            return error
        finally:
            detach(token)
        self._is_failing = False
        return None


def is_temporary(error: Exception) -> bool:
    """Return whether an exporter says of its error that another attempt may succeed."""
    return bool(getattr(error, "is_temporary", False))


@dataclass(frozen=True, slots=True)
class _Built(Generic[R]):
    record: R
