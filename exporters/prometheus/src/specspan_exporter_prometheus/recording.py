"""Recording rules: how often each clause was assessed and violated, by window."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from specspan.decision import Outcome
from specspan_exporter_prometheus import promql
from specspan_exporter_prometheus.windows import HOUR_S, WINDOWS_S, Pace, name_of

ASSESSED: Final = "specspan:clause_assessed"
VIOLATED: Final = "specspan:clause_violated"

Counts: TypeAlias = Callable[[str, str, int], str]
"""PromQL for how often a clause was `ASSESSED` or `VIOLATED` within seconds: by service and clause."""

_OUTCOMES = {
    ASSESSED: f'{promql.OUTCOME}=~"{Outcome.COMPLIED}|{Outcome.VIOLATED}"',
    VIOLATED: f'{promql.OUTCOME}="{Outcome.VIOLATED}"',
}
_BY = f"job, {promql.CLAUSE}"
_OFTEN_S, _SELDOM_S = 30, 120  # a window of days changes slowly and is dear to read; both below the lookback of 5 min


def recorded(what: str, window_s: int) -> str:
    """The name of a recorded count."""
    return f"{what}:increase{name_of(window_s)}"


def as_recorded(what: str, clause: str, window_s: int) -> str:
    """`Counts` that read what the rules here recorded."""
    return promql.matching(recorded(what, window_s), **{promql.CLAUSE: clause})


def as_counted(what: str, clause: str, window_s: int) -> str:
    """`Counts` that need no recording rules, and count anew each time."""
    return promql.counted(promql.findings(_OUTCOMES[what], clause), window_s, _BY, Pace())


def recording_groups(pace: Pace) -> list[dict[str, Any]]:
    """The groups that record, short windows apart from long ones."""
    return [
        _group("specspan-short-windows", [each for each in WINDOWS_S if each <= HOUR_S], _OFTEN_S, pace),
        _group("specspan-long-windows", [each for each in WINDOWS_S if each > HOUR_S], _SELDOM_S, pace),
    ]


def _group(name: str, windows_s: list[int], interval_s: float, pace: Pace) -> dict[str, Any]:
    rules = [
        {"record": recorded(what, window_s), "expr": promql.counted(promql.findings(outcome), window_s, _BY, pace)}
        for window_s in windows_s
        for what, outcome in _OUTCOMES.items()
    ]
    return {"name": name, "interval": pace.interval(interval_s), "rules": rules}
