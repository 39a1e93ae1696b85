"""Metrics about the ledger: what became of each decision, and how long a backend has not taken what it holds."""

from __future__ import annotations

from collections.abc import Iterable

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

from specspan.record import conventions as names
from specspan.record.export import DecisionLog
from specspan.version import __version__


class LedgerMetrics:
    """Counter of decisions, each recorded or dropped for a reason, and gauge of the backends' outages."""

    def __init__(self, provider: MeterProvider | None, log: DecisionLog) -> None:
        meter = metrics.get_meter(names.INSTRUMENTATION_NAME, __version__, provider, names.SCHEMA_URL)
        self._log: DecisionLog | None = log
        meter.create_observable_counter(
            names.METRIC_LEDGER_DECISIONS,
            [self._observe_decisions],
            "{decision}",
            "Decisions handed to the ledger: their sum was attempted, each was recorded or dropped.",
        )
        meter.create_observable_gauge(
            names.METRIC_LEDGER_OUTAGE,
            [self._observe_outages],
            "s",
            "Time for which a backend has not taken what the ledger holds; 0 while it does.",
        )

    def close(self) -> None:
        """Observe nothing more: the meter, which may be the application's, outlives this object."""
        self._log = None

    def _observe_decisions(self, _options: CallbackOptions) -> Iterable[Observation]:
        if self._log is None:
            return []
        accounts = self._log.accounts()
        dropped = [
            Observation(count, {names.LEDGER_RESULT: "dropped", names.DROPPED_REASON: reason})
            for reason, count in accounts["dropped"].items()
        ]
        return [Observation(accounts["recorded"], {names.LEDGER_RESULT: "recorded"}), *dropped]

    def _observe_outages(self, _options: CallbackOptions) -> Iterable[Observation]:
        outages = {} if self._log is None else self._log.outages_s()
        return [Observation(outage_s, {names.LEDGER_BACKEND: name}) for name, outage_s in outages.items()]
