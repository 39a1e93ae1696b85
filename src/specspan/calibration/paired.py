"""Comparison of two decisions about the same calls: McNemar's test, and an interval of the difference, both exact."""

from __future__ import annotations

from dataclasses import dataclass

from specspan.calibration.binomial import Interval, cumulative_probability, exact_interval


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """Difference of two shares among the same calls."""

    compared: int
    """Number of calls that both decisions are about."""
    gained: int
    """Number of calls that have the property after and not before."""
    lost: int
    """Number of calls that have it before and not after."""
    difference: float
    """Share after less share before; 0 without calls."""
    interval: Interval
    """Interval of the difference at 95 %, from -1 to 1."""
    p_value: float
    """Probability of a split of the calls that changed at least as uneven, were both directions as likely."""


def compare_pairs(compared: int, gained: int, lost: int, confidence: float = 0.95) -> PairedDifference:
    """Return the difference of two shares of paired calls.

    The test is McNemar's (1947) in its exact form: of the calls that changed, each direction is as likely as the other
    (a sign test). The interval is conditional on the number of calls that changed: that of Clopper and Pearson for the
    share that gained among them, carried over to the difference.
    """
    changed = gained + lost
    if not compared:
        return PairedDifference(0, 0, 0, 0.0, Interval(-1.0, 1.0), 1.0)
    within = exact_interval(gained, changed, confidence)
    scale = changed / compared
    if changed:
        interval = Interval(scale * (2 * within.low - 1), scale * (2 * within.high - 1))
    else:  # nothing changed: the share that could is bounded all the same
        bound = exact_interval(0, compared, confidence).high
        interval = Interval(-bound, bound)
    tail = cumulative_probability(min(gained, lost), changed, 0.5) if changed else 1.0
    return PairedDifference(compared, gained, lost, (gained - lost) / compared, interval, min(1.0, 2 * tail))
