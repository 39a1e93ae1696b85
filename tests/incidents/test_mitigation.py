"""A mitigation enforces one clause in a running process until it ends, and every decision under it names it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import openai
import pytest
from click.testing import CliRunner

import specspan
from specspan.call import Message, ModelCall, Request, Response, Text
from specspan.cli.main import cli
from specspan.cli.signed_mitigations import SignedMitigations
from specspan.decision import Action, Mode
from specspan.engine.engine import Engine
from specspan.engine.waiting import run_sync
from specspan.errors import ConfigurationError
from specspan.ledger.signed_note import Signer
from specspan.policy.amended_policy import with_mitigations
from specspan.policy.load import load_policy
from specspan.policy.mitigation import Mitigation
from specspan.policy.mitigation_file import read_mitigations, signed_text
from specspan.policy.policy import Policy
from specspan.runtime.configuration import current_configuration
from specspan.runtime.reload import PollResult
from specspan.sqlite import SQLiteDecisionExporter
from specspan.stores.opening import open_store
from specspan.testing import ScriptedModel

HOUR_NS = 3600 * 10**9
SIGNER = Signer.generate("desk")
SPEC = """# Desk {#desk}

## Be kind {#be_kind authority=user}

Be kind.

## Be brief {#be_brief authority=user}

Be brief.
"""
POLICY = """spec: desk.md
mode: observe
clauses:
  be_kind:
    action: flag
    checks: [{pattern: {stage: output, any: [fool], reason: rude}}]
  be_brief:
    action: block
    checks: [{pattern: {stage: output, any: [novel], reason: long}}]
