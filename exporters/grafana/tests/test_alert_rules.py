"""The alert rules that Grafana evaluates are those of Prometheus, in Grafana's form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from alert_cases import CASES, FAST, SLOW, Case, expected, inputs, tried
from click.testing import CliRunner

from specspan.cli.main import cli
from specspan.policy.load import load_policy
from specspan_exporter_grafana import Naming, alert_rules_of
from specspan_exporter_prometheus import rules_of


def groups(policy_file: Path, **options: Any) -> list[dict[str, Any]]:
    """Return the groups of rules of a policy."""
    found: list[dict[str, Any]] = alert_rules_of(load_policy(policy_file), **options)["groups"]
    return found


def rules(policy_file: Path, **options: Any) -> list[dict[str, Any]]:
    """The rules of all groups."""
    return [rule for group in groups(policy_file, **options) for rule in group["rules"]]


def of_prometheus(policy_file: Path) -> list[dict[str, Any]]:
    """The alerts that Prometheus evaluates."""
    return [rule for group in rules_of(load_policy(policy_file)).groups for rule in group["rules"] if "alert" in rule]


def plain(labels: Mapping[str, str]) -> dict[str, str]:
    """Labels as Grafana has them when it has read the file."""
    return {name: text.replace("$$", "$") for name, text in labels.items()}


def test_there_is_a_rule_for_every_alert(policy_file: Path) -> None:
    """Alerts, labels and how long they must hold are those of the Prometheus rules, from one source."""
    made = sorted(
        (rule["labels"]["specspan_alert"], rule["for"], *sorted(plain(rule["labels"]).items()))
        for rule in rules(policy_file)
    )
    assert made == sorted(
        (alert["alert"], alert.get("for", "0s"), *sorted({**alert["labels"], "specspan_alert": alert["alert"]}.items()))
        for alert in of_prometheus(policy_file)
    )


def test_rules_need_nothing_recorded(policy_file: Path) -> None:
    """No condition reads what a recording rule of Prometheus would have to make first."""
    for rule in rules(policy_file):
        assert "specspan:" not in rule["data"][0]["model"]["expr"]


def as_prometheus(grafanas: list[dict[str, Any]]) -> dict[str, Any]:
    """Grafana's rules as Prometheus' own, so that promtool can try their conditions."""
    return {
        "groups": [
            {
                "name": group["name"],
                "interval": "30s",
                "rules": [
                    {
                        "alert": rule["labels"]["specspan_alert"],
                        "expr": f"({rule['data'][0]['model']['expr']}) > {threshold(rule)}",
                        "for": rule["for"],
                        "labels": plain(rule["labels"]),
                    }
                    for rule in group["rules"]
                ],
            }
            for group in grafanas
        ]
    }


def threshold(rule: Mapping[str, Any]) -> float:
    """The value above which a rule's condition holds."""
    query, condition = rule["data"]
    assert (rule["condition"], condition["model"]["expression"]) == (condition["refId"], query["refId"])
    (only,) = condition["model"]["conditions"]
    assert only["evaluator"]["type"] == "gt"
    return float(only["evaluator"]["params"][0])


def of_objectives(case: Case) -> bool:
    """Return whether a case fires the alert of an objective."""
    return any(name in (FAST, SLOW) for names in case.fires.values() for name in names)


@pytest.mark.parametrize("case", [case for case in CASES if of_objectives(case)], ids=lambda case: case.name)
@pytest.mark.table(every=12)
def test_they_fire_when_prometheus_own_do(policy_file: Path, case: Case) -> None:
    """Grafana's rules, which count anew each time, fire when Prometheus' recorded ones do, and at no other time."""
    path = policy_file.with_name("rules.yaml")
    path.write_text(yaml.safe_dump(as_prometheus(groups(policy_file)), width=100_000))
    done = tried(path, {"input_series": inputs(case.counted), "promql_expr_test": expected(case)}, case.interval)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_other_conditions_are_the_same_text(policy_file: Path) -> None:
    """An alert that is no objective's asks the same of Prometheus, whoever evaluates it."""
    own = {alert["alert"]: alert["expr"] for alert in of_prometheus(policy_file)}
    asked = {rule["labels"]["specspan_alert"]: rule["data"][0]["model"]["expr"] for rule in rules(policy_file)}
    assert {name for name in own if own[name] != asked[name]} == {FAST, SLOW}


def test_templates_are_grafanas(policy_file: Path) -> None:
    """A value in an annotation is that of the query, and no label's ``$`` is left to the environment."""
    for rule in rules(policy_file):
        for text in rule["annotations"].values():
            assert "$value " not in text
            assert "${" not in text
        for text in (rule["title"], *rule["labels"].values()):
            assert "$" not in text.replace("$$", "")
    (burning, *_) = [each for each in rules(policy_file) if each["labels"].get("clause") == "stay_polite"]
    assert "{{ $values.A.Value | humanizePercentage }}" in burning["annotations"]["description"]
    (failing,) = [each for each in rules(policy_file) if each["labels"]["specspan_alert"] == "SpecspanChecksFailing"]
    assert failing["labels"]["clause"] == "{{ $$labels.specspan_finding_clause }}"


def test_uids_and_titles_are_grafanas(policy_file: Path) -> None:
    """Each rule has a uid and a title of its own, of lengths that Grafana takes, whatever clauses are called."""
    ids = ["x" * 200, "x" * 201, "a:b", "a-b"]
    clauses = "\n".join(f"- {{id: '{each}', title: Up, text: Up., authority: root}}" for each in ids)
    policy_file.with_name("spec.yaml").write_text(f"id: desk\nladder: [root]\nclauses:\n{clauses}\n")
    bound = "{severity: critical, checks: [{pattern: {any: [x], reason: x}}]}"
    policy_file.write_text("spec: spec.yaml\nclauses:\n" + "".join(f"  '{each}': {bound}\n" for each in ids))
    made = rules(policy_file)
    assert len(made) == len({rule["uid"] for rule in made}) == len({rule["title"] for rule in made})
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,40}", rule["uid"]) for rule in made)
    assert all(len(rule["title"]) <= 190 for rule in made)


def test_policies_stand_beside_each_other(policy_file: Path) -> None:
    """Under another name no uid, group and folder is the same."""
    ours, others = (groups(policy_file, naming=Naming(name)) for name in ("shop", "specspan"))
    for key in ("name", "folder"):
        assert not {each[key] for each in ours} & {each[key] for each in others}
    uids = [{rule["uid"] for group in each for rule in group["rules"]} for each in (ours, others)]
    assert not uids[0] & uids[1]


def test_the_command_prints_the_file(policy_file: Path) -> None:
    """`specspan grafana alerts` gives what provisioning reads, asking the data source that it is told."""
    result = CliRunner().invoke(
        cli, ["grafana", "alerts", str(policy_file), "--prometheus-uid", "mine"], catch_exceptions=False
    )
    assert result.exit_code == 0, result.output
    read = yaml.safe_load(result.output)
    assert read["apiVersion"] == 1
    asked = {each["datasourceUid"] for group in read["groups"] for rule in group["rules"] for each in rule["data"]}
    assert asked == {"mine", "__expr__"}
