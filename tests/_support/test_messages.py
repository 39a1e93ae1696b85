"""Messages offer the names that were meant, and name all problems of a file at once."""

from __future__ import annotations

import pytest

from specspan._support.messages import MAX_PROBLEMS, Problems, did_you_mean, format_value, nearest_names, quoted_list
from specspan.errors import PolicyError, Problem, SpecError


def test_nothing_wrong_is_nothing_raised() -> None:
    """A file without problems goes on."""
    Problems("f", SpecError).raise_if_any()


def test_problems_are_raised_together_in_the_order_of_lines() -> None:
    """As the kind of error that was asked for; what concerns the whole file stands first."""
    problems = Problems("f", PolicyError)
    problems.add_all([Problem("b", "Mend b.", 2), Problem("a", "Mend a.", 1), Problem("all", "Mend all.")])
    with pytest.raises(PolicyError) as refused:
        problems.raise_if_any()
    assert str(refused.value) == "f: all. Mend all.\nf:1: a. Mend a.\nf:2: b. Mend b."


def test_the_hundredth_problem_ends_the_reading() -> None:
    """Whoever has a hundred does not need the next."""
    problems = Problems("f", SpecError)
    problems.add_all(Problem("a", "Mend it.", line) for line in range(1, MAX_PROBLEMS))
    with pytest.raises(SpecError, match="reading stopped at 100 problems"):
        problems.add(Problem("last", "Mend it."))


def test_a_long_message_is_cut() -> None:
    """A megabyte that somebody wrote does not come back as a megabyte of message."""
    problems = Problems("f", SpecError)
    problems.add(Problem("x" * 1_000_000, "Mend it."))
    assert len(str(problems.error())) < 400


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("protect_privcy", "Did you mean 'protect_privacy'?"),
        ("PROTECT_PRIVACY", "Did you mean 'protect_privacy'?"),
        ("be_clea", "Did you mean 'be_clear' or 'be_clever'?"),
        ("zebra", "No."),
        ("", "No."),
    ],
)
def test_what_was_meant_is_offered(name: str, said: str) -> None:
    """Names that are alike, whatever their case, the most alike first; else what is said otherwise."""
    assert did_you_mean(name, ["be_clever", "be_clear", "protect_privacy"], "No.") == said


def test_a_name_longer_than_any_is_compared_with_none() -> None:
    """Comparing takes time that grows with the square of the length."""
    assert nearest_names("a" * 100, ["a" * 99])
    assert not nearest_names("a" * 101, ["a" * 100])


def test_at_most_three_names_are_offered() -> None:
    """A list nobody reads is no remedy."""
    assert len(nearest_names("clause_0", [f"clause_{i}" for i in range(10)])) == 3


@pytest.mark.parametrize(
    ("names", "text"), [([], ""), (["a"], "'a'"), (["a", "b"], "'a' or 'b'"), (["a", "b", "c"], "'a', 'b' or 'c'")]
)
def test_names_are_listed_as_in_a_sentence(names: list[str], text: str) -> None:
    """Quoted, with commas and one word before the last."""
    assert quoted_list(names, "or") == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\x1b[31m\n", r"'a\x1b[31m\n'"),
        ("x" * 100, f"'{'x' * 55}…'"),
        (True, "true"),
        (None, "nothing"),
        ([1], "a list"),
        ({}, "a mapping"),
        (1.5, "1.5"),
    ],
)
def test_a_value_is_shown_short_and_harmless(value: object, text: str) -> None:
    """In one line, without anything that a terminal obeys."""
    assert format_value(value) == text


def test_names_are_looked_for_among_the_first_thousands() -> None:
    """A file may have a hundred names to look for, so that each is held against a bounded number of known ones."""
    known = [f"clause_{number}" for number in range(5_000)]
    assert nearest_names("clause_4999x", known, 1) == ["clause_4999"]
    assert nearest_names("qqq", [*known, "qqqq"]) == []
