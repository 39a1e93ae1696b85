"""PromQL over specspan's metrics: their names in Prometheus, and counts that miss no first appearance.

The mapping from OpenTelemetry (specification 1.50, "Prometheus and OpenMetrics Compatibility") is the same for
``opentelemetry-exporter-prometheus`` and for the Collector's exporter: dots become underscores, units in braces are
dropped, counters end in ``_total``.
"""

from __future__ import annotations

import json
from typing import Final

from specspan.record import conventions
from specspan_exporter_prometheus.windows import Pace


def label(attribute: str) -> str:
    """Return the label of an attribute."""
    return attribute.replace(".", "_")


FINDINGS: Final = label(conventions.METRIC_FINDINGS) + "_total"
DECISIONS: Final = label(conventions.METRIC_DECISIONS) + "_total"
OVERRIDES: Final = label(conventions.METRIC_OVERRIDES) + "_total"
DROPPED: Final = label(conventions.METRIC_DROPPED) + "_total"
RELOADS: Final = label(conventions.METRIC_POLICY_RELOAD) + "_total"
STALE: Final = label(conventions.METRIC_POLICY_STALE)
CHECK_DURATION: Final = label(conventions.METRIC_CHECK_DURATION) + "_seconds"
OVERHEAD: Final = label(conventions.METRIC_OVERHEAD_DURATION) + "_seconds"
"""Histograms: their series end in ``_bucket``, ``_sum``, ``_count``."""

SPEC_VERSION: Final = label(conventions.SPEC_VERSION)
CLAUSE: Final = label(conventions.FINDING_CLAUSE)
AUTHORITY: Final = label(conventions.FINDING_AUTHORITY)
SEVERITY: Final = label(conventions.FINDING_SEVERITY)
OUTCOME: Final = label(conventions.FINDING_OUTCOME)
VERDICT: Final = label(conventions.DECISION_VERDICT)
ACTION: Final = label(conventions.DECISION_ACTION)
CHECK_NAME: Final = label(conventions.CHECK_NAME)
CHECK_KIND: Final = label(conventions.CHECK_KIND)
STAGE: Final = label(conventions.STAGE)
OVERRIDE_CLAUSE: Final = label(conventions.OVERRIDE_CLAUSE)
OVERRIDE_LEVEL: Final = label(conventions.OVERRIDE_LEVEL)
OVERRIDE_RULING: Final = label(conventions.OVERRIDE_RULING)
DROPPED_WHAT: Final = label(conventions.DROPPED_WHAT)
DROPPED_REASON: Final = label(conventions.DROPPED_REASON)
RELOAD_RESULT: Final = label(conventions.RELOAD_RESULT)

_MAX_ABSENCE_S = 3600
"""Time for which a counter may be absent and still count as the one that was there before."""


def quote(text: str) -> str:
    """Return a text as a string of PromQL."""
    return json.dumps(text, ensure_ascii=False)


def select(metric: str, **equal: str) -> str:
    """Return a selector of the series whose labels equal these."""
    return metric + "{" + ",".join(f"{name}={quote(value)}" for name, value in equal.items()) + "}"


def findings(outcome: str, clause: str | None = None) -> str:
    """Return a selector of findings by a matcher of their outcome, of one clause or of all."""
    of_clause = "" if clause is None else f",{CLAUSE}={quote(clause)}"
    return f"{FINDINGS}{{{outcome}{of_clause}}}"


def increase(series: str, window_s: float, by: str, pace: Pace) -> str:
    """Return the increase of counters within a window, where one that first appeared within it counts from 0."""
    return increase_over(series, pace.duration(window_s), pace.duration(_MAX_ABSENCE_S), by)


def increase_over(series: str, window: str, before: str = f"{_MAX_ABSENCE_S}s", by: str = "") -> str:
    """Return the increase of counters within a window that PromQL or Grafana names.

    ``increase`` alone takes a counter's first value for its starting point: a violation before the first scrape of a
    new process would never be seen. It does see to restarts within a series.
    """
    appeared = f"(max_over_time({series}[{window}]) unless present_over_time({series}[{before}] offset {window}))"
    return f"sum by ({by}) ({appeared} or increase({series}[{window}]))"
