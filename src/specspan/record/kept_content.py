"""Content of calls on its way to where a ledger keeps it, encrypted; made and written off the caller's thread."""

from __future__ import annotations

from collections.abc import Sequence

from specspan._support.guard import guard
from specspan.record import content
from specspan.record.batching import BatchWorker
from specspan.record.call_end import CallRecord
from specspan.record.export import DecisionLog
from specspan.record.settings import Settings

UNKNOWN = "unknown"
"""Subject of calls that name no user and no conversation."""


class KeptContent:
    """Queue of the calls whose content a ledger keeps."""

    def __init__(self, log: DecisionLog, settings: Settings) -> None:
        self._log = log
        self.worker: BatchWorker[CallRecord] = BatchWorker(
            "ledger_content",
            self._write,
            queue_size=settings.queue_size,
            batch_size=settings.batch_size,
            interval_s=settings.interval_s,
        )
        """Queue of calls that are over."""

    def _write(self, records: Sequence[CallRecord]) -> None:
        for record in records:
            with guard("record.kept_content"):
                context, decision = record.call.context, record.decision
                if decision is not None:
                    captured = content.capture_content(record.call)
                    subject = context.user or context.conversation or UNKNOWN
                    self._log.keep_content(subject, decision.id, captured.structures)
