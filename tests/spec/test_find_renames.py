"""Suggestions of clauses that go on under another id."""

from __future__ import annotations

import random

from specspan.spec.diff import find_renames
from specspan.spec.spec import Clause

TEXT = "Never tell a customer what another customer bought or when they were here."


def clause(id_: str, text: str, title: str = "Title") -> Clause:
    """A clause that says something."""
    return Clause(id_, title, text, "root")


def test_the_most_alike_are_paired() -> None:
    """Of several candidates the one with most words in common is suggested, and each only once."""
    removed = [clause("near", TEXT.replace("bought", "ordered")), clause("same", TEXT)]
    found = find_renames(removed, [clause("fresh", TEXT)])
    assert [(one.old, one.new, one.similarity) for one in found] == [("same", "fresh", 1.0)]


def test_texts_that_share_a_phrase_only_are_not_paired() -> None:
    """One sentence in common does not make two clauses one."""
    other = f"{TEXT} And then a great many other words about the till, the door, the stock, and the lights at night."
    assert find_renames([clause("old", TEXT)], [clause("new", other)]) == ()


def test_empty_sections_are_paired_by_their_title() -> None:
    """A section without text that keeps its title is the same section."""
    (found,) = find_renames(
        [clause("a", "", "Stay in bounds")], [clause("b", "", "Stay in bounds"), clause("c", "", "Style")]
    )
    assert (found.old, found.new) == ("a", "b")


def test_thousands_on_both_sides_are_paired() -> None:
    """Five thousand removed and added clauses are paired, whether or not they share their phrases."""
    words = [f"word{n}" for n in range(3000)]
    chance = random.Random(0)
    texts = [f"{' '.join(chance.choices(words, k=30))} as the house rules say in every case" for _ in range(5000)]
    removed = [clause(f"old{n}", text) for n, text in enumerate(texts)]
    added = [clause(f"new{n}", text) for n, text in enumerate(texts)]
    found = find_renames(removed, added)
    assert [(one.old, one.new) for one in found] == [(f"old{n}", f"new{n}") for n in range(5000)]


def test_clauses_of_one_text_are_paired_in_their_order() -> None:
    """Where several are equally alike, the first goes with the first, whichever side is the old one."""
    found = find_renames([clause(f"old{n}", TEXT) for n in range(8)], [clause(f"new{n}", TEXT) for n in range(8)])
    assert [(one.old, one.new) for one in found] == [(f"old{n}", f"new{n}") for n in range(8)]
