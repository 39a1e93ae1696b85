"""Alert rules that Grafana evaluates itself: the alerts of the Prometheus rules, with no recording rules under them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from grafana_foundation_sdk.builders import alerting, expr, prometheus
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.alerting import RelativeTimeRange
from grafana_foundation_sdk.models.dashboard import DataSourceRef

from specspan.policy.policy import Policy
from specspan_exporter_grafana.naming import Naming
from specspan_exporter_prometheus.alerts import Alert
from specspan_exporter_prometheus.clauses import clause_alerts
from specspan_exporter_prometheus.health import health_alerts
from specspan_exporter_prometheus.links import Links
from specspan_exporter_prometheus.recording import count_anew
from specspan_exporter_prometheus.windows import Pace

ALERT_LABEL: Final = "specspan_alert"
"""Label of the alert's name: in Grafana ``alertname`` is the title of a rule, which names its clause, too."""

_QUERY, _CONDITION = "A", "B"
_EXPRESSIONS = "__expr__"
_LOOKBACK_S = 600
_GROUP_KEYS = {"orgID", "folderUID", "ruleGroup"}
"""Keys that Grafana's API gives to each rule, and a provisioned file to their group."""
_PAGE_INTERVAL, _TICKET_INTERVAL = "30s", "2m"


def alert_rules_of(
    policy: Policy, links: Links | None = None, naming: Naming | None = None, *, prometheus_uid: str | None = None
) -> dict[str, Any]:
    """Return groups of alert rules, as Grafana's provisioning reads them.

    Args:
        policy: the clauses, with their objectives and severities.
        links: addresses of runbooks and traces.
        naming: the start of uids, and the folder's title.
        prometheus_uid: the data source that is queried; by default the one that `provisioning_of` names.
    """
    links, naming = links or Links(), naming or Naming()
    uid = prometheus_uid or naming.uid("prometheus")
    alerts_of_clauses = list(clause_alerts(policy, links, Pace(), count_anew))
    groups = {
        ("clauses", _PAGE_INTERVAL): [each for each in alerts_of_clauses if each.labels["urgency"] == "page"],
        # windows of days change slowly and are expensive to read
        ("clauses-tickets", _TICKET_INTERVAL): [each for each in alerts_of_clauses if each.labels["urgency"] != "page"],
        ("health", _PAGE_INTERVAL): list(health_alerts(links, Pace())),
    }
    return {
        "apiVersion": 1,
        "groups": [
            {
                "orgId": 1,
                "name": f"{naming.name}-{name}",
                "folder": naming.name,
                "interval": interval,
                "rules": list(_rules(alerts, naming, uid)),
            }
            for (name, interval), alerts in groups.items()
            if alerts
        ],
    }


def _rules(alerts: Iterable[Alert], naming: Naming, prometheus_uid: str) -> Iterator[dict[str, Any]]:
    for alert in alerts:
        clause = () if "spec" not in alert.labels else (alert.labels["clause"],)
        built = (
            alerting.Rule(_escape_dollars(naming.title(alert.name, *clause)))
            .uid(naming.uid(alert.name, *clause))
            .condition(_CONDITION)
            .with_query(_query(alert.expr, prometheus_uid))
            .with_query(_is_present())
            .for_val(alert.duration or "0s")
            .no_data_state("OK")  # no series above a threshold is what a quiet service looks like
            .exec_err_state("Error")
            .labels(
                {
                    name: _escape_dollars(_template(text))
                    for name, text in {**alert.labels, ALERT_LABEL: alert.name}.items()
                }
            )
            .annotations({name: _escape_braces(_template(text)) for name, text in _annotations(alert).items()})
        )
        rule = json.loads(json.dumps(built.build(), cls=JSONEncoder))
        yield {key: value for key, value in rule.items() if key not in _GROUP_KEYS}


def _annotations(alert: Alert) -> dict[str, str]:
    return {"summary": alert.summary, "description": alert.description, **alert.links}


def _query(promql: str, prometheus_uid: str) -> alerting.Query:
    source = DataSourceRef(type_val="prometheus", uid=prometheus_uid)
    model = prometheus.Dataquery().ref_id(_QUERY).datasource(source).expr(promql).instant()
    return _query_of(_QUERY, prometheus_uid, model)


def _is_present() -> alerting.Query:
    """Return the condition that the query has a result, which is above the alert's threshold and so above 0."""
    above = expr.ExprTypeThresholdConditionsEvaluator().type("gt").params([0])
    condition = expr.ExprTypeThresholdConditions().evaluator(above)
    model = (
        expr.TypeThreshold()
        .ref_id(_CONDITION)
        .datasource(DataSourceRef(type_val=_EXPRESSIONS, uid=_EXPRESSIONS))
        .expression(_QUERY)
        .conditions([condition])
    )
    return _query_of(_CONDITION, _EXPRESSIONS, model)


def _query_of(ref: str, source_uid: str, model: Builder[Dataquery]) -> alerting.Query:
    time_range = RelativeTimeRange(from_val=_LOOKBACK_S, to=0)
    query: alerting.Query = alerting.Query(ref).datasource_uid(source_uid).model(model).relative_time_range(time_range)
    return query


def _template(text: str) -> str:
    """Return a template of Prometheus as one of Grafana, where ``$value`` is the text of all values."""
    return re.sub(r"\{\{ \$value\b", f"{{{{ $values.{_QUERY}.Value", text)


def _escape_dollars(text: str) -> str:
    """Return a text with ``$`` twice: Grafana's provisioning replaces a single one and a name by a variable."""
    return text.replace("$", "$$")


def _escape_braces(text: str) -> str:
    """Return the text of an annotation, in which provisioning replaces ``${name}`` alone."""
    return text.replace("${", '{{ "$" }}{')
