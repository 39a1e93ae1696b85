"""Where dashboards read: data sources as variables of a dashboard, chosen by whoever looks at it."""

from __future__ import annotations

from enum import Enum
from typing import Final

from grafana_foundation_sdk.builders.dashboard import DatasourceVariable, QueryVariable
from grafana_foundation_sdk.models.dashboard import DataSourceRef, VariableOption, VariableRefresh, VariableSort

from specspan_exporter_grafana.promql import JOBS

SERVICE: Final = "service"
"""The variable of the services looked at: ``service.name``, which of a job's name is what follows its namespace."""

_LABEL_VALUES = 1
"""What Grafana's editor of variables calls such a query."""


class Source(str, Enum):
    """A kind of data source, called as Grafana calls it; the variable has the same name."""

    PROMETHEUS = "prometheus"
    TEMPO = "tempo"
    JAEGER = "jaeger"
    LOKI = "loki"

    @property
    def chosen(self) -> DataSourceRef:
        """The one that the dashboard's variable names."""
        return DataSourceRef(type_val=self.value, uid=f"${{{self.value}}}")

    @property
    def variable(self) -> DatasourceVariable:
        """The dashboard's variable."""
        made: DatasourceVariable = DatasourceVariable(self.value).label(self.value.capitalize()).type(self.value)
        return made


def services() -> QueryVariable:
    """The variable `SERVICE`: one, several or all."""
    made: QueryVariable = (
        labels(SERVICE, "Service", f"label_values({JOBS})", VariableSort.ALPHABETICAL_ASC)
        .regex(r"/^(?:.*\/)?([^\/]+)$/")
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(VariableOption(text="All", value="$__all"))
    )
    return made


def labels(name: str, title: str, query: str, sort: VariableSort) -> QueryVariable:
    """A variable of the values of a label, read again whenever the time range changes."""
    made: QueryVariable = (
        QueryVariable(name)
        .label(title)
        .datasource(Source.PROMETHEUS.chosen)
        .query({"qryType": _LABEL_VALUES, "query": query, "refId": name})
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(sort)
    )
    return made
