"""Rates of recorded calls, from the client to the command: a judge in the background, its calibration, a pattern."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from click.testing import CliRunner
from judged import NUMBER, RULES, judge_check, write_policy

import specspan
from specspan.cli.main import cli
from specspan.testing import ScriptedJudge, ScriptedModel

ANSWERS = {"number": f"It is {NUMBER}.", "hello": "Hello.", "fool": "You fool."}
PATTERN = "pattern: {any: [fool], reason: rude}"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Folder of its own, and nothing instrumented afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    yield
    specspan.uninstrument()
    specspan.shutdown()


def run(*arguments: str) -> Any:
    """What a command prints as JSON."""
    result = CliRunner().invoke(cli, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_late_findings_are_counted_once_and_corrected(tmp_path: Path) -> None:
    """Of four calls the judge calls two violations; a calibration by the same judge corrects them, and no pattern."""
    labels = [("violated", f"Call {NUMBER}.")] * 9 + [("violated", "Call me.")] + [("complied", "Hello.")] * 20
    lines = [{"clause": "protect_privacy", "label": label, "text": text} for label, text in labels]
    (tmp_path / "labels.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    with ScriptedJudge(RULES) as judge, ScriptedModel(ANSWERS) as model:
        policy = write_policy(tmp_path, {"protect_privacy": [judge_check(judge)], "be_kind": [PATTERN]})
        run("judge", "calibrate", str(policy), "--labels", "labels.jsonl", "-o", "calibration.json")
        specspan.configure(policy, db="specspan.db")
        specspan.instrument("openai")
        with openai.OpenAI(base_url=model.base_url, api_key="x") as client:
            for question in ("number", "hello", "number", "fool"):
                client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": question}])
        specspan.shutdown()

    kind, privacy = run("rates", "--db", "specspan.db", "--calibration", "calibration.json")["rates"]

    assert (kind["clause"], kind["raw"], kind["corrected"]["share"]) == ("be_kind", {"share": 0.25, "of": 4}, 0.25)
    assert privacy["raw"] == {"share": 0.5, "of": 4}
    assert privacy["calls"]["outcomes"] == {"complied": 2, "violated": 2}
    assert privacy["corrected"]["share"] == pytest.approx(0.5 / 0.9)
    assert privacy["calibration"]["sensitivity"] == {"share": 0.9, "agreed": 9, "of": 10}
