"""`specspan policy import`: what it makes of configurations, and what it says of those that it cannot read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from specspan.cli.main import cli
from specspan.spec.read import load_spec

PIPELINE = {
    "version": 1,
    "pre_flight": {"version": 1, "guardrails": [{"name": "Moderation", "config": {"categories": ["hate"]}}]},
    "output": {
        "version": 1,
        "guardrails": [
            {"name": "Keyword Filter", "config": {"keywords": ["a"]}},
            {"name": "Keyword Filter", "config": {}},
        ],
        "config": {"concurrency": 5},
    },
}
RAILS = """
models: [{type: main, engine: openai, model: m}]
rails:
  config: {regex_detection: {input: {patterns: [x]}}}
  input: {flows: [regex check input]}
  dialog: {single_call: {enabled: true}}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["policy", "import", *arguments])


def test_a_pipeline_of_openai_guardrails_becomes_clauses() -> None:
    """A clause and a check for each guardrail, with a specification beside the policy; the rest is named."""
    Path("pipeline.json").write_text(json.dumps(PIPELINE))
    result = run("openai-guardrails", "pipeline.json", "-o", "policy.yaml")
    assert result.exit_code == 0, result.output
    policy = yaml.safe_load(Path("policy.yaml").read_text())
    assert set(policy["clauses"]) < set(load_spec("policy.md").clauses)
    assert list(policy["clauses"]) == [
        "moderation_pre_flight",
        "keyword_filter_output",
        "keyword_filter_output_2",
    ]
    assert policy["clauses"]["moderation_pre_flight"]["checks"] == [
        {"openai_guardrails": {"guardrail": "Moderation", "config": {"categories": ["hate"]}, "stage": "input"}}
    ]
    assert "Not carried over: output.config.concurrency" in result.stderr
    assert run("openai-guardrails", "pipeline.json", "-o", "policy.yaml").exit_code == 1


def test_rails_of_nemo_become_clauses() -> None:
    """Input and output flows are carried over; models and rails of dialogs are named as comments."""
    Path("rails").mkdir()
    Path("rails/config.yml").write_text(RAILS)
    result = run("nemo", "rails")
    assert result.exit_code == 0, result.output
    policy = yaml.safe_load(result.stdout)
    assert policy["clauses"]["regex_check_input_input"]["checks"] == [
        {"nemo": {"config": "rails", "stage": "input", "rails": ["regex check input"]}}
    ]
    notes = [line for line in result.stdout.splitlines() if line.startswith("#   ")]
    assert [note.split(":")[0] for note in notes] == ["#   models", "#   dialog"]


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("openai-guardrails", "{", "it cannot be parsed"),
        ("openai-guardrails", "[]", "it is not a mapping"),
        ("openai-guardrails", "{}", "it has none of pre_flight, input and output"),
        ("openai-guardrails", '{"input": {"guardrails": [1]}}', "the guardrails of input are not a list of objects"),
        ("nemo", "rails: [a]", "its rails are not a mapping"),
        ("nemo", "rails: {input: {flows: {a: b}}}", "the flows of its input rails are not a list of names"),
        ("nemo", "models: []", "has no guardrail that could be carried over"),
    ],
)
def test_what_cannot_be_read_is_told(kind: str, text: str, message: str) -> None:
    """One line says which file it is and why."""
    Path("config").write_text(text)
    result = run(kind, "config")
    assert result.exit_code == 1
    assert message in result.output
