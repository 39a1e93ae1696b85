"""Dashboards of Grafana's, asked as it asks: their queries taken out of the JSON, variables put in."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_server import Prometheus

RANGE_S = 3600
STEP_S = 15
"""Of a graph that has no step of its own."""
SCRAPE_S = 0.25
_UNITS_S = {"s": 1, "m": 60}


@dataclass(frozen=True, slots=True)
class Asked:
    """One query of one panel."""

    page: str
    panel: str
    step_s: int
    query: Mapping[str, Any]

    @property
    def source(self) -> str:
        """The kind of data source."""
        return str(self.query["datasource"]["type"])

    def __str__(self) -> str:
        return f"{self.page} / {self.panel} / {self.query['refId']}"


def asked(dashboards: Mapping[str, str], source: str | None = None) -> list[Asked]:
    """Every query of every panel, of one kind of data source or of all."""
    found = [each for text in dashboards.values() for each in _of(json.loads(text))]
    return [each for each in found if source is None or each.source == source]


def _of(dashboard: Mapping[str, Any]) -> Iterator[Asked]:
    for panel in dashboard["panels"]:
        for query in panel.get("targets", ()):
            yield Asked(dashboard["title"], panel["title"], _seconds(panel.get("interval")), query)


def _seconds(interval: str | None) -> int:
    return STEP_S if interval is None else int(interval[:-1]) * _UNITS_S[interval[-1]]


def put_in(text: str, variables: Mapping[str, str]) -> str:
    """Text with the values of variables; those it names and nobody gave stay."""
    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda match: variables.get(match[1] or match[2], match[0]), text)


def answer(prometheus: Prometheus, each: Asked, variables: Mapping[str, str]) -> list[dict[str, Any]]:
    """What a panel's PromQL gives, at the end of its time range or over it: the series that have a number."""
    given = {
        "__range": f"{RANGE_S}s",
        "__interval": f"{each.step_s}s",
        "__rate_interval": f"{math.ceil(max(each.step_s + SCRAPE_S, 4 * SCRAPE_S))}s",
        **variables,
    }
    expr = put_in(each.query["expr"], given)
    assert "$" not in expr, expr
    if each.query.get("instant"):
        return [found for found in prometheus.query(expr) if _is_number(found["value"])]
    return [found for found in _course(prometheus, expr, each.step_s) if any(map(_is_number, found["values"]))]


def _course(prometheus: Prometheus, expr: str, step_s: int) -> list[dict[str, Any]]:
    """Up to now, at whole steps."""
    end_s = math.ceil(time.time() / step_s) * step_s
    return prometheus.course(expr, end_s - math.ceil(RANGE_S / step_s) * step_s, end_s, step_s)


def _is_number(sample: Sequence[Any]) -> bool:
    _, value = sample
    return not math.isnan(float(value))
