"""What an unquoted word means."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specspan.documents.yaml import parse_scalar


@pytest.mark.parametrize(
    "word",
    ["no", "yes", "on", "off", "Y", "n", "1:30", "2027-01-01", "0b11", "1_000", "=", ".inf", "-.NaN", "1e999", "+"],
)
def test_a_word_of_yaml_1_1_stays_the_word_it_looks_like(word: str) -> None:
    """No booleans of six spellings, no sexagesimal numbers, no dates, nothing JSON lacks."""
    assert parse_scalar(word) == word


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("FALSE", False),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("-3", -3),
        ("0.1", 0.1),
        (".5", 0.5),
        ("1e3", 1000.0),
    ],
)
def test_the_core_schema_is_resolved(text: str, value: object) -> None:
    """Nulls, booleans, integers and floats of YAML 1.2; a leading zero does not make a number octal."""
    resolved = parse_scalar(text)
    assert resolved == value
    assert type(resolved) is type(value)


def test_a_number_nobody_can_mean_stays_text() -> None:
    """A million digits are not converted: that takes time which grows with their square."""
    assert parse_scalar("9" * 1_000_000) == "9" * 1_000_000


@given(st.text())
def test_every_word_resolves_to_what_json_can_say(text: str) -> None:
    """Whatever the word, its value goes through JSON and comes back the same."""
    value = parse_scalar(text)
    assert json.loads(json.dumps(value, allow_nan=False)) == value
