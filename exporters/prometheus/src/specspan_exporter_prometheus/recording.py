"""Recording rules: how often each clause was assessed and violated, by window."""

from __future__ import annotations

from typing import Any, Final

from specspan.decision import Outcome
from specspan_exporter_prometheus import promql
from specspan_exporter_prometheus.windows import HOUR_S, WINDOWS_S, Pace, name_of

ASSESSED: Final = "specspan:clause_assessed"
VIOLATED: Final = "specspan:clause_violated"

_SERIES = {
    ASSESSED: f'{promql.FINDINGS}{{{promql.OUTCOME}=~"{Outcome.COMPLIED}|{Outcome.VIOLATED}"}}',
    VIOLATED: promql.matching(promql.FINDINGS, **{promql.OUTCOME: str(Outcome.VIOLATED)}),
}
_OFTEN_S, _SELDOM_S = 30, 120  # a window of days changes slowly and is dear to read; both below the lookback of 5 min


def recorded(what: str, window_s: int) -> str:
    """The name of a recorded count."""
    return f"{what}:increase{name_of(window_s)}"


def recording_groups(pace: Pace) -> list[dict[str, Any]]:
    """The groups that record, short windows apart from long ones."""
    return [
        _group("specspan-short-windows", [each for each in WINDOWS_S if each <= HOUR_S], _OFTEN_S, pace),
        _group("specspan-long-windows", [each for each in WINDOWS_S if each > HOUR_S], _SELDOM_S, pace),
    ]


def _group(name: str, windows_s: list[int], interval_s: float, pace: Pace) -> dict[str, Any]:
    rules = [
        {"record": recorded(what, window_s), "expr": promql.counted(series, window_s, f"job, {promql.CLAUSE}", pace)}
        for window_s in windows_s
        for what, series in _SERIES.items()
    ]
    return {"name": name, "interval": pace.interval(interval_s), "rules": rules}
