"""Data sources as variables of a dashboard, which its reader chooses."""

from __future__ import annotations

from enum import Enum
from typing import Final

from grafana_foundation_sdk.builders.dashboard import DatasourceVariable, QueryVariable
from grafana_foundation_sdk.models.dashboard import DataSourceRef, VariableOption, VariableRefresh, VariableSort

from specspan_exporter_grafana.promql import JOBS

SERVICE: Final = "service"
"""Variable of the services: ``service.name``, which follows the namespace in the name of a job."""

_LABEL_VALUES = 1
"""Type of such a query in Grafana's editor of variables."""


class Source(str, Enum):
    """Kind of data source, by Grafana's name for it, which is also the name of its variable."""

    PROMETHEUS = "prometheus"
    TEMPO = "tempo"
    JAEGER = "jaeger"
    LOKI = "loki"

    @property
    def reference(self) -> DataSourceRef:
        """Return the reference to the data source that the variable names."""
        return DataSourceRef(type_val=self.value, uid=f"${{{self.value}}}")

    @property
    def variable(self) -> DatasourceVariable:
        """Return the dashboard's variable of this data source."""
        variable: DatasourceVariable = DatasourceVariable(self.value).label(self.value.capitalize()).type(self.value)
        return variable


def services() -> QueryVariable:
    """Return the variable `SERVICE`: one service, several or all."""
    variable: QueryVariable = (
        labels(SERVICE, "Service", f"label_values({JOBS})", VariableSort.ALPHABETICAL_ASC)
        .regex(r"/^(?:.*\/)?([^\/]+)$/")
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(VariableOption(text="All", value="$__all"))
    )
    return variable


def labels(name: str, title: str, query: str, sort: VariableSort) -> QueryVariable:
    """Return a variable of the values of a label, which are read again when the time range changes."""
    variable: QueryVariable = (
        QueryVariable(name)
        .label(title)
        .datasource(Source.PROMETHEUS.reference)
        .query({"qryType": _LABEL_VALUES, "query": query, "refId": name})
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(sort)
    )
    return variable
