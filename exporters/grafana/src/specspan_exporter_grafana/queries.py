"""What a panel asks, in the language of each data source."""

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
"""How many traces a panel lists."""
_COLUMNS = (conventions.DECISION_ACTION, conventions.DECISION_GOVERNING_CLAUSE, conventions.SPEC_VERSION)


@dataclass(frozen=True, slots=True)
class Prom:
    """PromQL."""

    expr: str
    legend: str = ""
    instant: bool = False
    """One value at the end of the time range, in place of its course."""
    table: bool = False
    exemplars: bool = False
    """Whether traces behind the values are shown on them."""

    source = Source.PROMETHEUS

    def build(self, ref: str) -> Builder[Dataquery]:
        """As Grafana has it."""
        query = prometheus.Dataquery()
        query.ref_id(ref).datasource(self.source.chosen).expr(self.expr).legend_format(self.legend or "__auto")
        query.instant() if self.instant else query.range()
        if self.table:
            query.format(PromQueryFormat("table"))
        if self.exemplars:
            query.exemplar(True)
        return query


@dataclass(frozen=True, slots=True)
class TraceQL:
    """Spans of the services looked at that have all these attributes, the latest first."""

    attributes: tuple[tuple[str, str], ...]

    source = Source.TEMPO

    @property
    def text(self) -> str:
        """The query."""
        conditions = [f'resource.service.name =~ "${SERVICE}"']
        conditions += [f"{_attribute(name)} = {_quoted(value)}" for name, value in self.attributes]
        return f"{{ {' && '.join(conditions)} }} | select({', '.join(_attribute(name) for name in _COLUMNS)})"

    def build(self, ref: str) -> Builder[Dataquery]:
        """As Grafana has it."""
        query: tempo.TempoQuery = (
            tempo.TempoQuery()
            .ref_id(ref)
            .datasource(self.source.chosen)
            .query_type("traceql")
            .query(self.text)
            .table_type(SearchTableType.SPANS)
            .limit(_LATEST)
        )
        return query


@dataclass(frozen=True, slots=True)
class JaegerSearch:
    """Traces of one service with a span that has all these tags."""

    tags: tuple[tuple[str, str], ...]

    source = Source.JAEGER

    def build(self, ref: str) -> Builder[Dataquery]:
        """As Grafana has it; the SDK knows no queries of Jaeger."""
        return _Made(
            {
                "refId": ref,
                "datasource": self.source.chosen.to_json(),
                "queryType": "search",
                "service": f"${SERVICE}",
                "tags": " ".join(f"{name}={_logfmt(value)}" for name, value in self.tags),
                "limit": _LATEST,
            }
        )


@dataclass(frozen=True, slots=True)
class LogQL:
    """Log records of the services looked at, with these attributes."""

    attributes: tuple[tuple[str, str], ...]

    source = Source.LOKI

    def build(self, ref: str) -> Builder[Dataquery]:
        """As Grafana has it; of OpenTelemetry's log records Loki keeps attributes as metadata, dots as underscores."""
        filters = "".join(f" | {name.replace('.', '_')}={_quoted(value)}" for name, value in self.attributes)
        text = f'{{service_name=~"${SERVICE}"}}{filters}'
        query: loki.Dataquery = loki.Dataquery().ref_id(ref).datasource(self.source.chosen).expr(text)
        return query


Query: TypeAlias = Prom | TraceQL | JaegerSearch | LogQL


def named(*labels: str) -> str:
    """A legend that is the values of labels."""
    return " ".join(f"{{{{{label}}}}}" for label in labels)


class _Made(Builder[Dataquery]):
    """A query that is made already."""

    def __init__(self, made: dict[str, object]) -> None:
        self._made = made

    def build(self) -> Dataquery:
        return UnknownDataquery(self._made)


def _attribute(name: str) -> str:
    """An attribute of a span in TraceQL: in quotes where it is no plain name."""
    return f"span.{name}" if re.fullmatch(r"[A-Za-z0-9_.]+", name) else f"span.{_quoted(name)}"


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _logfmt(value: str) -> str:
    return value if shlex.quote(value) == value or value.startswith("$") else _quoted(value)
