"""`json_schema`: an answer is JSON that a schema describes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from policies import answered
from ready_made import build, decide, reason_of

from specspan.checks.check import CheckConfigError
from specspan.decision import Outcome

ANSWER = {"type": "object", "required": ["answer"], "properties": {"answer": {"type": "string", "pattern": "^[a-z]+$"}}}
CHECK = build("json_schema", {"schema": ANSWER})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"answer": "yes"}', None),
        (' ```json\n{"answer": "yes"}\n``` ', None),
        ('Here it is: {"answer": "yes"}', "not_json"),
        ("", "not_json"),
        ('{"answer": NaN}', "not_json"),
        ('{"answer": ' + "9" * 5000 + "}", "not_json"),
        ("[" * 200_000, "too_deep"),
        ('{"answer": "x"' + " " * 1_000_000 + "}", "too_long"),
        ('{"answer": 1}', "schema_mismatch"),
        ('{"answer": "Yes"}', "schema_mismatch"),
        ("{}", "schema_mismatch"),
    ],
)
def test_each_way_to_be_wrong_has_its_reason(text: str, reason: str | None) -> None:
    """No answer of any shape is an error of the check."""
    assert reason_of(CHECK, text) == reason


def test_the_explanation_names_the_place_and_the_keyword_alone() -> None:
    """Nothing of the answer."""
    finding = decide(CHECK, answered('{"answer": "SECRET"}'))
    assert finding.explanation == "$.answer: pattern"


def test_a_fence_can_be_forbidden() -> None:
    """Where a program reads the answer."""
    assert (
        reason_of(build("json_schema", {"schema": ANSWER, "fenced": False}), '```\n{"answer": "a"}\n```') == "not_json"
    )


def test_a_pattern_cannot_be_made_to_hang() -> None:
    """It runs in linear time, and one that could not is refused."""
    check = build("json_schema", {"schema": {"type": "string", "pattern": "^(a+)+$"}})
    assert reason_of(check, json.dumps("a" * 100_000 + "!")) == "schema_mismatch"
    names = build("json_schema", {"schema": {"patternProperties": {"^x": {"type": "integer"}}}})
    assert (reason_of(names, '{"x1": 1, "y": "a"}'), reason_of(names, '{"x1": "a"}')) == (None, "schema_mismatch")


@pytest.mark.parametrize(
    ("configuration", "message"),
    [
        ({}, "either `schema` or `file`"),
        ({"schema": {"type": "no such type"}}, "invalid schema at"),
        ({"schema": {"$ref": "https://example.com/schema"}}, "nothing is fetched"),
        ({"schema": {"pattern": r"(a)\1"}}, "linear time"),
        ({"file": "no_such_file.json"}, "no_such_file.json"),
    ],
)
def test_a_schema_that_cannot_be_held_to_is_refused(configuration: Any, message: str) -> None:
    """When the policy is loaded."""
    with pytest.raises(CheckConfigError, match=message):
        build("json_schema", configuration)


def test_a_schema_can_stand_in_a_file(tmp_path: Path) -> None:
    """Which is read once, when the policy is loaded."""
    (tmp_path / "answer.json").write_text(json.dumps(ANSWER), encoding="utf-8")
    check = build("json_schema", {"file": str(tmp_path / "answer.json")})
    assert decide(check, answered('{"answer": "yes"}')).outcome is Outcome.COMPLIED
