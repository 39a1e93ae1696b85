"""A panel as its page declares it, and as Grafana has it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeAlias

from grafana_foundation_sdk.builders import logs, stat, table, text, timeseries
from grafana_foundation_sdk.builders.common import ReduceDataOptions, StackingConfig
from grafana_foundation_sdk.models.common import GraphDrawStyle, StackingMode
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig
from grafana_foundation_sdk.models.text import TextMode

from specspan_exporter_grafana.queries import Query
from specspan_exporter_grafana.sources import SERVICE, Source

PERCENT: Final = "percentunit"
SECONDS: Final = "s"
COUNT: Final = "short"
TILE: Final = (4, 4)
HALF: Final = (12, 8)
WHOLE: Final = (24, 8)
_BAR = "2m"
"""The narrowest: less would hold too few scrapes to count in."""
_POINTS_OF_LONG_WINDOWS = 60

Built: TypeAlias = Any
"""A panel's builder of the SDK; those of different kinds have the same methods and no common type."""


class Kind(Enum):
    """How a panel shows what it asked."""

    STAT = "stat"
    LINES = "lines"
    BARS = "bars"
    TABLE = "table"
    TRACES = "traces"
    LOGS = "logs"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel."""

    title: str
    description: str
    kind: Kind
    queries: tuple[Query, ...] = ()
    unit: str = COUNT
    size: tuple[int, int] = HALF
    """Width, of 24, and height."""
    text: str = ""
    """Markdown, of `Kind.TEXT`."""
    dear: bool = False
    """Its windows are of days: it is asked at few points."""
    below_zero: bool = False
    """Whether its values may be below 0, where others begin."""


def stat_of(title: str, description: str, query: Query, unit: str = COUNT) -> Panel:
    """One number."""
    return Panel(title, description, Kind.STAT, (query,), unit, TILE)


def build(panel: Panel, number: int) -> Built:
    """The panel for the SDK; ``number`` is its id on the page."""
    built = _KINDS[panel.kind](panel)
    width, height = panel.size
    built = built.id(number).title(panel.title).description(panel.description).span(width).height(height)
    if panel.queries:
        built = built.datasource(panel.queries[0].source.chosen)
    for ref, query in zip("ABCDEFGHIJ", panel.queries, strict=False):
        built = built.with_target(query.build(ref))
    if any(query.source is Source.JAEGER for query in panel.queries):
        built = built.repeat(SERVICE).repeat_direction("v")  # Jaeger searches one service at a time
    return built


def _stat(panel: Panel) -> Built:
    calculated = ReduceDataOptions().calcs(["lastNotNull"])
    return stat.Panel().unit(panel.unit).no_value("0").reduce_options(calculated)


def _lines(panel: Panel) -> Built:
    built = _graph(panel).fill_opacity(8)
    return built.max_data_points(_POINTS_OF_LONG_WINDOWS) if panel.dear else built


def _bars(panel: Panel) -> Built:
    stacked = StackingConfig().mode(StackingMode("normal")).group("A")
    return _graph(panel).draw_style(GraphDrawStyle.BARS).fill_opacity(80).stacking(stacked).interval(_BAR)


def _graph(panel: Panel) -> Built:
    built = timeseries.Panel().unit(panel.unit)
    return built if panel.below_zero else built.min(0)


def _table(panel: Panel) -> Built:
    hidden = DataTransformerConfig(id_val="organize", options={"excludeByName": {"Time": True}})
    return table.Panel().unit(panel.unit).filterable(True).with_transformation(hidden)


def _found(panel: Panel) -> Built:
    return table.Panel() if panel.kind is Kind.TRACES else logs.Panel()


def _text(panel: Panel) -> Built:
    return text.Panel().mode(TextMode("markdown")).content(panel.text)


_KINDS = {
    Kind.STAT: _stat,
    Kind.LINES: _lines,
    Kind.BARS: _bars,
    Kind.TABLE: _table,
    Kind.TRACES: _found,
    Kind.LOGS: _found,
    Kind.TEXT: _text,
}
