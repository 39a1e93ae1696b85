"""Queries of panels, in the language of each data source."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from typing import TypeAlias

from grafana_foundation_sdk.builders import loki, prometheus, tempo
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.runtime import UnknownDataquery
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.prometheus import PromQueryFormat
from grafana_foundation_sdk.models.tempo import SearchTableType

from specspan.record import conventions
from specspan_exporter_grafana.sources import SERVICE, Source

_LATEST = 20
"""Traces that a panel lists."""
_COLUMNS = (conventions.DECISION_ACTION, conventions.DECISION_GOVERNING_CLAUSE, conventions.SPEC_VERSION)


@dataclass(frozen=True, slots=True)
class Prom:
    """Query of Prometheus in PromQL."""

    expr: str
    legend: str = ""
    instant: bool = False
    """True for one value, at the end of the time range."""
    table: bool = False
    exemplars: bool = False
    """True where the traces behind the values are shown."""

    source = Source.PROMETHEUS

    def build(self, ref: str) -> Builder[Dataquery]:
        """Return the query's builder of the SDK."""
        query = prometheus.Dataquery()
        query.ref_id(ref).datasource(self.source.reference).expr(self.expr).legend_format(self.legend or "__auto")
        query.instant() if self.instant else query.range()
        if self.table:
            query.format(PromQueryFormat("table"))
        if self.exemplars:
            query.exemplar(True)
        return query


@dataclass(frozen=True, slots=True)
class TraceQL:
    """Query of Tempo for the latest spans of the dashboard's services that have all these attributes."""

    attributes: tuple[tuple[str, str], ...]

    source = Source.TEMPO

    @property
    def text(self) -> str:
        """Return the query in TraceQL."""
        conditions = [f'resource.service.name =~ "${SERVICE}"']
        conditions += [f"{_attribute(name)} = {_quote(value)}" for name, value in self.attributes]
        return f"{{ {' && '.join(conditions)} }} | select({', '.join(_attribute(name) for name in _COLUMNS)})"

    def build(self, ref: str) -> Builder[Dataquery]:
        """Return the query's builder of the SDK."""
        query: tempo.TempoQuery = (
            tempo.TempoQuery()
            .ref_id(ref)
            .datasource(self.source.reference)
            .query_type("traceql")
            .query(self.text)
            .table_type(SearchTableType.SPANS)
            .limit(_LATEST)
        )
        return query


@dataclass(frozen=True, slots=True)
class JaegerSearch:
    """Query of Jaeger for the traces of one service with a span that has all these tags."""

    tags: tuple[tuple[str, str], ...]

    source = Source.JAEGER

    def build(self, ref: str) -> Builder[Dataquery]:
        """Return the query as a fixed value, as the SDK has no queries of Jaeger."""
        return _FixedQuery(
            {
                "refId": ref,
                "datasource": self.source.reference.to_json(),
                "queryType": "search",
                "service": f"${SERVICE}",
                "tags": " ".join(f"{name}={_logfmt(value)}" for name, value in self.tags),
                "limit": _LATEST,
            }
        )


@dataclass(frozen=True, slots=True)
class LogQL:
    """Query of Loki for the log records of the dashboard's services with these attributes."""

    attributes: tuple[tuple[str, str], ...]

    source = Source.LOKI

    def build(self, ref: str) -> Builder[Dataquery]:
        """Return the query's builder. Loki keeps OpenTelemetry's attributes as metadata, dots as underscores."""
        filters = "".join(f" | {name.replace('.', '_')}={_quote(value)}" for name, value in self.attributes)
        text = f'{{service_name=~"${SERVICE}"}}{filters}'
        query: loki.Dataquery = loki.Dataquery().ref_id(ref).datasource(self.source.reference).expr(text)
        return query


Query: TypeAlias = Prom | TraceQL | JaegerSearch | LogQL


def legend_of(*labels: str) -> str:
    """Return a legend that shows the values of labels."""
    return " ".join(f"{{{{{label}}}}}" for label in labels)


class _FixedQuery(Builder[Dataquery]):
    """Query that needs no building."""

    def __init__(self, query: dict[str, object]) -> None:
        self._query = query

    def build(self) -> Dataquery:
        return UnknownDataquery(self._query)


def _attribute(name: str) -> str:
    """Return an attribute of a span in TraceQL, in quotes unless the name is plain."""
    return f"span.{name}" if re.fullmatch(r"[A-Za-z0-9_.]+", name) else f"span.{_quote(name)}"


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _logfmt(value: str) -> str:
    return value if shlex.quote(value) == value or value.startswith("$") else _quote(value)
