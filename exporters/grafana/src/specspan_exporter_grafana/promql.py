"""PromQL of panels: the counts of the Prometheus rules, narrowed to the services that a dashboard's variable names."""

from __future__ import annotations

from typing import Final

from specspan.decision import Outcome
from specspan_exporter_prometheus import promql
from specspan_exporter_prometheus.promql import grown

JOBS: Final = f"{promql.DECISIONS}, job"
"""As ``label_values`` takes it."""

RANGE: Final = "$__range"
STEP: Final = "$__interval"
"""The width of a bar: windows that follow each other without gap or overlap."""
RATE: Final = "$__rate_interval"
ASSESSED: Final = (Outcome.COMPLIED, Outcome.VIOLATED)

_SERVICES = 'job=~"(.+/)?$service"'


def series(metric: str, *matchers: str) -> str:
    """A metric of the services looked at."""
    return f"{metric}{{{', '.join((_SERVICES, *matchers))}}}"


def equal(label: str, text: str) -> str:
    """A matcher."""
    return f"{label}={promql.quoted(text)}"


def one_of(label: str, *texts: str) -> str:
    """A matcher of several words, none of them of anybody's choosing."""
    return f'{label}=~"{"|".join(texts)}"' if len(texts) > 1 else equal(label, *texts)


def decisions(*matchers: str) -> str:
    """Decisions of the services looked at."""
    return series(promql.DECISIONS, *matchers)


def findings(*outcomes: Outcome, clause: str | None = None, also: tuple[str, ...] = ()) -> str:
    """Findings of the services looked at."""
    of_clause = () if clause is None else (equal(promql.CLAUSE, clause),)
    of_outcome = (one_of(promql.OUTCOME, *(str(each) for each in outcomes)),) if outcomes else ()
    return series(promql.FINDINGS, *of_outcome, *of_clause, *also)


def share(part: str, whole: str, window: str, by: str = "") -> str:
    """Which share of what grew in a window grew in a part of it; 0 where none did, nothing where the whole stood."""
    counted = grown(whole, window, by=by)
    return f"({grown(part, window, by=by)} or 0 * {counted}) / ({counted} > 0)"


def quantile(q: float, histogram: str, by: str = "") -> str:
    """A quantile of a histogram, by labels."""
    buckets = ", ".join(filter(None, ("le", by)))
    return f"histogram_quantile({q}, sum by ({buckets}) (rate({series(f'{histogram}_bucket')}[{RATE}])))"
