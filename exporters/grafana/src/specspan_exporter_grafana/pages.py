"""Pages of panels in rows, and the dashboard that Grafana reads for each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Final

from grafana_foundation_sdk.builders.dashboard import Dashboard, DashboardLink, QueryVariable, Row
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, DashboardLinkType

from specspan_exporter_grafana.naming import Naming
from specspan_exporter_grafana.panels import WHOLE, Kind, Panel, build
from specspan_exporter_grafana.queries import JaegerSearch, LogQL, TraceQL
from specspan_exporter_grafana.sources import Source, services

CLAUSES: Final = "clauses"
"""End of the tag of the clauses' pages."""
_SINCE = "now-6h"
_REFRESH = "5m"


@dataclass(frozen=True, slots=True)
class Page:
    """Dashboard as rows of panels, before it is built for Grafana."""

    id: tuple[str, ...]
    """Parts of its uid, different for each page of a policy."""
    title: str
    description: str
    rows: tuple[tuple[str, tuple[Panel, ...]], ...]
    """Titled rows of panels."""
    variables: tuple[QueryVariable, ...] = ()
    """Variables beside the data sources and the services."""
    tags: tuple[str, ...] = ()

    def sources(self) -> Iterator[Source]:
        """Return the data sources that the page reads."""
        used = {query.source for _, row in self.rows for panel in row for query in panel.queries}
        return (source for source in Source if source in used or source is Source.PROMETHEUS)


def latest_traces(what: str, attributes: tuple[tuple[str, str], ...]) -> tuple[Panel, ...]:
    """Return panels of the latest traces with a span that has these attributes, from Tempo and from Jaeger."""
    return (
        Panel(f"{what} (Tempo)", "The latest calls; each leads to its trace.", Kind.TRACES, (TraceQL(attributes),)),
        Panel(f"{what} (Jaeger)", "The same, of one service.", Kind.TRACES, (JaegerSearch(attributes),)),
    )


def log_records(what: str, attributes: tuple[tuple[str, str], ...]) -> tuple[str, tuple[Panel, ...]]:
    """Return a row of findings as log records, from Loki."""
    return "Log records", (Panel(what, "Findings, as log records.", Kind.LOGS, (LogQL(attributes),), size=WHOLE),)


def dashboard_of(page: Page, naming: Naming) -> str:
    """Return the page as JSON, equal for equal pages."""
    built = (
        Dashboard(page.title)
        .uid(naming.uid(*page.id))
        .description(page.description)
        .tags([naming.name, *(f"{naming.name}-{tag}" for tag in page.tags)])
        .time(_SINCE, "now")
        .refresh(_REFRESH)
        .timezone("browser")
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .editable()
        .variables([*(source.variable for source in page.sources()), services(), *page.variables])
        .links([_link("All pages", naming.name), _link("Clauses", f"{naming.name}-{CLAUSES}")])
    )
    numbers = count(1)
    for title, panels in page.rows:
        built.with_row(Row(title).id(next(numbers)))
        for panel in panels:
            built.with_panel(build(panel, next(numbers)))
    return json.dumps(built.build(), cls=JSONEncoder, indent=2, ensure_ascii=False) + "\n"


def _link(title: str, tag: str) -> DashboardLink:
    link: DashboardLink = (
        DashboardLink(title)
        .type(DashboardLinkType("dashboards"))
        .tags([tag])
        .as_dropdown(True)
        .include_vars(True)
        .keep_time(True)
    )
    return link