"""
DECISION = {
    "v": 2,
    "type": "decision",
    "id": "d-1",
    "time_unix_nano": 1_790_000_000_000_000_000,
    "verdict": "violated",
    "action": "flag",
    "mode": "observe",
    "findings": [{"clause": "be_kind", "outcome": "violated"}],
}
MITIGATION = Mitigation("m1", "be_kind", Action.BLOCK, 1, 100 * HOUR_NS, "too many", "ana")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Folder of its own with a policy, a key, and nothing instrumented afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    monkeypatch.setenv("SPECSPAN_LEDGER_KEY", SIGNER.private_text)
    (tmp_path / "desk.md").write_text(SPEC)
    (tmp_path / "policy.yaml").write_text(POLICY)
    yield
    specspan.uninstrument()
    specspan.shutdown()


def policy_with(*mitigations: Mitigation) -> Policy:
    """Return the policy under mitigations."""
    return with_mitigations(load_policy("policy.yaml"), mitigations)


def decide(engine: Engine, text: str, **request: Any) -> tuple[str, str]:
    """Return verdict and action of a decision about an answer."""
    call = ModelCall(Request("openai", "chat", **request))
    evaluation = engine.open(call=call)
    run_sync(evaluation.input(call))
    run_sync(evaluation.output(replace(call, response=Response(output=(Message("assistant", (Text(text),)),)))))
    decision = evaluation.decide()
    return decision.verdict.value, decision.action.value


@pytest.mark.parametrize(
    ("mitigation", "request_", "action"),
    [
        (MITIGATION, {"model": "gpt-5"}, "block"),
        (replace(MITIGATION, model="gpt-*"), {"model": "gpt-5"}, "block"),
        (replace(MITIGATION, model="claude-*"), {"model": "gpt-5"}, "flag"),
        (replace(MITIGATION, tool="refund"), {"model": "gpt-5"}, "flag"),
        (
            replace(MITIGATION, tool="refund"),
            {"tools": ({"type": "function", "function": {"name": "refund"}},)},
            "block",
        ),
        (replace(MITIGATION, until_unix_nano=HOUR_NS), {"model": "gpt-5"}, "flag"),
        (replace(MITIGATION, clause="nobody"), {"model": "gpt-5"}, "flag"),
    ],
    ids=["all", "its model", "another model", "without the tool", "with the tool", "over", "unknown clause"],
)
def test_which_calls_it_is_for(mitigation: Mitigation, request_: dict[str, Any], action: str) -> None:
    """By model, tool and time; the policy itself only observes."""
    engine = Engine(policy_with(mitigation), now_ns=lambda: 2 * HOUR_NS)
    assert decide(engine, "you fool", **request_) == ("violated", action)


def test_every_other_clause_goes_on_as_it_was() -> None:
    """What was observed is observed, and under enforcement what was enforced is enforced."""
    engine = Engine(policy_with(MITIGATION), now_ns=lambda: 2 * HOUR_NS)
    assert decide(engine, "a novel") == ("violated", "flag")
    enforcing = replace(policy_with(MITIGATION), mode=Mode.ENFORCE)
    assert decide(Engine(enforcing, now_ns=lambda: 2 * HOUR_NS), "a novel") == ("violated", "block")
    observing = Engine(enforcing, now_ns=lambda: 2 * HOUR_NS).in_observe_mode()
    assert decide(observing, "you fool") == ("violated", "flag"), "a call that is over is acted on by nothing"


@pytest.mark.parametrize(
    ("actions", "own_action", "mode", "taken"),
    [
        ([Action.FLAG], "block", Mode.ENFORCE, "block"),
        ([Action.FLAG], "block", Mode.OBSERVE, "flag"),
        ([Action.BLOCK, Action.FLAG], "flag", Mode.OBSERVE, "block"),
        ([Action.REDACT, Action.BLOCK], "flag", Mode.ENFORCE, "block"),
        ([Action.BLOCK], "escalate", Mode.ENFORCE, "block"),
        ([Action.ESCALATE], "block", Mode.ENFORCE, "block"),
    ],
)
def test_it_never_loosens(actions: list[Action], own_action: str, mode: Mode, taken: str, tmp_path: Path) -> None:
    """Of several actions over a clause that is enforced, the strictest is taken: nobody may pass what was blocked."""
    (tmp_path / "policy.yaml").write_text(POLICY.replace("action: flag", f"action: {own_action}"))
    policy = replace(policy_with(*(replace(MITIGATION, id=each.value, action=each) for each in actions)), mode=mode)
    assert decide(Engine(policy, now_ns=lambda: 2 * HOUR_NS), "you fool") == ("violated", taken)


def test_it_ends_by_itself() -> None:
    """At its end, to the nanosecond, without a reload."""
    now_ns = [100 * HOUR_NS - 1]
    engine = Engine(policy_with(MITIGATION), now_ns=lambda: now_ns[0])
    assert decide(engine, "you fool")[1] == "block"
    now_ns[0] += 1
    assert decide(engine, "you fool")[1] == "flag"
    assert decide(engine.in_observe_mode(), "you fool")[1] == "flag"


def test_a_running_process_takes_it_up_and_its_decisions_name_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the command to the blocked call and its record; lifted, the call passes again."""
    monkeypatch.setenv("SPECSPAN_MITIGATIONS", str(tmp_path / "mitigations"))
    with ScriptedModel({"rude": "you fool"}) as model:
        specspan.configure("policy.yaml", db="desk.db")
        specspan.instrument("openai")
        with openai.OpenAI(base_url=model.base_url) as client:

            def ask() -> str:
                answer = client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": "rude"}])
                return str(answer.choices[0].message.content)

            assert ask() == "you fool"
            specspan.force_flush()
            made = run("mitigate", "--clause", "be_kind", "--until", "+2h", "--reason", "rude", "--as", "ana")
            assert poll_until(PollResult.RELOADED)
            with pytest.raises(specspan.Blocked) as blocked:
                ask()
            assert [each["id"] for each in run("mitigate", "--list")] == [made["id"]]
            assert run("mitigate", "--lift", made["id"]) == []
            assert poll_until(PollResult.RELOADED)
            assert ask() == "you fool"
    specspan.force_flush()
    with open_store("desk.db") as reader:
        record = reader.decision(blocked.value.decision.id)
        (policy,) = reader.policies([record["policy"]["digest"]])
    assert record["action"] == "block"
    assert policy["policy"]["layers"][-1]["source"] == f"mitigation {made['id']}: block be_kind, by ana: rude"


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    """It counts the calls of the last day; an unknown clause is refused with those that there are."""
    with ScriptedModel({"rude": "you fool", "hello": "hello"}) as model:
        specspan.configure("policy.yaml", db="desk.db")
        specspan.instrument("openai")
        with openai.OpenAI(base_url=model.base_url) as client:
            for question in ("rude", "hello", "hello"):
                client.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": question}])
        specspan.force_flush()
    words = ["mitigate", "--until", "+2h", "--reason", "x", "--dry-run", "--file", "m", "--db", "desk.db"]
    told = run(*words, "--clause", "be_kind")
    assert told["last_day"] == {"calls": 3, "decided": 3, "violated": 1}
    assert run(*words, "--clause", "be_kind", "--model", "claude*")["last_day"]["calls"] == 0
    assert not (tmp_path / "m").exists()
    refused = CliRunner().invoke(cli, [*words, "--clause", "nobody"])
    assert refused.exit_code == 1
    assert "be_brief, be_kind" in refused.output


