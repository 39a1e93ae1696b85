"""Metrics about policies that are loaded again while the application runs."""

from __future__ import annotations

from collections.abc import Iterable

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

from specspan.record import conventions as names
from specspan.version import __version__


class PolicyReloadMetrics:
    """Counter of loaded and refused policies, and gauge of whether the files differ from the policy in force."""

    def __init__(self, provider: MeterProvider | None) -> None:
        meter = metrics.get_meter(names.INSTRUMENTATION_NAME, __version__, provider, names.SCHEMA_URL)
        self._stale = False
        self._closed = False
        self._counter = meter.create_counter(
            names.METRIC_POLICY_RELOAD, "{reload}", "Changed policies that were put in force or refused."
        )
        meter.create_observable_gauge(
            names.METRIC_POLICY_STALE,
            [self._observe_stale],
            "{policy}",
            "1 while the policy's files hold what was refused, and an older policy is in force.",
        )

    def count_reload(self) -> None:
        """Count a changed policy that was put in force."""
        self._stale = False
        self._counter.add(1, {names.RELOAD_RESULT: "ok"})

    def count_refusal(self) -> None:
        """Count a changed policy that cannot be used."""
        self._stale = True
        self._counter.add(1, {names.RELOAD_RESULT: "refused"})

    def close(self) -> None:
        """Observe nothing more: the meter, which may be the application's, outlives this object."""
        self._closed = True

    def _observe_stale(self, _options: CallbackOptions) -> Iterable[Observation]:
        return [] if self._closed else [Observation(int(self._stale))]
