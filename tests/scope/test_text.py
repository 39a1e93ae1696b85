"""A scope as JSON: whole, compact, and refused where it was not understood."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scopes import scopes

from specspan.scope.scope import ArgumentLimit, Cost, ScopeOfAutonomy
from specspan.scope.text import canonical_json, digest, scope_from_json, scope_to_json

WHOLE = ScopeOfAutonomy(
    ("search", "refund"),
    {"refund": {"amount": ArgumentLimit(max=50, min=0.5), "force": ArgumentLimit(forbidden=True)}},
    datetime(2027, 1, 1, 0, 0, 0, 123456, tzinfo=timezone.utc),
    Cost(Decimal("100.50"), "EUR"),
    {"case": "T-9"},
)


def test_it_is_written_compactly() -> None:
    """What bounds nothing takes no room."""
    assert canonical_json(scope_to_json(ScopeOfAutonomy())) == "{}"
    assert scope_to_json(WHOLE) == {
        "tools": ["refund", "search"],
        "limits": {"refund": {"amount": {"max": 50, "min": 0.5}, "force": {"forbidden": True}}},
        "deadline_us": 1798761600123456,
        "cost": ["100.5", "EUR"],
        "details": {"case": "T-9"},
    }


@given(scopes)
def test_a_round_trip_loses_nothing(scope: ScopeOfAutonomy) -> None:
    """What is read is what was written."""
    assert scope_from_json(json.loads(canonical_json(scope_to_json(scope)))) == scope


def test_a_digest_tells_scopes_apart() -> None:
    """The same scope has one digest, and another scope another."""
    assert digest(ScopeOfAutonomy(("a", "b"))) == digest(ScopeOfAutonomy(("b", "a", "a")))
    assert digest(ScopeOfAutonomy()) != digest(ScopeOfAutonomy(()))
    assert digest(WHOLE).startswith("sha256:")


@pytest.mark.parametrize(
    "written",
    [
        None,
        [],
        {"later": 1},
        {"tools": "search"},
        {"tools": [1]},
        {"limits": []},
        {"limits": {"t": []}},
        {"limits": {"t": {"x": {"later": 1}}}},
        {"limits": {"t": {"x": {"max": "50"}}}},
        {"limits": {"t": {"x": {"max": float("nan")}}}},
        {"limits": {"t": {"x": {"one_of": [None]}}}},
        {"limits": {"t": {"x": {"optional": "no"}}}},
        {"deadline_us": 1.5},
        {"deadline_us": True},
        {"deadline_us": 10**30},
        {"cost": ["5"]},
        {"cost": [5, "EUR"]},
        {"cost": ["much", "EUR"]},
        {"cost": ["-1", "EUR"]},
        {"details": {"a": 1}},
    ],
    ids=str,
)
def test_what_is_not_understood_is_refused(written: Any) -> None:
    """A bound that cannot be read cannot be kept: nothing is made of the rest."""
    with pytest.raises(ValueError):
        scope_from_json(written)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(st.dictionaries(st.sampled_from(["tools", "limits", "deadline_us", "cost", "details"]), json_values))
def test_anything_is_read_or_refused(written: Any) -> None:
    """Whatever arrives, it is a scope or a ValueError."""
    try:
        read = scope_from_json(written)
    except ValueError:
        return
    assert isinstance(read, ScopeOfAutonomy)
