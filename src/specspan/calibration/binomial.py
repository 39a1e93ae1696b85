"""Exact binomial distribution: its lower tail, and intervals of a share."""

from __future__ import annotations

import math
from dataclasses import dataclass

_STEPS = 60
"""Halvings of an interval of length 1: what is left is below the precision of a float."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Interval of a share; both ends belong to it."""

    low: float
    high: float


def cumulative_probability(successes: int, trials: int, share: float) -> float:
    """Return the probability of at most ``successes`` among ``trials`` that each succeed with probability ``share``."""
    if successes < 0:
        return 0.0
    if successes >= trials or share <= 0:
        return 1.0
    if share >= 1:
        return 0.0
    if successes > trials // 2:  # the other tail has fewer terms: of few failures among millions, a handful
        return max(0.0, 1.0 - cumulative_probability(trials - successes - 1, trials, 1 - share))
    log_share, log_rest = math.log(share), math.log1p(-share)
    terms = (
        math.exp(_log_choose(trials, count) + count * log_share + (trials - count) * log_rest)
        for count in range(successes + 1)
    )
    return min(1.0, math.fsum(terms))


def exact_interval(successes: int, trials: int, confidence: float = 0.95) -> Interval:
    """Return the interval of Clopper and Pearson (1934), which covers the share at least as often as it says.

    Without trials, it is everything from 0 to 1.
    """
    tail = (1 - confidence) / 2
    return Interval(lower_bound(successes, trials, 1 - tail), 1 - lower_bound(trials - successes, trials, 1 - tail))


def lower_bound(successes: int, trials: int, confidence: float) -> float:
    """Return the share that the true one is below with at most the probability that ``confidence`` leaves.

    It is the lower end of a one-sided interval of Clopper and Pearson.
    """
    if successes <= 0:
        return 0.0
    low, high = 0.0, 1.0
    for _ in range(_STEPS):
        share = (low + high) / 2
        if 1 - cumulative_probability(successes - 1, trials, share) < 1 - confidence:
            low = share
        else:
            high = share
    return low


def _log_choose(trials: int, count: int) -> float:
    return math.lgamma(trials + 1) - math.lgamma(count + 1) - math.lgamma(trials - count + 1)
