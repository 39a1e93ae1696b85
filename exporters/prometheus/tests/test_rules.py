"""What the rule file says, clause by clause, as the command writes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from specspan.cli.main import cli
from specspan.policy.load import load_policy
from specspan_exporter_prometheus import rules_of, runbooks_of


def run(*arguments: object) -> str:
    """What a command prints."""
    result = CliRunner().invoke(cli, [str(each) for each in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def alerts(text: str) -> list[dict[str, Any]]:
    """The alerting rules of a file."""
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"] if "alert" in rule]


def named(policy_file: Path, objective: str) -> set[str]:
    """The names of the alerts about a clause with an objective."""
    policy_file.write_text(policy_file.read_text().replace("target: 99.9%, window: 30d", objective))
    found = alerts(rules_of(load_policy(policy_file)).text)
    return {alert["alert"] for alert in found if alert["labels"].get("clause") == "stay_polite"}


def test_alerts_name_clause_and_version(policy_file: Path) -> None:
    """Each alert about a clause says which, of which level and spec version, how bad, and where to read on."""
    found = alerts(run("prometheus", "rules", policy_file, "--runbook-url", "https://wiki/r/"))
    (critical,) = [alert for alert in found if alert["alert"] == "SpecspanCriticalViolation"]
    assert critical["labels"] == {
        "clause": "guard_numbers",
        "authority": "root",
        "severity": "critical",
        "spec": "desk",
        "spec_version": "2026-11",
        "urgency": "page",
    }
    assert critical["annotations"]["runbook_url"] == "https://wiki/r/guard_numbers.md"
    assert "specspan.clause.guard_numbers%22%3A%22violated" in critical["annotations"]["traces_url"]


def test_a_clause_without_objective_has_no_alert(policy_file: Path) -> None:
    """A clause with neither objective nor critical severity alerts nobody."""
    clauses = {alert["labels"].get("clause") for alert in alerts(run("prometheus", "rules", policy_file))}
    assert {"guard_numbers", "stay_polite"} <= clauses
    assert "be_brief" not in clauses


@pytest.mark.parametrize(
    ("objective", "expected"),
    [
        ("target: 99.9%, window: 30d", {"SpecspanObjectiveBurnsFast", "SpecspanObjectiveBurns"}),
        ("target: 60%, window: 30d", {"SpecspanObjectiveBurns"}),
        ("target: 99.9%, window: 1h", {"SpecspanObjectiveBurnsFast"}),
    ],
)
def test_what_could_never_alert_is_left_out(policy_file: Path, objective: str, expected: set[str]) -> None:
    """Pairs of windows that no traffic could trip, or longer than the objective's own, make no alert."""
    assert named(policy_file, objective) == expected


def test_every_page_that_an_alert_links_to_is_written(policy_file: Path, tmp_path: Path) -> None:
    """The runbooks are the pages that the alerts name, and each says what its clause says."""
    folder = tmp_path / "runbooks"
    run("prometheus", "runbooks", policy_file, folder)
    rules = alerts(run("prometheus", "rules", policy_file, "--runbook-url", folder))
    assert {Path(alert["annotations"]["runbook_url"]) for alert in rules} == set(folder.iterdir())
    assert "> Never give a number away." in (folder / "guard_numbers.md").read_text()


def test_clauses_of_like_names_have_pages_of_their_own(policy_file: Path) -> None:
    """An id that is no good file name becomes one, and no other clause's."""
    clauses = "\n".join(f"- {{id: '{id_}', title: Up, text: Up., authority: root}}" for id_ in ("a:b", "a-b"))
    policy_file.with_name("spec.yaml").write_text(f"id: desk\nladder: [root]\nclauses:\n{clauses}\n")
    bound = "{severity: critical, checks: [{pattern: {any: [x], reason: x}}]}"
    policy_file.write_text(f"spec: spec.yaml\nclauses:\n  'a:b': {bound}\n  'a-b': {bound}\n")
    names = set(runbooks_of(load_policy(policy_file)))
    assert len(names) == 3
    assert not any(":" in name for name in names)


def test_a_file_that_cannot_be_written_is_named(policy_file: Path, tmp_path: Path) -> None:
    """A folder that is not there is said so, with the file's name."""
    target = tmp_path / "absent" / "rules.yaml"
    result = CliRunner().invoke(cli, ["prometheus", "rules", str(policy_file), "--output", str(target)])
    assert result.exit_code == 1
    assert str(target) in result.output


def test_of_several_specs_each_alert_names_its_own(policy_file: Path) -> None:
    """Where a policy stands on two specs, an alert and its runbook name the one that its clause is of."""
    for name in ("house", "shop"):
        policy_file.with_name(f"{name}.yaml").write_text(
            f"id: {name}\nversion: '{name}-1'\nladder: [root]\n"
            f"clauses:\n- {{id: guard_{name}, title: Guard, text: Guard., authority: root}}\n"
        )
    bound = "{severity: critical, checks: [{pattern: {any: [x], reason: x}}]}"
    policy_file.write_text(
        "specs: [house.yaml, shop.yaml]\norder: [[house.root, shop.root]]\n"
        f"clauses:\n  guard_house: {bound}\n  guard_shop: {bound}\n"
    )
    found = alerts(rules_of(load_policy(policy_file)).text)
    versions = {each["labels"]["clause"]: each["labels"]["spec_version"] for each in found if "spec" in each["labels"]}
    assert versions == {
        "guard_house": "house-1",
        "guard_shop": "shop-1",
    }
