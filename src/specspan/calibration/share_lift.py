"""Intervals of a share of many trials, and of the ratio of two shares, in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from specspan.calibration.binomial import Interval, exact_interval

_Z = 1.959963984540054
"""Quantile of the normal distribution for an interval at 95 %."""
_FEW = 200
"""Number of successes or failures below which the exact interval is taken: the closed form is too short for few."""


def share_interval(successes: int, trials: int) -> Interval:
    """Return an interval of a share at 95 %: Clopper and Pearson's where there are few, else Wilson's score interval.

    Source: Brown, Cai and DasGupta, Interval Estimation for a Binomial Proportion, 2001.
    """
    if min(successes, trials - successes) < _FEW:
        rare = min(successes, trials - successes)
        interval = exact_interval(rare, trials)
        return interval if rare == successes else Interval(1 - interval.high, 1 - interval.low)
    share, factor = successes / trials, _Z**2 / trials
    centre = (share + factor / 2) / (1 + factor)
    half = _Z * math.sqrt(share * (1 - share) / trials + factor / (4 * trials)) / (1 + factor)
    return Interval(centre - half, centre + half)


def share_record(successes: int, trials: int, name: str) -> dict[str, Any]:
    """Return a share as JSON has it: with what was counted under ``name``, its denominator, and its interval at 95 %.

    Without trials there is a denominator of 0, and no share.
    """
    if not trials:
        return {name: successes, "of": 0, "share": None, "interval": None}
    interval = share_interval(successes, trials)
    return {name: successes, "of": trials, "share": successes / trials, "interval": [interval.low, interval.high]}


@dataclass(frozen=True, slots=True)
class Lift:
    """Ratio of two shares: how many times as often something happens with a property as without it."""

    ratio: float
    low: float
    """Lower end of its interval at 95 %."""
    high: float


def lift(with_hits: int, with_trials: int, without_hits: int, without_trials: int) -> Lift:
    """Return the ratio of the share with a property to that without it, with Katz's logarithmic interval.

    Half a hit is added to each side, so that there is a ratio where one side has none. Source: Pettigrew, Gart and
    Thomas, The bias and higher cumulants of the logarithm of a binomial variate, 1986.

    Raises:
        ValueError: one side has no trials.
    """
    if not with_trials or not without_trials:
        raise ValueError("a lift compares two groups, and one of them is empty")
    with_hits_, without_hits_ = with_hits + 0.5, without_hits + 0.5
    with_all, without_all = with_trials + 0.5, without_trials + 0.5
    ratio = (with_hits_ / with_all) / (without_hits_ / without_all)
    variance = 1 / with_hits_ - 1 / with_all + 1 / without_hits_ - 1 / without_all
    spread = math.exp(_Z * math.sqrt(max(variance, 0.0)))
    return Lift(ratio, ratio / spread, ratio * spread)
