"""Canonical JSON, against the examples of RFC 8785 and an independent library."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specspan.ledger.canonical_json import canonical_json

NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
MAPPINGS = st.dictionaries(TEXT, VALUES, max_size=4)


def test_numbers_of_the_standard() -> None:
    """The numbers of RFC 8785, section 3.2.2, are written as ECMAScript does."""
    numbers = [333333333.33333329, 1e30, 4.50, 2e-3, 0.000000000000000000000000001, -0.0, 1.0, 1e20, 1e21, 1e-6, 1e-7]
    expected = b'{"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27,0,1,100000000000000000000,1e+21,0.000001,1e-7]}'
    assert canonical_json({"numbers": numbers}) == expected


@pytest.mark.parametrize("value", [1.0, [1.0], [0, 1.0], {"b": 1.0}, [[1.0]], [{"b": [1, 1.0]}]])
def test_a_fraction_is_found_wherever_it_stands(value: Any) -> None:
    """A number that Python writes otherwise than ECMAScript is written as ECMAScript does at every place."""
    assert b"1.0" not in canonical_json({"a": value})


def test_strings_and_keys_of_the_standard() -> None:
    """Strings are escaped, and keys sorted by UTF-16, as in RFC 8785, sections 3.2.2.2 and 3.2.3."""
    assert canonical_json({"s": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/"}) == (
        '{"s":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'.encode()
    )
    keys = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    in_order = list(json.loads(canonical_json(dict.fromkeys(keys))))
    assert in_order == ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]


def test_what_json_cannot_say_is_a_string() -> None:
    """Integers beyond 2**53 - 1, NaN and infinity are strings; a lone surrogate becomes a question mark."""
    value = {"time": 1790000000000000000, "nan": float("nan"), "lone": "\ud800", "most": 2**53 - 1}
    expected = b'{"lone":"?","most":9007199254740991,"nan":"nan","time":"1790000000000000000"}'
    assert canonical_json(value) == expected


def test_what_is_no_json_is_refused() -> None:
    """An object, and what is nested without end, is a `TypeError`."""
    circle: dict[str, Any] = {}
    circle["itself"] = circle
    for value in ({"object": object()}, circle):
        with pytest.raises(TypeError):
            canonical_json(value)


@given(st.dictionaries(TEXT, st.none() | st.integers(-9, 9) | st.floats(-1e15, 1e15) | st.lists(TEXT), max_size=4))
def test_one_value_has_one_form(value: dict[str, Any]) -> None:
    """What is read back is the value, and is written in the same bytes."""
    data = canonical_json(value)
    assert json.loads(data) == value
    assert canonical_json(json.loads(data)) == data


@given(MAPPINGS)
def test_an_independent_library_agrees(value: dict[str, Any]) -> None:
    """The package `rfc8785` writes the same bytes."""
    rfc8785 = pytest.importorskip("rfc8785")
    assert canonical_json(value) == rfc8785.dumps(value)
