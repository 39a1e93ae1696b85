"""PromQL over specspan's metrics: their names as Prometheus has them, and counts that miss no first appearance.

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
    """An attribute's name as a label."""
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

_BLIND_S = 3600
"""How long a counter may be out of sight and still be the one that was there before."""


def quoted(text: str) -> str:
    """A string of PromQL."""
    return json.dumps(text, ensure_ascii=False)


def matching(metric: str, **equal: str) -> str:
    """A selector of series whose labels equal these."""
    return metric + "{" + ",".join(f"{name}={quoted(value)}" for name, value in equal.items()) + "}"


def findings(outcome: str, clause: str | None = None) -> str:
    """A selector of findings by a matcher of their outcome, of one clause or of all."""
    of_clause = "" if clause is None else f",{CLAUSE}={quoted(clause)}"
    return f"{FINDINGS}{{{outcome}{of_clause}}}"


def counted(series: str, window_s: float, by: str, pace: Pace) -> str:
    """How much counters grew within a window, one that first appeared within it counted from nothing."""
    return grown(series, pace.duration(window_s), pace.duration(_BLIND_S), by)


def grown(series: str, window: str, before: str = f"{_BLIND_S}s", by: str = "") -> str:
    """The same, of a window that PromQL or Grafana names.

    ``increase`` alone takes a counter's first value for its starting point: a violation before the first scrape of a
    new process would never be seen. It does see to restarts within a series.
    """
    appeared = f"(max_over_time({series}[{window}]) unless present_over_time({series}[{before}] offset {window}))"
    return f"sum by ({by}) ({appeared} or increase({series}[{window}]))"