def test_an_incident_that_is_refused_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    """No mitigation comes into force that its incident does not know of."""
    exporter = SQLiteDecisionExporter("desk.db")
    exporter.export([DECISION])
    exporter.shutdown()
    words = ["mitigate", "--clause", "be_kind", "--until", "+2h", "--reason", "x", "--file", "m", "--db", "desk.db"]
    incident = run("incident", "open", "--clause", "be_kind")[0]["id"]
    run("incident", "close", incident, "over")
    for id_, problem in (("zzz", "no incident begins"), (incident, "is closed")):
        refused = CliRunner().invoke(cli, [*words, "--incident", id_])
        assert (refused.exit_code, problem in refused.output) == (1, True), refused.output
    assert CliRunner().invoke(cli, [*words, "--tool", " "]).exit_code == 2
    assert not (tmp_path / "m").exists()


def test_two_that_mitigate_at_once_both_do(tmp_path: Path) -> None:
    """Each adds to what the other wrote; no file is left beside it."""
    folder, started = tmp_path / "folder", threading.Event()
    folder.mkdir()
    file = SignedMitigations(folder / "m", SIGNER)

    def add_slowly(found: list[Mitigation]) -> list[Mitigation]:
        started.set()
        other.join(0.2)  # the other cannot end before this one does
        return [*found, MITIGATION]

    def add() -> None:
        started.wait(10)
        file.change(1, lambda found: [*found, replace(MITIGATION, id="m2")])

    other = threading.Thread(target=add)
    other.start()
    file.change(1, add_slowly)
    other.join()
    assert [each.id for each in file.in_force(1)] == ["m1", "m2"]
    assert [path.name for path in folder.iterdir()] == ["m"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda text: text.replace("too many", "too few"), "signature is wrong"),
        (lambda _: signed_text([MITIGATION], Signer.generate("desk")), "unknown keys"),
        (lambda text: text.partition("\n\n")[0], "not a signed note"),
        (lambda _: SIGNER.sign("{}\n"), "not a list"),
        (lambda _: SIGNER.sign('[{"id": "m"}]\n'), "lacks one of"),
        (lambda _: SIGNER.sign("[" * 100_000 + "\n"), "invalid JSON"),
        (lambda text: SIGNER.sign(text.partition("\n\n")[0].replace('"block"', '"replace"') + "\n"), "unknown action"),
    ],
    ids=["changed", "other key", "not signed", "no list", "half", "deep", "action"],
)
def test_what_nobody_known_signed_is_refused(tmp_path: Path, change: Callable[[str], str], problem: str) -> None:
    """With a sentence; the policy in force stays, as after any refused reload."""
    path = tmp_path / "mitigations"
    path.write_text(change(signed_text([MITIGATION], SIGNER)))
    with pytest.raises(ConfigurationError, match=problem):
        read_mitigations(path, [SIGNER.public_key])


def test_a_file_is_read_as_it_was_written(tmp_path: Path) -> None:
    """With every member; without a file there are none."""
    path = tmp_path / "mitigations"
    assert read_mitigations(path, [SIGNER.public_key]) == ()
    every = replace(MITIGATION, tool="refund", model="gpt-*", reason="ä\n\u202e— desk x")
    path.write_text(signed_text([every, MITIGATION], SIGNER))
    assert read_mitigations(path, [SIGNER.public_key]) == (every, MITIGATION)


def run(*arguments: str) -> Any:
    """What a command prints as JSON."""
    db = [] if "--db" in arguments else ["--db", "desk.db"]
    result = CliRunner().invoke(cli, [*arguments, *db, "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def poll_until(wanted: PollResult) -> bool:
    """Poll as the thread does, a few times at most."""
    configuration = current_configuration()
    assert configuration is not None
    assert configuration.watcher is not None
    return any(configuration.watcher.poll() is wanted for _ in range(5))
