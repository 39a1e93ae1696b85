"""Panels of a page, and how each is built for Grafana."""

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
"""Width of the narrowest bar: a smaller one would hold too few scrapes to count in."""
_POINTS_OF_LONG_WINDOWS = 60

PanelBuilder: TypeAlias = Any
"""Panel builder of the SDK. Those of different kinds have equal methods and no common type."""


class Kind(Enum):
    """Form in which a panel shows the results of its queries."""

    STAT = "stat"
    LINES = "lines"
    BARS = "bars"
    TABLE = "table"
    TRACES = "traces"
    LOGS = "logs"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Panel:
    """Panel of a page."""

    title: str
    description: str
    kind: Kind
    queries: tuple[Query, ...] = ()
    unit: str = COUNT
    size: tuple[int, int] = HALF
    """Width, in parts of 24, and height."""
    text: str = ""
    """Markdown of a panel of `Kind.TEXT`."""
    is_expensive: bool = False
    """True where its windows are of days: it is evaluated at few points."""
    below_zero: bool = False
    """True where values may be below 0; the axis of other panels begins there."""


def stat_panel(title: str, description: str, query: Query, unit: str = COUNT) -> Panel:
    """Return a panel that shows one number."""
    return Panel(title, description, Kind.STAT, (query,), unit, TILE)


def build(panel: Panel, number: int) -> PanelBuilder:
    """Return the panel's builder; ``number`` is its id on the page."""
    built = _KINDS[panel.kind](panel)
    width, height = panel.size
    built = built.id(number).title(panel.title).description(panel.description).span(width).height(height)
    if panel.queries:
        built = built.datasource(panel.queries[0].source.reference)
    for ref, query in zip("ABCDEFGHIJ", panel.queries, strict=False):
        built = built.with_target(query.build(ref))
    if any(query.source is Source.JAEGER for query in panel.queries):
        built = built.repeat(SERVICE).repeat_direction("v")  # Jaeger searches one service at a time
    return built


def _stat(panel: Panel) -> PanelBuilder:
    last_value = ReduceDataOptions().calcs(["lastNotNull"])
    return stat.Panel().unit(panel.unit).no_value("0").reduce_options(last_value)


def _lines(panel: Panel) -> PanelBuilder:
    built = _graph(panel).fill_opacity(8)
    return built.max_data_points(_POINTS_OF_LONG_WINDOWS) if panel.is_expensive else built


def _bars(panel: Panel) -> PanelBuilder:
    stacked = StackingConfig().mode(StackingMode("normal")).group("A")
    return _graph(panel).draw_style(GraphDrawStyle.BARS).fill_opacity(80).stacking(stacked).interval(_BAR)


def _graph(panel: Panel) -> PanelBuilder:
    built = timeseries.Panel().unit(panel.unit)
    return built if panel.below_zero else built.min(0)


def _table(panel: Panel) -> PanelBuilder:
    hidden = DataTransformerConfig(id_val="organize", options={"excludeByName": {"Time": True}})
    return table.Panel().unit(panel.unit).filterable(True).with_transformation(hidden)


def _search_results(panel: Panel) -> PanelBuilder:
    return table.Panel() if panel.kind is Kind.TRACES else logs.Panel()


def _text(panel: Panel) -> PanelBuilder:
    return text.Panel().mode(TextMode("markdown")).content(panel.text)


_KINDS = {
    Kind.STAT: _stat,
    Kind.LINES: _lines,
    Kind.BARS: _bars,
    Kind.TABLE: _table,
    Kind.TRACES: _search_results,
    Kind.LOGS: _search_results,
    Kind.TEXT: _text,
}
