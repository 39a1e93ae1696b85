"""Exact binomial tail and intervals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specspan.calibration.binomial import Interval, cumulative_probability, exact_interval, lower_bound


def test_the_tail_is_the_sum_of_its_terms() -> None:
    """Of four throws of a coin, at most one falls on its head in 5 of 16."""
    assert cumulative_probability(1, 4, 0.5) == pytest.approx(5 / 16)
    assert cumulative_probability(-1, 4, 0.5) == 0
    assert cumulative_probability(4, 4, 0.5) == 1
    assert cumulative_probability(3, 4, 1.0) == 0


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(0, 10, 0.0, 0.308497), (5, 10, 0.187086, 0.812914), (10, 10, 0.691503, 1.0)],
)
def test_intervals_are_those_of_tables(successes: int, trials: int, low: float, high: float) -> None:
    """Of Clopper and Pearson, at 95%."""
    interval = exact_interval(successes, trials)
    assert (interval.low, interval.high) == pytest.approx((low, high), abs=1e-6)


def test_few_of_a_million_are_few_terms() -> None:
    """Of a tail the shorter side is summed; the ends are those of Poisson's distribution, as tables have them."""
    interval, mirrored = exact_interval(5, 10**6), exact_interval(10**6 - 5, 10**6)
    assert (interval.low * 1e6, interval.high * 1e6) == pytest.approx((1.6235, 11.6683), rel=1e-4)
    assert (1 - mirrored.high, 1 - mirrored.low) == pytest.approx((interval.low, interval.high), rel=1e-6)


def test_each_end_is_the_share_at_which_what_was_seen_is_the_rarest_it_may_be() -> None:
    """With 2.5% on either side."""
    interval = exact_interval(45, 50)
    assert cumulative_probability(45, 50, interval.high) == pytest.approx(0.025)
    assert 1 - cumulative_probability(44, 50, interval.low) == pytest.approx(0.025)


def test_without_trials_anything_is_possible() -> None:
    """Nothing was seen."""
    assert exact_interval(0, 0) == Interval(0.0, 1.0)


def test_fifty_nine_of_fifty_nine_show_95_percent() -> None:
    """The least number of successes without a failure that does."""
    assert lower_bound(59, 59, 0.95) >= 0.95 > lower_bound(58, 58, 0.95)


@given(st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_holds_the_share_that_was_seen(counts: tuple[int, int]) -> None:
    """Whatever the counts are."""
    successes, trials = counts
    interval = exact_interval(successes, trials)
    assert 0 <= interval.low <= successes / trials <= interval.high <= 1
