"""The guard that counts instructions tells more work from as much, and what it is told to keep from what it is not."""

from __future__ import annotations

import json

import pytest
from benchmarks import counts
from benchmarks.counts import Counts


def _work(rounds: int) -> int:
    return sum(len(str(number)) for number in range(rounds))


def test_more_work_is_more_instructions_and_calls() -> None:
    """Counts are the same each time, and grow with what is done, in Python and in C."""
    few, again, many = (counts.count(lambda rounds=rounds: _work(rounds)) for rounds in (10, 10, 20))  # type: ignore[misc]
    assert few == again
    added = many.minus(few)
    assert added.instructions >= 10 * 5
    assert added.c_calls == 10  # `len`: a class that is called is no function


@pytest.mark.parametrize(
    ("found", "named"),
    [
        (Counts(1030, 100), []),
        (Counts(500, 50), []),
        (Counts(1031, 100), ["instructions"]),
        (Counts(1031, 104), ["instructions", "c_calls"]),
    ],
)
def test_growth_over_the_tolerance_is_named(found: Counts, named: list[str]) -> None:
    """Three in a hundred more are let pass; more are a problem, in either count."""
    kept = {"a call": {"instructions": 1000, "c_calls": 100}}
    problems = counts.compare(kept, {"a call": found})
    assert [each for each in ("instructions", "c_calls") if any(each in line for line in problems)] == named
    assert len(problems) == len(named)


def test_work_that_the_file_does_not_have_is_a_problem() -> None:
    """New work is not let pass for want of a figure."""
    assert counts.compare({}, {"a call": Counts(1, 1)}) == ["a call: not in counts.json"]


def test_the_file_has_every_piece_of_work() -> None:
    """The file names its versions, and five pieces of work with counts that are not zero."""
    kept = json.loads(counts.KEPT.read_text(encoding="utf-8"))
    assert "python" in kept["versions"]
    assert len(kept["counts"]) == 5
    assert all(number > 0 for each in kept["counts"].values() for number in each.values())
