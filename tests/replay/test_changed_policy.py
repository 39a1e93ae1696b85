"""A replay through a policy with a known change finds exactly what that change makes of the calls."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from replayed import EVER, record_calls, write_policy

from specspan.cli.main import cli
from specspan.policy.load import load_policy
from specspan.policy.policy import Policy
from specspan.replay.report import Report, build_report
from specspan.replay.run import Replay
from specspan.sqlite import Reader

CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
WINE, NUMBERS = 3, 2
"""Number of answers with wine in them, and with a number."""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with calls that a policy in observe mode decided, in a file with their content and in one without."""
    folder = tmp_path_factory.mktemp("recorded")
    policy = write_policy(folder)
    with pytest.MonkeyPatch.context() as patch:
        for content in ("SPAN_ONLY", "NO_CONTENT"):
            patch.setenv(CONTENT, content)
            record_calls(policy, folder / f"{content}.db")
    return folder


def replayed(folder: Path, policy: Policy, content: str = "SPAN_ONLY", **options: Any) -> Report:
    """Return the report of a replay."""
    replay = Replay(policy, EVER, **options)
    with Reader(folder / f"{content}.db") as reader:
        replay.run(reader)
    return build_report(replay.differences)


def test_known_change_gives_exactly_its_calls(recorded: Path) -> None:
    """Another pattern violates other calls; no other clause changes, and the test of McNemar is of those calls."""
    report = replayed(recorded, load_policy(write_policy(recorded, number="wine", name="wine.yaml")))
    changed = [each.clause for each in report.clauses if each.changes]
    assert changed == ["protect_privacy"]
    clause = report.clause("protect_privacy")
    assert (clause.compared, clause.newly_violated, clause.newly_complied) == (20, WINE, NUMBERS)
    assert (clause.violated.gained, clause.violated.lost) == (WINE, NUMBERS)
    assert clause.violated.p_value == 1.0
    assert clause.violated.difference == pytest.approx(1 / 20)
    assert report.equal == 20 - WINE - NUMBERS


def test_stricter_action_is_known_without_content(recorded: Path) -> None:
    """Checks that stay the same keep their findings, so what a policy would do about them is known."""
    stricter = load_policy(write_policy(recorded, "enforce", "block", name="stricter.yaml"))
    report = replayed(recorded, stricter, "NO_CONTENT")
    assert report.blocked.lost == 0
    assert report.blocked.gained >= 1
    assert {each.newly_violated + each.newly_complied for each in report.clauses} == {0}
    stopped_early = report.clause("protect_privacy")  # nobody checks the answer to a request that is not sent
    assert [(each.after, each.calls) for each in stopped_early.changes] == [("unassessed", 2)]


def test_changed_check_is_unknown_without_content(recorded: Path) -> None:
    """Nobody can say what another pattern finds in a text that was not kept, so nothing is counted as compared."""
    report = replayed(recorded, load_policy(write_policy(recorded, number="wine", name="wine.yaml")), "NO_CONTENT")
    clause = report.clause("protect_privacy")
    assert clause.unknown["content_not_recorded"] >= WINE + NUMBERS
    assert clause.newly_violated == 0
    assert clause.changes == []


def test_baseline_is_replayed_too(recorded: Path) -> None:
    """Two policies are compared on the same calls, whatever was decided about them then."""
    wine = load_policy(write_policy(recorded, number="wine", name="wine.yaml"))
    assert replayed(recorded, wine, baseline=wine).equal == 20
    report = replayed(recorded, load_policy(recorded / "policy.yaml"), baseline=wine)
    assert (report.clause("protect_privacy").violated.gained, report.clause("protect_privacy").violated.lost) == (2, 3)


def run(*arguments: object) -> Any:
    result = CliRunner().invoke(cli, ["replay", *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_state_goes_on_where_it_stopped(recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A replay that was broken off ends with the report of one that was not, and another policy's state is refused."""
    monkeypatch.setattr("specspan.replay.run._EVERY", 7)
    wine, state = load_policy(write_policy(recorded, number="wine", name="wine.yaml")), tmp_path / "state.json"

    class Stop(Exception):
        pass

    def stop(read: int) -> None:
        if read >= 14:
            raise Stop

    with Reader(recorded / "SPAN_ONLY.db") as reader, pytest.raises(Stop):
        Replay(wine, EVER).run(reader, state, stop)
    assert json.loads(state.read_text())["read"] == 7
    replay = Replay(wine, EVER)
    with Reader(recorded / "SPAN_ONLY.db") as reader:
        calls = replay.run(reader, state)
    assert calls.read == 20
    assert build_report(replay.differences) == replayed(recorded, wine)
    arguments = ("--policy", recorded / "policy.yaml", "--db", recorded / "SPAN_ONLY.db", "--state", state)
    refused = CliRunner().invoke(cli, ["replay", *map(str, arguments)])
    assert refused.exit_code != 0
    assert "another replay" in str(refused.exception or refused.output)


def test_command_tells_the_same_in_every_form(recorded: Path) -> None:
    """JSON with denominators, a table and a page; equal replays give equal bytes but for the window."""
    write_policy(recorded, number="wine", name="wine.yaml")
    arguments = ("--policy", recorded / "wine.yaml", "--db", recorded / "SPAN_ONLY.db")
    told = json.loads(run(*arguments, "--json"))
    again = json.loads(run(*arguments, "--json"))
    assert told | {"until_unix_nano": 0} == again | {"until_unix_nano": 0}
    clause = next(each for each in told["clauses"] if each["clause"] == "protect_privacy")
    assert (clause["compared"], clause["newly_violated"], clause["newly_complied"]) == (20, WINE, NUMBERS)
    examples = {change["after"]: change["examples"] for change in clause["changes"]}
    with Reader(recorded / "SPAN_ONLY.db") as reader:
        texts = [
            json.dumps([dict(span.attributes) for span in reader.spans(reader.decision(each)["trace_id"])])
            for each in examples["violated"]
        ]
    assert len(texts) == WINE
    assert all("wine" in text for text in texts)
    table = run(*arguments)
    assert "20 calls of 20 decisions replayed, 15 unchanged." in table
    assert "protect_privacy" in table
    page = run(*arguments, "--html")
    assert "<h2>Clauses</h2>" in page
    assert "15 of 20" in page
