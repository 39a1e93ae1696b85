"""Recording rules: counts of assessments and violations of each clause, by window."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from specspan.decision import Outcome
from specspan_exporter_prometheus import promql
from specspan_exporter_prometheus.windows import HOUR_S, WINDOWS_S, Pace, window_name

ASSESSED: Final = "specspan:clause_assessed"
VIOLATED: Final = "specspan:clause_violated"

Counts: TypeAlias = Callable[[str, str, int], str]
"""Function that returns PromQL for the count of `ASSESSED` or `VIOLATED` of a clause within seconds, by service."""

_OUTCOMES = {
    ASSESSED: f'{promql.OUTCOME}=~"{Outcome.COMPLIED}|{Outcome.VIOLATED}"',
    VIOLATED: f'{promql.OUTCOME}="{Outcome.VIOLATED}"',
}
_BY = f"job, {promql.CLAUSE}"
_OFTEN_S, _SELDOM_S = 30, 120  # a window of days changes slowly and is dear to read; both below the lookback of 5 min


def record_name(what: str, window_s: int) -> str:
    """Return the name of a recorded count."""
    return f"{what}:increase{window_name(window_s)}"


def read_recorded(what: str, clause: str, window_s: int) -> str:
    """Return PromQL that reads a count which the rules here recorded."""
    return promql.select(record_name(what, window_s), **{promql.CLAUSE: clause})


def count_anew(what: str, clause: str, window_s: int) -> str:
    """Return PromQL that counts anew each time and needs no recording rules."""
    return promql.increase(promql.findings(_OUTCOMES[what], clause), window_s, _BY, Pace())


def recording_groups(pace: Pace) -> list[dict[str, Any]]:
    """Return the groups of recording rules, short windows apart from long ones."""
    return [
        _group("specspan-short-windows", [each for each in WINDOWS_S if each <= HOUR_S], _OFTEN_S, pace),
        _group("specspan-long-windows", [each for each in WINDOWS_S if each > HOUR_S], _SELDOM_S, pace),
    ]


def _group(name: str, windows_s: list[int], interval_s: float, pace: Pace) -> dict[str, Any]:
    rules = [
        {"record": record_name(what, window_s), "expr": promql.increase(promql.findings(outcome), window_s, _BY, pace)}
        for window_s in windows_s
        for what, outcome in _OUTCOMES.items()
    ]
    return {"name": name, "interval": pace.interval(interval_s), "rules": rules}
