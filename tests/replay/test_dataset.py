"""Datasets: cases of recorded calls, redacted, with what is expected of them and where they come from."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from replayed import record_calls, write_policy

from specspan.cli.main import cli
from specspan.errors import ConfigurationError
from specspan.replay.dataset import Dataset, read_dataset, write_dataset
from specspan.replay.redaction import Redactor, personal_data_detectors
from specspan.review.review_queue import ReviewQueue
from specspan.review.review_task import RulingKind
from specspan.sqlite import Filter, Reader
from specspan.stores.people import Person

CONTENT = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with a policy in observe mode and calls that it decided."""
    folder = tmp_path_factory.mktemp("dataset")
    policy = write_policy(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CONTENT, "SPAN_ONLY")
        record_calls(policy, folder / "calls.db")
        patch.setenv(CONTENT, "NO_CONTENT")
        record_calls(policy, folder / "bare.db")
    return folder


def run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(cli, ["dataset", *map(str, arguments)], standalone_mode=True)
    assert result.exit_code == code, (result.output, result.exception)
    return result.output


def test_a_dataset_is_made_shown_and_grows(folder: Path, tmp_path: Path) -> None:
    """Each case says what is expected and where it comes from; the number in its text is another one."""
    file = tmp_path / "privacy.jsonl"
    told = run("make", file, "--db", folder / "calls.db", "--clause", "protect_privacy", "--outcome", "violated")
    assert "2 cases made, 2 in " in told
    assert "national_id 2" in told or "number 2" in told  # by what is installed
    assert "123-45-6789" not in file.read_text()
    shown = json.loads(run("show", file, "--json"))
    assert shown["expected"] == [{"clause": "protect_privacy", "outcome": "violated", "cases": 2}]
    assert {case["source"]["kind"] for case in shown["cases"]} == {"decision"}
    assert shown["digest"] == read_dataset(file).digest
    with Reader(folder / "calls.db") as reader:
        wine = next(
            each["id"]
            for each in reader.decisions(Filter(limit=-1))
            if any(f["clause"] == "children" and f["outcome"] == "violated" for f in each["findings"])
        )
    run("add", file, wine, "--db", folder / "calls.db", "--expect", "children=complied", "--incident", "i-7")
    again = json.loads(run("show", file, "--json"))
    assert again["digest"] != shown["digest"]
    added = next(case for case in again["cases"] if case["decision"] == wine)
    assert (added["source"]["kind"], added["source"]["id"]) == ("incident", "i-7")
    assert added["expected"] == {"children": "complied"}
    assert "3 cases" in run("show", file)
    assert "u-1" not in file.read_text()  # nobody needs to know whose call it was


def test_what_was_not_recorded_makes_no_case(folder: Path, tmp_path: Path) -> None:
    """A call without its content is counted, and an empty dataset is not written."""
    file = tmp_path / "bare.jsonl"
    assert "20 decisions made no case" in run("make", file, "--db", folder / "bare.db", code=1)
    assert not file.exists()


def test_equal_sets_have_equal_digests(folder: Path, tmp_path: Path) -> None:
    """The order of lines and a case that stands twice change nothing."""
    run("make", tmp_path / "one.jsonl", "--db", folder / "calls.db", "--limit", "5")
    head, *lines = (tmp_path / "one.jsonl").read_text().splitlines()
    (tmp_path / "two.jsonl").write_text("\n".join([head, *reversed(lines), lines[0]]) + "\n")
    one, two = read_dataset(tmp_path / "one.jsonl"), read_dataset(tmp_path / "two.jsonl")
    assert one.digest == two.digest
    assert write_dataset(tmp_path / "three.jsonl", two.cases, "one").digest == one.digest
    assert sorted((tmp_path / "three.jsonl").read_text().splitlines()) == sorted([head, *lines])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"v": 2}, "version 2 is not one"),
        ({"expected": {"a": "perhaps"}}, "unknown 'perhaps'"),
        ({"source": {"kind": "dream"}}, "unknown"),
        ({"decision": {}}, "no case can be read"),
    ],
)
def test_a_damaged_line_is_named(folder: Path, tmp_path: Path, change: dict[str, Any], message: str) -> None:
    """A line of a newer version, or that is no case, refuses the file with its number."""
    file = tmp_path / "damaged.jsonl"
    run("make", file, "--db", folder / "calls.db", "--limit", "1")
    head, line = file.read_text().splitlines()
    file.write_text(f"{head}\n{json.dumps(json.loads(line) | change)}\n")
    with pytest.raises(ConfigurationError, match=message) as refused:
        read_dataset(file)
    assert ":2:" in str(refused.value)


def test_personal_data_become_others_of_their_kind() -> None:
    """A check that finds a card, an address or a long number finds one again, and nothing of the old is left."""
    redactor = Redactor("salt", personal_data_detectors())
    text = "Card 5555 5555 5555 4444, mail ann.smith@acme.org, account 60-16-13 and again 60-16-13; ok 12."
    redacted = redactor.redact({"parts": [{"content": text}]})["parts"][0]["content"]
    for secret in ("5555 5555", "ann.smith", "acme", "60-16-13"):
        assert secret not in redacted
    assert "@example.com" in redacted
    assert "ok 12." in redacted
    before, after = (redacted.split("account ")[1].split(" ")[0], redacted.split("again ")[1].split(";")[0])
    assert before == after  # equal data stay equal
    assert len(before) == len("60-16-13")


@given(st.recursive(st.text(max_size=40), lambda inner: st.lists(inner, max_size=3), max_leaves=5), st.text(max_size=5))
def test_redaction_never_fails_and_repeats(value: Any, salt: str) -> None:
    """Any text can be redacted, and equal ones are redacted alike."""
    once = Redactor(salt, personal_data_detectors()).redact(value)
    assert once == Redactor(salt, personal_data_detectors()).redact(value)


def test_an_empty_dataset_has_no_clauses() -> None:
    """Nothing is expected of nothing."""
    assert Dataset("none", ()).clauses() == []


def test_what_reviewers_ruled_is_expected(folder: Path, tmp_path: Path) -> None:
    """A ruling makes a case whatever the checks found; the replay still compares with what the policy said."""
    db = tmp_path / "calls.db"
    shutil.copy(folder / "calls.db", db)
    with Reader(db) as reader:
        violated = next(
            each["id"] for each in reader.decisions(Filter(clause="protect_privacy", outcome="violated", limit=1))
        )
    queue, person = ReviewQueue(str(db)), Person("Ann")
    task = queue.open(violated, "protect_privacy", by=person)
    queue.rule(task.id, person, RulingKind.OVERRULE, reason="a made-up number", outcome="complied")
    queue.close()
    run("make", tmp_path / "reviews.jsonl", "--db", db, "--from", "reviews")
    (case,) = read_dataset(tmp_path / "reviews.jsonl").cases
    assert (case.source["kind"], case.expected) == ("review", {"protect_privacy": "complied"})
    told = CliRunner().invoke(cli, ["replay", "--policy", str(folder / "policy.yaml"), "--db", str(db), "--json"])
    assert json.loads(told.stdout)["decisions"]["equal"] == 20
