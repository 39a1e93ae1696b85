"""The rules of the package, case by case, as promtool evaluates them: what fires, for whom, and what does not."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from alert_cases import CASES, CRITICAL, Case, expected, findings, inputs, tried
from backends import program

from specspan.policy.load import load_policy
from specspan_exporter_prometheus import rules_of


@pytest.fixture
def rules(policy_file: Path) -> Path:
    """The rule file of the policy."""
    path = policy_file.with_name("rules.yaml")
    path.write_text(rules_of(load_policy(policy_file)).text, encoding="utf-8")
    return path


def test_promtool_takes_the_rules(rules: Path) -> None:
    """Prometheus' own check of the file finds nothing to say."""
    done = subprocess.run(
        [program("promtool", "prometheus"), "check", "rules", rules],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
@pytest.mark.table(every=12)
def test_what_fires(rules: Path, case: Case) -> None:
    """At each time exactly these alerts fire, whatever else might."""
    test = {"input_series": inputs(case.counted), "promql_expr_test": expected(case)}
    done = tried(rules, test, case.interval)
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_alert_says_whose_it_is(rules: Path) -> None:
    """The alert that is sent has service, clause, authority, severity and version, and its links are whole."""
    labels = {
        "job": "shop/desk",
        "specspan_finding_clause": "guard_numbers",
        "clause": "guard_numbers",
        "authority": "root",
        "severity": "critical",
        "spec": "desk",
        "spec_version": "2026-11",
        "urgency": "page",
    }
    annotations = {
        "summary": "guard_numbers was violated",
        "description": "In shop/desk, a call of the last 10m violated guard_numbers, which is critical.",
        "runbook_url": "runbooks/guard_numbers.md",
        "traces_url": "http://localhost:16686/search?service=desk&lookback=1h"
        "&tags=%7B%22specspan.clause.guard_numbers%22%3A%22violated%22%7D",
    }
    counted = {findings("violated", "guard_numbers", job="shop/desk"): "0x10 1x10"}
    wanted = {
        "eval_time": "12m",
        "alertname": CRITICAL,
        "exp_alerts": [{"exp_labels": labels, "exp_annotations": annotations}],
    }
    done = tried(rules, {"input_series": inputs(counted), "alert_rule_test": [wanted]})
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_would_say_so(rules: Path) -> None:
    """An expectation that does not hold is refused: these tests can fail."""
    wrong = {"expr": 'ALERTS{alertname="SpecspanAbsent"}', "eval_time": "20m", "exp_samples": []}
    done = tried(rules, {"input_series": [], "promql_expr_test": [wrong]})
    assert done.returncode == 1
    assert "SpecspanAbsent" in done.stdout + done.stderr
