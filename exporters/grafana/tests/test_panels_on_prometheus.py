"""Every PromQL query of every panel and alert, taken out of what is built and asked of a real Prometheus."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_asked import RANGE_S, answer, asked, put_in
from grafana_desk import CLAUSES, NEW, OLD, page_of
from prometheus_server import Prometheus

from specspan.policy.load import load_policy
from specspan_exporter_grafana import dashboards_of, provisioning_of

pytestmark = pytest.mark.thorough

HOUR_S, QUARTER_S = 3600, 900
AT_S = {"SpecspanAbsent": -HOUR_S, "SpecspanServiceGone": QUARTER_S + 300}
"""When an alert has a reason, from now on: before there were data, and when there were none for a while."""


def asked_for(variable: dict[str, Any]) -> tuple[str, str]:
    """The metric and the label of `label_values(metric, label)`."""
    found = re.fullmatch(r"label_values\((\w+), (\w+)\)", variable["query"]["query"])
    assert found, variable
    return found[1], found[2]


def variables(watched: Prometheus, text: str) -> dict[str, str]:
    """The variables of a dashboard that are asked for, the first value of each, and `service` as it is chosen."""
    found = {}
    for variable in json.loads(text)["templating"]["list"]:
        if variable["type"] == "query":
            values = watched.label_values(*asked_for(variable))
            pattern = (variable.get("regex") or "/^(.*)$/").strip("/")
            names = sorted(match[1] for value in values if (match := re.search(pattern.replace(r"\/", "/"), value)))
            found[variable["name"]] = names[-1 if variable["sort"] == 2 else 0]
    return found


@pytest.mark.parametrize("service", ["desk", ".*", "(calm|desk)"])
def test_every_query_of_every_panel_gives_rows(watched: Prometheus, policy_file: Path, service: str) -> None:
    """With one service, all and several, no panel is empty where there is something to show."""
    empty, queries = [], 0
    for text in dashboards_of(load_policy(policy_file)).values():
        chosen = variables(watched, text) | {"service": service}
        for each in asked({"": text}, "prometheus"):
            queries += 1
            if not answer(watched, each, chosen):
                empty.append(f"{each}: {each.query['expr']}")
    assert not empty, "\n".join(empty)
    assert queries > 60


def test_variables_offer_what_there_is(watched: Prometheus, policy_file: Path) -> None:
    """The services are those that report; the versions compared are by default the first and the last."""
    text = dashboards_of(load_policy(policy_file))["specspan-versions.json"]
    assert variables(watched, text) == {"service": "calm", "old": OLD, "new": NEW}


def test_the_numbers_are_those_of_the_counters(watched: Prometheus, policy_file: Path) -> None:
    """A page shows what the counters counted in its time range, their first appearance included."""
    pages = dashboards_of(load_policy(policy_file))
    for clause in CLAUSES:
        page = asked({"": pages[page_of(clause)]}, "prometheus")
        (query,) = [each for each in page if each.panel == "Violations" and each.query.get("instant")]
        of_clause = f'specspan_finding_clause="{clause}",specspan_finding_outcome="violated"'
        counted = f'sum(specspan_findings_total{{job="desk",{of_clause}}})'
        moment = time.time() - 1
        (shown,) = watched.query(put_in(query.query["expr"], {"service": "desk", "__range": f"{RANGE_S}s"}), moment)
        (true,) = watched.query(counted, moment)
        assert float(shown["value"][1]) == float(true["value"][1])


def alert_rules(policy_file: Path) -> list[dict[str, Any]]:
    """The alert rules of the tree."""
    found = yaml.safe_load(provisioning_of(load_policy(policy_file))["alerting/specspan.yaml"])
    return [rule for group in found["groups"] for rule in group["rules"]]


def condition(rule: dict[str, Any]) -> str:
    """The query behind a rule."""
    (expr,) = [each["model"]["expr"] for each in rule["data"] if each["datasourceUid"] != "__expr__"]
    return str(expr)


def test_every_alert_finds_what_it_is_about(watched: Prometheus, policy_file: Path) -> None:
    """Every alert finds a value above its threshold in an application where everything went wrong."""
    for rule in alert_rules(policy_file):
        name = rule["labels"]["specspan_alert"]
        found = watched.query(condition(rule), time.time() + AT_S.get(name, 0))
        assert found, rule["title"]
        assert all(float(each["value"][1]) > 0 for each in found), rule["title"]


def test_no_alert_is_about_the_calm(watched: Prometheus, policy_file: Path) -> None:
    """A service in which nothing goes wrong has no part in any alert."""
    for rule in alert_rules(policy_file):
        assert "calm" not in {each["metric"].get("job") for each in watched.query(condition(rule))}, rule["title"]
