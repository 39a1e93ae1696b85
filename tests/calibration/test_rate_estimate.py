"""Estimate of a rate: the point, the interval, what is refused, and what holds of it whatever the counts are."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from benchmarks.coverage import Case, Stratum, lang_reiczigel, simulate
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from specspan.calibration.error_rates import ErrorRates
from specspan.calibration.rate_estimate import MIN_LABELS, correct_share, estimate_rate
from specspan.calibration.sample_counts import SampleCounts

GOOD_JUDGE = ErrorRates(violations=100, found=90, others=100, cleared=90)


@st.composite
def error_rates(draw: Callable[[st.SearchStrategy[int]], int]) -> ErrorRates:
    """Any labels of a judge that is better than chance on them."""
    violations, others = draw(st.integers(MIN_LABELS, 300)), draw(st.integers(MIN_LABELS, 300))
    found, cleared = draw(st.integers(0, violations)), draw(st.integers(0, others))
    errors = ErrorRates(violations, found, others, cleared)
    assume(found * others + cleared * violations > violations * others)
    return errors


@st.composite
def good_error_rates(draw: Callable[[st.SearchStrategy[int]], int]) -> ErrorRates:
    """Labels of a judge that finds and clears most of what it should."""
    violations, others = draw(st.integers(MIN_LABELS, 300)), draw(st.integers(MIN_LABELS, 300))
    found = draw(st.integers(violations * 4 // 5, violations))
    return ErrorRates(violations, found, others, draw(st.integers(others * 9 // 10, others)))


@st.composite
def samples(draw: Callable[[st.SearchStrategy[int]], int]) -> SampleCounts:
    """Samples of up to three probabilities, with at most as many violations as a good judge finds."""
    decided = {0.01 * draw(st.integers(1, 100)): draw(st.integers(1, 3000)) for _ in range(draw(st.integers(1, 3)))}
    return SampleCounts(
        decided, {share: draw(st.integers(count // 10, count * 4 // 5)) for share, count in decided.items()}
    )


def test_the_paper_s_judge_reports_14_percent_where_the_truth_is_5() -> None:
    """Sensitivity and specificity of 90%: Lee et al. (2025)."""
    estimate = estimate_rate(SampleCounts.unweighted(140, 1000), GOOD_JUDGE)

    assert estimate.raw == 0.14
    assert estimate.corrected == pytest.approx(0.05)
    assert estimate.interval is not None
    assert estimate.interval.low == 0
    assert estimate.interval.high == pytest.approx(0.113, abs=0.005)


def test_more_labels_make_the_interval_narrower() -> None:
    """As far as the sample allows; more calls alone do not help where labels are few."""

    def width(calls: int, labels: int) -> float:
        errors = ErrorRates(labels, labels * 9 // 10, labels, labels * 9 // 10)
        interval = estimate_rate(SampleCounts.unweighted(calls * 3 // 10, calls), errors).interval
        assert interval is not None
        return interval.high - interval.low

    assert width(1000, 1000) < 0.6 * width(1000, 100)
    assert width(100_000, 100) > 0.85 * width(1000, 100)


def test_a_check_that_finds_what_it_is_written_to_find_needs_no_correction() -> None:
    """Its raw share is right; the interval is of the sampling alone."""
    estimate = estimate_rate(SampleCounts.unweighted(50, 500), None)
    assert (estimate.raw, estimate.corrected) == (0.1, 0.1)
    assert estimate.interval is not None
    assert (estimate.interval.low, estimate.interval.high) == pytest.approx((0.0765, 0.1292), abs=1e-3)


@pytest.mark.parametrize(
    ("errors", "words"),
    [
        (ErrorRates(9, 9, 100, 100), "too few labels: 9 violations and 100 others, at least 10 each"),
        (ErrorRates(100, 100, 0, 0), "too few labels"),
        (ErrorRates(100, 50, 100, 50), "better than chance"),
        (ErrorRates(20, 12, 20, 12), "better than chance"),
        (ErrorRates(100, 10, 100, 10), "better than chance"),
    ],
)
def test_what_the_labels_do_not_support_is_not_estimated(errors: ErrorRates, words: str) -> None:
    """A reason stands in place of a number; the raw share is still there."""
    estimate = estimate_rate(SampleCounts.unweighted(30, 100), errors)
    assert (estimate.raw, estimate.corrected, estimate.interval) == (0.3, None, None)
    assert words in str(estimate.problem)


def test_calls_that_contradict_the_calibration_are_not_corrected() -> None:
    """A judge that calls half of the sound answers violations cannot call none of 200 calls one."""
    errors = ErrorRates(violations=100, found=90, others=100, cleared=50)
    assert "contradict" in str(estimate_rate(SampleCounts.unweighted(0, 200), errors).problem)
    assert "contradict" in str(estimate_rate(SampleCounts.unweighted(200, 200), ErrorRates(50, 25, 50, 50)).problem)
    assert estimate_rate(SampleCounts.unweighted(95, 200), errors).corrected == 0


def test_a_judge_worse_than_chance_explains_nothing() -> None:
    """Labels ruled it out: none of 20 calls is not taken for violations of which a reversed judge finds none."""
    interval = estimate_rate(SampleCounts.unweighted(4, 20), ErrorRates(10, 8, 109, 54)).interval
    assert interval is not None
    assert interval.low == 0
    assert interval.high < 0.5


def test_without_calls_there_is_no_rate() -> None:
    """Neither a raw one nor a corrected one."""
    estimate = estimate_rate(SampleCounts({}, {}), GOOD_JUDGE)
    assert (estimate.raw, estimate.corrected, estimate.problem) == (None, None, "no call was decided")


@given(error_rates(), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_raw_share_never_gives_a_smaller_rate(errors: ErrorRates, one: float, other: float) -> None:
    """And every rate is a share."""
    low, high = sorted((one, other))
    assert 0 <= correct_share(low, errors) <= correct_share(high, errors) <= 1


@given(st.floats(0, 1), st.integers(1, 1000), st.integers(1, 1000))
def test_of_a_perfect_judge_the_rate_is_the_raw_share(raw: float, violations: int, others: int) -> None:
    """Whatever the number of labels that it was right on."""
    assert correct_share(raw, ErrorRates(violations, violations, others, others)) == raw


@settings(max_examples=40, deadline=None)
@given(samples(), good_error_rates())
def test_the_interval_holds_the_rate_and_nothing_beyond_0_and_1(sample: SampleCounts, errors: ErrorRates) -> None:
    """Wherever there is one."""
    estimate = estimate_rate(sample, errors)
    assume(estimate.interval is not None)
    assert estimate.interval is not None
    assert estimate.corrected is not None
    assert 0 <= estimate.interval.low <= estimate.corrected <= estimate.interval.high <= 1


@settings(max_examples=40, deadline=None)
@given(st.integers(20, 2000), good_error_rates(), st.floats(0.1, 0.8), st.floats(0.1, 0.8))
def test_more_violations_never_move_the_interval_down(calls: int, errors: ErrorRates, one: float, other: float) -> None:
    """Neither of its ends, up to the precision they are found with."""
    fewer, more = sorted((round(one * calls), round(other * calls)))
    low, high = (estimate_rate(SampleCounts.unweighted(count, calls), errors).interval for count in (fewer, more))
    assume(low is not None)
    assume(high is not None)
    assert low is not None
    assert high is not None
    assert high.low >= low.low - 1e-5
    assert high.high >= low.high - 1e-5


CALLS = st.lists(st.tuples(st.sampled_from([0.05, 0.1, 0.5, 1.0]), st.booleans()), min_size=1, max_size=200)


@given(CALLS, st.randoms())
def test_the_order_of_calls_is_of_no_matter(calls: list[tuple[float, bool]], shuffler: random.Random) -> None:
    """To the last digit."""
    other = calls[:]
    shuffler.shuffle(other)
    one, two = SampleCounts.of(calls), SampleCounts.of(other)
    assert (one.share, one.effective_calls) == (two.share, two.effective_calls)


@given(st.sampled_from([0.03, 0.1, 1.0]), st.lists(st.booleans(), min_size=1))
def test_equal_weights_are_no_weights(probability: float, violations: list[bool]) -> None:
    """Whatever the probability, the same for all calls."""
    weighted = SampleCounts.of((probability, each) for each in violations)
    plain = SampleCounts.unweighted(sum(violations), len(violations))
    assert (weighted.share, weighted.effective_calls) == (plain.share, plain.effective_calls)


def test_calls_that_were_chosen_less_often_count_for_more() -> None:
    """Of 1,000 calls with a trigger, all judged, 100 violate; of 9,000 without one, every tenth judged, 9 of 900 do."""
    sample = SampleCounts({1.0: 1000, 0.1: 900}, {1.0: 100, 0.1: 9})
    assert sample.share == pytest.approx((100 + 90) / 10_000)
    assert sample.effective_calls < 1900


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    """A small form of the benchmark: 300 simulations, in which the naive interval hardly ever holds it."""
    coverage = simulate(Case("", (Stratum(1000, 1.0, 0.05),), 0.9, 0.9, 50, 100), 300)
    assert 92 <= coverage.corrected <= 98.5
    assert coverage.naive < 5


def test_the_interval_that_it_is_compared_with_is_the_published_one() -> None:
    """Values of `asht::prevSeSp` for 70 of 500 calls, and of 100 labels each, are of its formula."""
    interval = lang_reiczigel(SampleCounts.unweighted(70, 500), GOOD_JUDGE)
    assert (interval.low, interval.high) == pytest.approx((0.0, 0.1226), abs=5e-3)
