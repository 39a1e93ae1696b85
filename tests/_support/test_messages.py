"""How messages name what somebody may have meant."""

from __future__ import annotations

from specspan._support.messages import nearest_names


def test_names_are_looked_for_among_the_first_thousands() -> None:
    """A file may have a hundred names to look for, so that each is held against a bounded number of known ones."""
    known = [f"clause_{number}" for number in range(5_000)]
    assert nearest_names("clause_4999x", known, 1) == ["clause_4999"]
    assert nearest_names("qqq", [*known, "qqqq"]) == []
