"""Tree of files that Grafana reads at its start: data sources, dashboards, alert rules."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from specspan.policy.policy import Policy
from specspan_exporter_grafana.alert_rules import alert_rules_of
from specspan_exporter_grafana.dashboards import dashboards_of
from specspan_exporter_grafana.naming import Naming
from specspan_exporter_grafana.sources import Source
from specspan_exporter_prometheus.links import Links
from specspan_exporter_prometheus.yaml_text import to_yaml

SEEN_AT: Final = "/etc/grafana/provisioning"
"""Folder in which Grafana's packages and images look for the tree."""
_HEAD = "# Made by `specspan grafana` from the policy {digest}. Make it anew to change it.\n"


@dataclass(frozen=True, slots=True)
class Addresses:
    """Addresses of the data sources, as Grafana reaches them; one that is None is left out."""

    prometheus: str | None = "http://localhost:9090"
    tempo: str | None = "http://localhost:3200"
    jaeger: str | None = "http://localhost:16686"
    loki: str | None = None

    def of(self, source: Source) -> str | None:
        """Return the address of a data source."""
        address: str | None = getattr(self, source.value)
        return address


def provisioning_of(
    policy: Policy,
    addresses: Addresses | None = None,
    links: Links | None = None,
    naming: Naming | None = None,
    *,
    prometheus_uid: str | None = None,
    seen_at: str = SEEN_AT,
) -> dict[str, str]:
    """Return the files by their paths in the tree.

    Args:
        policy: the clauses and their objectives.
        addresses: addresses of the data sources.
        links: addresses of runbooks and traces.
        naming: the start of uids and file names.
        prometheus_uid: a data source that Grafana has already, which alerts query.
        seen_at: the path of the folder for Grafana.
    """
    addresses, naming = addresses or Addresses(), naming or Naming()
    dashboards = PurePosixPath("dashboards", naming.name)
    rules = alert_rules_of(policy, links, naming, prometheus_uid=prometheus_uid)
    files = {
        f"dashboards/{naming.name}.yaml": _text(_provider(naming, f"{seen_at.rstrip('/')}/{dashboards}"), policy),
        f"alerting/{naming.name}.yaml": _text(rules, policy),
        f"alerting/{naming.name}-contact-points.yaml.example": _CONTACTS.format(name=naming.name),
    }
    sources = _data_sources(addresses, naming)
    if sources:
        files[f"datasources/{naming.name}.yaml"] = _text({"apiVersion": 1, "datasources": sources}, policy)
    pages = dashboards_of(policy, naming, logs=addresses.loki is not None)
    return files | {str(dashboards / name): text for name, text in pages.items()}


def alerts_text(policy: Policy, links: Links, naming: Naming, prometheus_uid: str | None) -> str:
    """Return the text of the file of alert rules."""
    return _text(alert_rules_of(policy, links, naming, prometheus_uid=prometheus_uid), policy)


def _text(content: dict[str, Any], policy: Policy) -> str:
    return _HEAD.format(digest=policy.digest) + to_yaml(content)


def _provider(naming: Naming, path: str) -> dict[str, Any]:
    provider = {
        "name": naming.name,
        "orgId": 1,
        "folder": naming.name,
        "type": "file",
        "allowUiUpdates": False,
        "options": {"path": path.replace("$", "$$")},
    }
    return {"apiVersion": 1, "providers": [provider]}


def _data_sources(addresses: Addresses, naming: Naming) -> list[dict[str, Any]]:
    return [
        {
            "name": f"{naming.name} {source.value}",
            "type": source.value,
            "uid": naming.uid(source.value),
            "access": "proxy",
            "url": address.replace("$", "$$"),
            "jsonData": _settings(source, addresses, naming),
        }
        for source in Source
        if (address := addresses.of(source)) is not None
    ]


def _settings(source: Source, addresses: Addresses, naming: Naming) -> dict[str, Any]:
    """Return the links between data sources: from a metric's exemplar, or a log record, to its trace."""
    traces = next((each for each in (Source.TEMPO, Source.JAEGER) if addresses.of(each)), None)
    if source is Source.PROMETHEUS:
        links = [] if traces is None else [{"name": "trace_id", "datasourceUid": naming.uid(traces.value)}]
        return {"httpMethod": "POST", "exemplarTraceIdDestinations": links}
    if source is Source.LOKI:
        field = {"name": "trace", "matcherType": "label", "matcherRegex": "trace_id", "url": "$${__value.raw}"}
        return {} if traces is None else {"derivedFields": [field | {"datasourceUid": naming.uid(traces.value)}]}
    return {"nodeGraph": {"enabled": True}}


_CONTACTS = """\
# An example, which Grafana does not read: rename it to end in .yaml, and fill it in.
# The policies of an organisation are one tree; this one takes the place of what is there.
apiVersion: 1
contactPoints:
- orgId: 1
  name: {name} pages
  receivers:
  - uid: {name}-pages
    type: webhook
    settings: {{url: https://pager.example.com/hook}}
- orgId: 1
  name: {name} tickets
  receivers:
  - uid: {name}-tickets
    type: email
    settings: {{addresses: desk@example.com}}
policies:
- orgId: 1
  receiver: {name} tickets
  group_by: [specspan_alert, clause, job]
  routes:
  - receiver: {name} pages
    object_matchers: [[urgency, '=', page]]
"""
