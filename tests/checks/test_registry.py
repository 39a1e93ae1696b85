"""Kinds of check are found by registration."""

from specspan.checks.registry import kinds


def test_kinds_of_our_own_are_found_by_their_modules() -> None:
    """A module in `specspan.checks.kinds` is a kind, under the key it names."""
    assert kinds()["pattern"].KIND == "pattern"
