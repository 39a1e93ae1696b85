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
STALE: Final = label(conventions.METRIC_POLICY_STALE)

CLAUSE: Final = label(conventions.FINDING_CLAUSE)
OUTCOME: Final = label(conventions.FINDING_OUTCOME)
VERDICT: Final = label(conventions.DECISION_VERDICT)
OVERRIDE_CLAUSE: Final = label(conventions.OVERRIDE_CLAUSE)
OVERRIDE_LEVEL: Final = label(conventions.OVERRIDE_LEVEL)
OVERRIDE_RULING: Final = label(conventions.OVERRIDE_RULING)
DROPPED_WHAT: Final = label(conventions.DROPPED_WHAT)
DROPPED_REASON: Final = label(conventions.DROPPED_REASON)

_BLIND_S = 3600
"""How long a counter may be out of sight and still be the one that was there before."""


def quoted(text: str) -> str:
    """A string of PromQL."""
    return json.dumps(text, ensure_ascii=False)


def matching(metric: str, **equal: str) -> str:
    """A selector of series whose labels equal these."""
    return metric + "{" + ",".join(f"{name}={quoted(value)}" for name, value in equal.items()) + "}"


def counted(series: str, window_s: float, by: str, pace: Pace) -> str:
    """How much counters grew within a window, one that first appeared within it counted from nothing.

    ``increase`` alone takes a counter's first value for its starting point: a violation before the first scrape of a
    new process would never be seen. It does see to restarts within a series.
    """
    window, before = pace.duration(window_s), pace.duration(_BLIND_S)
    appeared = f"(max_over_time({series}[{window}]) unless present_over_time({series}[{before}] offset {window}))"
    return f"sum by ({by}) ({appeared} or increase({series}[{window}]))"
