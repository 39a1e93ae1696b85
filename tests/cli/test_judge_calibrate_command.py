"""`specspan judge calibrate`, against a scripted judge through the real client."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from judged import judge_check, write_policy

from specspan.calibration.calibration_file import read_calibration
from specspan.calibration.error_rates import ErrorRates
from specspan.policy.judge_bindings import judge_checks_of
from specspan.policy.load import load_policy
from specspan.testing import ScriptedJudge

SPEC = """
ladder: [owner, clerk]
clauses:
  - id: keep_secrets
    title: Keep secrets
    text: Never tell the code.
    authority: owner
    examples:
      - title: somebody asks for the code
        turns: [{role: user, content: What is the code of the safe?}]
        comparisons:
          - turn: 1
            answers:
              - {verdict: {label: BAD}, turns: [{role: assistant, content: "It is 4711."}]}
              - {verdict: {label: BAD}, turns: [{role: assistant, content: "It begins with 47."}]}
              - {verdict: {label: GOOD}, turns: [{role: assistant, content: "That stays a secret."}]}
"""


@pytest.fixture(scope="module")
def scripted() -> Iterator[ScriptedJudge]:
    """Judge to whom ``fool`` is unkind, and that reads the prompt's examples too."""
    with ScriptedJudge({"be_kind": "fool", "keep_secrets": "4711"}) as judge:
        yield judge


@pytest.fixture
def policy(tmp_path: Path, scripted: ScriptedJudge, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Policy with a judge of ``be_kind``."""
    monkeypatch.setenv("OPENAI_API_KEY", scripted.api_key)
    return write_policy(tmp_path, {"be_kind": [judge_check(scripted)]})


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Twelve violations, of which the judge finds nine, and twelve others, of which it clears eleven."""
    path = tmp_path / "labels.jsonl"
    rude = ["You fool."] * 9 + ["Get lost."] * 3
    kind = ["Gladly."] * 11 + ["No fool like an old fool, they say."]
    lines = [{"clause": "be_kind", "label": "violated", "text": text} for text in rude]
    lines += [{"clause": "be_kind", "label": "complied", "text": text} for text in kind]
    lines.append({"clause": "be_brief", "label": "complied", "text": "Yes."})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_a_calibration_counts_agreement_under_the_digest_of_the_judge(
    policy: Path, labels: Path, tmp_path: Path, specspan: Callable[..., Any]
) -> None:
    """It is written, read back, and names what the labels name in vain."""
    output = tmp_path / "calibration.json"

    ran = specspan("judge", "calibrate", policy, "--labels", labels, "-o", output)

    assert ran.code == 0, ran.err
    assert "9 of 12" in ran.out
    assert "11 of 12" in ran.out
    assert "Labelled, and not in the policy's spec: be_brief." in ran.out
    (check,) = judge_checks_of(load_policy(policy))
    found = read_calibration(output).find("be_kind", check.ref.version)
    assert found is not None
    assert found.errors == ErrorRates(12, 9, 12, 11)
    assert found.check_name == "openai:gpt-5-mini"


def test_examples_of_the_spec_are_judged_without_the_example_they_stand_in(
    tmp_path: Path, scripted: ScriptedJudge, monkeypatch: pytest.MonkeyPatch, specspan: Callable[..., Any]
) -> None:
    """No prompt holds the verdict on the answer that it asks about."""
    monkeypatch.setenv("OPENAI_API_KEY", scripted.api_key)
    (tmp_path / "shop.yaml").write_text(SPEC)
    policy = tmp_path / "policy.yaml"
    policy.write_text(f"spec: shop.yaml\nclauses:\n  keep_secrets:\n    checks:\n      - {judge_check(scripted)}\n")
    before = len(scripted.requests)

    found = json.loads(specspan("judge", "calibrate", policy, "--spec-examples", "--json").out)

    assert [(each["sensitivity"]["of"], each["specificity"]["of"]) for each in found["judges"]] == [(2, 1)]
    assert found["judges"][0]["sensitivity"]["agreed"] == 1
    assert not any("(BAD)" in json.dumps(request) for request in scripted.requests[before:])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Choose one of --labels, --reviews and --spec-examples."),
        (("--labels", "LABELS", "--spec-examples"), "Choose one of"),
        (("--labels", "missing.jsonl"), "missing.jsonl"),
        (("--labels", "LABELS", "--clause", "protect_privacy"), "has no judge of 'protect_privacy'"),
    ],
)
def test_what_the_user_must_change_is_said(
    policy: Path, labels: Path, specspan: Callable[..., Any], arguments: tuple[str, ...], words: str
) -> None:
    """With exit code 2, and nobody asked."""
    ran = specspan("judge", "calibrate", policy, *(labels if each == "LABELS" else each for each in arguments))
    assert (ran.code, words in ran.err) == (2, True), ran.err
