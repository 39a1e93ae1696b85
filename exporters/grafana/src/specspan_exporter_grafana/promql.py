"""PromQL of panels: the counts of the Prometheus rules, narrowed to the services that a dashboard's variable names."""

from __future__ import annotations

from typing import Final

from specspan.decision import Outcome
from specspan_exporter_prometheus import promql
from specspan_exporter_prometheus.promql import increase_over

JOBS: Final = f"{promql.DECISIONS}, job"
"""Metric and label, as Grafana's ``label_values`` takes them."""

RANGE: Final = "$__range"
STEP: Final = "$__interval"
"""Width of a bar: windows that follow each other without gap or overlap."""
RATE: Final = "$__rate_interval"
ASSESSED: Final = (Outcome.COMPLIED, Outcome.VIOLATED)

_SERVICES = 'job=~"(.+/)?$service"'


def series(metric: str, *matchers: str) -> str:
    """Return a selector of a metric for the services of the dashboard."""
    return f"{metric}{{{', '.join((_SERVICES, *matchers))}}}"


def equal(label: str, text: str) -> str:
    """Return a matcher of one value of a label."""
    return f"{label}={promql.quote(text)}"


def one_of(label: str, *texts: str) -> str:
    """Return a matcher of several values of a label, which must be fixed words: they are not escaped."""
    return f'{label}=~"{"|".join(texts)}"' if len(texts) > 1 else equal(label, *texts)


def decisions(*matchers: str) -> str:
    """Return a selector of decisions for the services of the dashboard."""
    return series(promql.DECISIONS, *matchers)


def findings(*outcomes: Outcome, clause: str | None = None, also: tuple[str, ...] = ()) -> str:
    """Return a selector of findings for the services of the dashboard."""
    of_clause = () if clause is None else (equal(promql.CLAUSE, clause),)
    of_outcome = (one_of(promql.OUTCOME, *(str(each) for each in outcomes)),) if outcomes else ()
    return series(promql.FINDINGS, *of_outcome, *of_clause, *also)


def share(part: str, whole: str, window: str, by: str = "") -> str:
    """Return the share that a part has in the increase of a whole: 0 without the part, no value without the whole."""
    counted = increase_over(whole, window, by=by)
    return f"({increase_over(part, window, by=by)} or 0 * {counted}) / ({counted} > 0)"


def quantile(q: float, histogram: str, by: str = "") -> str:
    """Return a quantile of a histogram, by labels."""
    buckets = ", ".join(filter(None, ("le", by)))
    return f"histogram_quantile({q}, sum by ({buckets}) (rate({series(f'{histogram}_bucket')}[{RATE}])))"
