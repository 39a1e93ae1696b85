"""`specspan decisions`, as its user meets it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from specspan.sqlite import SQLiteDecisionExporter

Make = Callable[..., dict[str, Any]]
Run = Callable[..., Any]


def test_decisions_are_listed_newest_first(specspan: Run, recorded: Path) -> None:
    """When, which, of which trace, the verdict, what was done, by which clause, why."""
    ran = specspan("decisions", "--db", recorded)

    heading, violated, complied = (line.rstrip() for line in ran.out.splitlines())
    assert ran.code == 0
    assert heading.split() == ["time", "decision", "trace", "verdict", "action", "governing", "clause", "reason"]
    assert violated.endswith("20000000  ✘ violated  flag, would block  privacy           ssn")
    assert complied.endswith("10000000  ✔ complied  allow")


@pytest.mark.parametrize(
    ("arguments", "verdicts"),
    [
        ([], ["violated", "complied"]),
        (["--clause", "privacy", "--outcome", "violated"], ["violated"]),
        (["--verdict", "complied"], ["complied"]),
        (["--since", "1970-01-01T00:00:02Z"], ["violated"]),
        (["--limit", "1"], ["violated"]),
        (["--clause", "humour"], []),
    ],
)
def test_filters_narrow_the_decisions(specspan: Run, recorded: Path, arguments: list[str], verdicts: list[str]) -> None:
    """The filters of `specspan traces`, decision by decision."""
    ran = specspan("decisions", "--db", recorded, "--json", *arguments)

    assert (ran.code, [decision["verdict"] for decision in json.loads(ran.out)]) == (0, verdicts)


def test_one_decision_says_enough_to_decide_it_again(specspan: Run, recorded: Path) -> None:
    """What it is about, under which texts, and every finding; found by the short id of the list."""
    short_id = specspan("decisions", "--db", recorded).out.splitlines()[1].split()[2]

    ran = specspan("decisions", "show", short_id, "--db", recorded)

    lines = [line.rstrip() for line in ran.out.splitlines()]
    assert lines[0] == "decision 0198c2f4-7a3b-7000-8000-000000000002"
    assert lines[2:] == [
        "service  support-desk",
        "call     openai chat m-1",
        f"trace    2{'0' * 31} span {'0' * 15}2",
        "spec     desk 1 sha256:s",
        "policy   sha256:p",
        "✘ violated · flag, would block · observe · governed by privacy (ssn)",
        "✘ violated  privacy  developer  pattern privacy_check: ssn  /output/0/parts/0[1:5]",
        "? unassessed (1) humour",
    ]


def test_without_an_id_the_newest_decision_is_shown(specspan: Run, recorded: Path) -> None:
    """The one that an operator wants at three in the morning."""
    newest = specspan("decisions", "show", "0198c2f4-7a3b-7000-8000-000000000002", "--db", recorded).out

    assert specspan("decisions", "show", "--db", recorded).out == newest


def test_one_decision_as_json_is_the_record(specspan: Run, recorded: Path) -> None:
    """Whole, with its time in UTC beside the nanoseconds."""
    decision_id = "0198c2f4-7a3b-7000-8000-000000000002"

    record = json.loads(specspan("decisions", "show", decision_id, "--db", recorded, "--json").out)

    assert (record["v"], record["id"], record["time"]) == (1, decision_id, "1970-01-01T00:00:03.000000Z")
    assert record["findings"][0]["evidence"] == [{"pointer": "/output/0/parts/0", "start": 1, "end": 5}]


def test_a_decision_whose_policy_record_is_missing_says_so(specspan: Run, tmp_path: Path, decision: Make) -> None:
    """What the decision says itself is shown, and that the rest is not known; JSON holds the references."""
    path = tmp_path / "part.db"
    policy = {"digest": "sha256:p", "record": "sha256:r"}
    outcomes = {"complied": "0-6,8", "unassessed:not_sampled": "7"}
    made = decision("2", v=2, policy=policy, outcomes=outcomes)
    exporter = SQLiteDecisionExporter(path)
    exporter.export([{name: value for name, value in made.items() if name != "findings"}])
    exporter.shutdown()

    lines = specspan("decisions", "show", made["id"], "--db", path).out.splitlines()
    record = json.loads(specspan("decisions", "show", made["id"], "--db", path, "--json").out)

    assert [line.strip() for line in lines[-3:]] == [
        "⚠ the record of its policy is missing (sha256:r)",
        "✔ complied: assessments 0-6,8 of its list",
        "? unassessed: assessments 7 of its list (not_sampled)",
    ]
    assert (record["missing_policy_record"], record["outcomes"], record["findings"]) == ("sha256:r", outcomes, [])


def test_an_id_must_find_one_decision(specspan: Run, recorded: Path) -> None:
    """The shared beginning of two ids is answered with both."""
    several = specspan("decisions", "show", "0198c2f4", "--db", recorded)

    assert several.code == 2
    assert "several decisions begin with '0198c2f4': 0198c2f4-7a3b-7000-8000-000000000001, 0198" in several.err
