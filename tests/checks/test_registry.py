"""Kinds of check are found by registration."""

from specspan.checks.registry import kinds


def test_kinds_of_our_own_are_found_by_their_modules() -> None:
    """A module in `specspan.checks.kinds` is a kind, under the key it names."""
    assert all(key == kinds()[key].KIND for key in kinds())
    assert {"pattern", "code", "tools", "judge"} <= set(kinds())
    assert "no such kind" not in kinds()
