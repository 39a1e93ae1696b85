"""A candidate policy decides beside the one in force: recorded apart, never acted on, its cost shown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from click.testing import CliRunner
from replayed import SCRIPT, write_policy

import specspan
from specspan._support import drop_counts
from specspan.cli.main import cli
from specspan.errors import PolicyError
from specspan.policy.load import load_policy
from specspan.sqlite import Filter, Reader
from specspan.testing import ScriptedModel


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    yield
    specspan.uninstrument()
    specspan.shutdown()


def write_policies(folder: Path, mode: str = "observe", **candidate: Any) -> Path:
    """Write a policy and the candidate that it names."""
    write_policy(folder, name="next.yaml", **candidate)
    policy = write_policy(folder, mode)
    policy.write_text(f"candidate: next.yaml\n{policy.read_text()}")
    return policy


def ask(*questions: str) -> list[str]:
    """Ask, and return what came to the application."""
    answers = []
    with ScriptedModel(SCRIPT) as model, openai.OpenAI(base_url=model.base_url, api_key="x") as client:
        for question in questions:
            try:
                answer = client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": question}])
                answers.append(str(answer.choices[0].message.content))
            except specspan.Blocked:
                answers.append("blocked")
    return answers


def shadow() -> dict[str, Any]:
    ran = CliRunner().invoke(cli, ["policy", "shadow", "--db", "calls.db", "--json"])
    assert ran.exit_code == 0, (ran.output, ran.exception)
    (told,) = json.loads(ran.stdout)["candidates"]
    return dict(told)


def test_a_candidate_is_watched_and_never_acts(tmp_path: Path) -> None:
    """Calls are handed over as the policy in force says; what the candidate would do stands in records of its own."""
    policy = write_policies(tmp_path, mode="enforce", action="block", number="wine")
    specspan.configure(policy, db="calls.db")
    specspan.instrument("openai")
    answers = ask("hello", "wine", "number")
    assert answers == ["Hello.", "Red wine, of course.", "It is [redacted:ssn], I think."]
    assert specspan.force_flush()
    specspan.shutdown()
    told = shadow()
    assert (told["calls"], told["changed"], told["unknown"]) == (3, 2, 0)
    assert told["cost_ns"] > 0
    assert told["clauses"] == [
        {"clause": "protect_privacy", "before": "complied", "after": "violated", "calls": 1},
        {"clause": "protect_privacy", "before": "violated", "after": "complied", "calls": 1},
    ]
    assert told["candidate"] == load_policy(tmp_path / "next.yaml").digest
    with Reader("calls.db") as reader:
        decisions = reader.decisions(Filter(limit=-1))
        assert {each["policy"]["digest"] for each in decisions} == {load_policy(policy).digest}
        assert set(told["examples"]) <= {each["id"] for each in decisions}
    assert "decided otherwise" in CliRunner().invoke(cli, ["policy", "shadow", "--db", "calls.db"]).output


def test_the_same_policy_decides_nothing_otherwise(tmp_path: Path) -> None:
    """Blocked, redacted and tool-calling calls, in enforce mode: no record but the totals."""
    write_policy(tmp_path, "enforce", "redact", name="next.yaml")
    policy = write_policy(tmp_path, "enforce", "redact")
    policy.write_text(f"candidate: next.yaml\n{policy.read_text()}")
    specspan.configure(policy, db="calls.db")
    specspan.instrument("openai")
    ask("hello", "number", "tool", "echo", "what of hunter2", "long")
    specspan.shutdown()
    assert (shadow()["calls"], shadow()["changed"]) == (6, 0)


def test_a_failing_candidate_is_counted_and_harms_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a candidate fails on is lost with a reason; the call is decided and handed over."""
    specspan.configure(write_policies(tmp_path), db="calls.db")
    specspan.instrument("openai")

    def fail(*_: object) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setenv("SPECSPAN_RAISE_INTERNAL_ERRORS", "")
    monkeypatch.setattr("specspan.runtime.shadow_policy.Replayer.replay", fail)
    before = drop_counts.totals().get(("shadow_decision", "failed"), 0)
    assert ask("hello") == ["Hello."]
    specspan.force_flush()
    assert drop_counts.totals()["shadow_decision", "failed"] == before + 1


def test_a_candidate_that_does_not_load_refuses_the_policy(tmp_path: Path) -> None:
    """Its problem is named at the key that names it."""
    policy = write_policies(tmp_path)
    (tmp_path / "next.yaml").write_text("spec: nowhere.md\n")
    with pytest.raises(PolicyError, match=r"candidate.*nowhere\.md|nowhere\.md"):
        load_policy(policy)


def test_a_candidate_is_promoted_after_its_gate(tmp_path: Path) -> None:
    """The gate that fails changes nothing; the one that holds puts the candidate in the policy's place."""
    policy = write_policies(tmp_path, number="wine")
    before, gate = policy.read_bytes(), tmp_path / "gate.yaml"
    gate.write_text("policy: next.yaml\nrequire: [coverage.checked >= 101%]\n")
    refused = CliRunner().invoke(cli, ["policy", "promote", str(policy), "--gate", str(gate)])
    assert refused.exit_code == 1, refused.output
    assert policy.read_bytes() == before
    gate.write_text("policy: next.yaml\nrequire: [coverage.checked >= 50%]\n")
    done = CliRunner().invoke(cli, ["policy", "promote", str(policy), "--gate", str(gate)])
    assert done.exit_code == 0, (done.output, done.exception)
    assert policy.read_bytes() == (tmp_path / "next.yaml").read_bytes()
    assert (tmp_path / "policy.yaml.previous").read_bytes() == before
