"""Dashboards of Grafana's, asked as it asks: their queries taken out of the JSON, variables put in."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from backends import fetch

RANGE_S = 300
STEP_S = 5
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


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A real one."""

    url: str

    def instant(self, expr: str, at_s: float | None = None) -> list[dict[str, Any]]:
        """Series with their values at a moment, by default now; those that are no number left out."""
        found = self._get("query", query=expr, time=at_s or time.time())["result"]
        return [each for each in found if not math.isnan(float(each["value"][1]))]

    def course(self, expr: str, step_s: float) -> list[dict[str, Any]]:
        """Series with their values up to now, at whole steps; those without a number left out."""
        end_s = math.ceil(time.time() / step_s) * step_s
        start_s = end_s - math.ceil(RANGE_S / step_s) * step_s
        found = self._get("query_range", query=expr, start=start_s, end=end_s, step=step_s)["result"]
        return [each for each in found if any(not math.isnan(float(value)) for _, value in each["values"])]

    def values(self, asked: str) -> list[str]:
        """What `label_values(metric, label)` gives."""
        metric, label = re.fullmatch(r"label_values\((\w+), (\w+)\)", asked).groups()  # type: ignore[union-attr]  # or the test fails
        return list(self._get(f"label/{label}/values", **{"match[]": metric}))

    def answer(self, each: Asked, variables: Mapping[str, str]) -> list[dict[str, Any]]:
        """What a panel's query gives."""
        step_s = each.step_s
        given = {
            "__range": f"{RANGE_S}s",
            "__interval": f"{step_s}s",
            "__rate_interval": f"{math.ceil(max(step_s + SCRAPE_S, 4 * SCRAPE_S))}s",
            **variables,
        }
        expr = put_in(each.query["expr"], given)
        assert "$" not in expr, expr
        return self.instant(expr) if each.query.get("instant") else self.course(expr, step_s)

    def _get(self, what: str, **parameters: object) -> Any:
        return json.loads(fetch(f"{self.url}/api/v1/{what}?{urlencode(parameters)}"))["data"]
