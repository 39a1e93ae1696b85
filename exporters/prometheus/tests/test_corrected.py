"""Rules of corrected shares: what Prometheus makes of them, and which judges have none."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from backends import program
from click.testing import CliRunner

from specspan.calibration.calibration_file import Calibration, JudgeCalibration, calibration_text
from specspan.calibration.error_rates import ErrorRates
from specspan.calibration.rate_estimate import correct_share
from specspan.cli.main import cli
from specspan.policy.judge_bindings import judge_checks_of
from specspan.policy.load import load_policy
from specspan_exporter_prometheus import rules_of

ERRORS = ErrorRates(violations=50, found=45, others=100, cleared=90)
JUDGED = """\
spec: spec.md
clauses:
  guard_numbers:
    checks: [{pattern: {any: ['[0-9]{4}'], reason: number}}]
  stay_polite:
    checks: [{judge: {function: 'json:loads', sample: 10%}}]
  be_brief:
    checks: [{judge: {function: 'json:loads', when: {tags: [long]}, sample: 10%}}]
"""


@pytest.fixture
def judged(policy_file: Path) -> Path:
    """Policy with a judge that looks at a tenth of the calls, and one that has a trigger."""
    policy_file.write_text(JUDGED)
    return policy_file


@pytest.fixture
def calibration(judged: Path) -> Calibration:
    """Calibration of both judges."""
    checks = judge_checks_of(load_policy(judged))
    found = [
        JudgeCalibration(check.clause.id, check.ref.name, check.ref.version, ERRORS) for check in checks if check.clause
    ]
    return Calibration(0, "sha256:p", "labels.jsonl", "sha256:l", tuple(found))


def recorded(text: str) -> list[dict[str, Any]]:
    """The recording rules of corrected shares in a file."""
    rules = (rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"])
    return [rule for rule in rules if "corrected" in rule.get("record", "")]


def test_a_judge_that_looks_at_calls_by_chance_alone_has_rules(judged: Path, calibration: Calibration) -> None:
    """One with a trigger has none: a metric cannot weigh its calls. Nor has a stale one, nor a pattern."""
    rules = recorded(rules_of(load_policy(judged), calibration=calibration).text)
    assert {rule["record"].partition(":clause_violations_corrected:")[2] for rule in rules} == {
        f"{what}{window}" for what in ("ratio", "stderr") for window in ("1h", "6h", "1d", "3d")
    }
    assert all("stay_polite" in rule["expr"] for rule in rules)
    assert recorded(rules_of(load_policy(judged)).text) == []
    stale = Calibration(0, "", "", "", (JudgeCalibration("stay_polite", "json:loads", "sha256:0", ERRORS),))
    assert recorded(rules_of(load_policy(judged), calibration=stale).text) == []


def test_prometheus_records_the_corrected_share(judged: Path, calibration: Calibration, tmp_path: Path) -> None:
    """The rules correct a raw share of 28 of 100 calls an hour; their standard error is that of all three counts."""
    rules = tmp_path / "rules.yaml"
    rules.write_text(rules_of(load_policy(judged), calibration=calibration).text)
    of_judge = 'job="desk",specspan_finding_clause="stay_polite",specspan_check_kind="judge"'
    series = f'specspan_findings_total{{{of_judge},specspan_finding_outcome="%s"}}'
    share, of = correct_share(0.28, ERRORS), {"specspan_finding_clause": "stay_polite", "job": "desk"}
    variance = 0.28 * 0.72 / 100 + share**2 * 0.9 * 0.1 / 50 + (1 - share) ** 2 * 0.9 * 0.1 / 100
    name = "specspan:clause_violations_corrected"
    wanted = [(f"round({name}:ratio1h, 1e-4)", share), (f"round({name}:stderr1h, 1e-4)", variance**0.5 / 0.8)]
    labels = ",".join(f'{key}="{value}"' for key, value in of.items())
    test = {
        "interval": "36s",
        "input_series": [
            {"series": series % "violated", "values": "0+0.28x300"},
            {"series": series % "complied", "values": "0+0.62x300"},
            {"series": series % "not_applicable", "values": "0+0.1x300"},
        ],
        "promql_expr_test": [
            {"expr": expr, "eval_time": "150m", "exp_samples": [{"labels": f"{{{labels}}}", "value": round(value, 4)}]}
            for expr, value in wanted
        ],
    }
    path = tmp_path / "test.yaml"
    path.write_text(json.dumps({"rule_files": [str(rules)], "evaluation_interval": "30s", "tests": [test]}))
    ran = subprocess.run(
        [program("promtool", "prometheus"), "test", "rules", path],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_command_says_which_judges_have_none(judged: Path, calibration: Calibration, tmp_path: Path) -> None:
    """On standard error, as the rules go to standard output."""
    path = tmp_path / "calibration.json"
    path.write_text(calibration_text(calibration))
    ran = CliRunner().invoke(cli, ["prometheus", "rules", str(judged), "--calibration", str(path)])
    assert ran.exit_code == 0, ran.output
    assert "No corrected share is recorded of: be_brief" in ran.stderr
    assert len(recorded(ran.stdout)) == 8
