"""Work over the texts of a call is counted, and refused beyond its limit."""

from __future__ import annotations

import itertools
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specspan.checks.check import TextAt
from specspan.checks.patterns import MultiPattern, Pattern
from specspan.checks.readings import readings
from specspan.checks.texts import limit_work
from specspan.checks.work import FREE_CHARS, MAX_STEPS, PASS_STEPS, SEARCH_STEPS, Work, WorkLimitReached

SOURCES = ("word", r"\bé\w", "a.*b", r"\d{3}-\d{2}", "[a-c]{2,}x|b")


def limited(*texts: str, steps: int | None = None) -> tuple[TextAt, ...]:
    """Return texts whose work is counted, however short they are."""
    at = tuple(TextAt(f"/output/0/parts/{index}", "assistant", text) for index, text in enumerate(texts))
    limit_work(at, Work(steps))
    return at


@given(st.text("abcxé1234-\n word"))
def test_counted_work_finds_what_uncounted_work_finds(text: str) -> None:
    """The limit changes no finding below it."""
    (at,) = limited(text)
    assert sorted(MultiPattern(SOURCES).hits(at)) == sorted(MultiPattern(SOURCES).hits(text))
    for pattern in map(Pattern, SOURCES):
        assert pattern.find(at) == pattern.find(text)
        assert pattern.matches(at) == pattern.matches(text)


def test_short_texts_are_not_counted() -> None:
    """Counting begins where the texts of a stage are long together."""
    half = TextAt("/input/0/parts/0", "user", "x" * (FREE_CHARS // 2))
    assert limit_work((half,)) is None
    work = limit_work((half, half))
    assert half.work is work is not None
    assert work.left == MAX_STEPS


def test_what_is_refused_counts_nothing() -> None:
    """A short text can still be searched after a long one was refused."""
    long, short = limited("x" * 1000, "x" * 10, steps=PASS_STEPS * 100)
    patterns = MultiPattern(["word", "sword"])
    with pytest.raises(WorkLimitReached):
        patterns.hits(long)
    assert patterns.hits(short) == []


@pytest.mark.parametrize(
    ("character", "count", "times"), [("x", 60_000_000, 1.01), ("é", 10_000_000, 0.01), ("é", 100_000_000, 0.01)]
)
def test_a_text_over_the_limit_takes_no_more_memory_than_itself(character: str, count: int, times: float) -> None:
    """It is refused before anything of it is written in more bytes."""
    text = character * count
    at = TextAt("/output/0/parts/0", "assistant", text)
    limit_work((at,))
    tracemalloc.start()
    try:
        with pytest.raises(WorkLimitReached):
            MultiPattern(SOURCES).hits(at)
        assert tracemalloc.get_traced_memory()[1] < count * times
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("text", "is_normalised"),
    [('["' + r"\u006f" * 300_000 + '"]', False), ("о́" * 200_000, True)],
    ids=["json", "marks"],
)
def test_further_readings_are_refused_before_they_fill_the_memory(text: str, is_normalised: bool) -> None:
    """Each stretch that reads differently counts."""
    if is_normalised:
        pytest.importorskip("confusable_homoglyphs")
    (at,) = limited(text)
    with pytest.raises(WorkLimitReached):
        list(readings((at,), is_normalised=is_normalised))


def test_a_slow_search_counts_by_its_time() -> None:
    """What takes far longer than its length says is refused before it begins on the whole text."""
    searched = list[int]()

    def find(data: bytes) -> None:
        searched.append(len(data))

    ticks = itertools.count(step=1_000_000)
    work = Work(10_000_000, clock_ns=lambda: next(ticks))
    with pytest.raises(WorkLimitReached):
        work.search(find, b"x" * 1_000_000)
    assert max(searched) < 10_000
    before = work.left
    work.search(find, b"x" * 1000)
    assert before - work.left == 500_000  # a millisecond


def test_a_quick_search_counts_by_its_length() -> None:
    """The time of a usual search says nothing, so that a busy machine refuses nothing."""
    work = Work(10_000, clock_ns=lambda: 0)
    work.search(lambda data: None, b"x" * 1000)
    assert work.left == 10_000 - 1000 * SEARCH_STEPS
