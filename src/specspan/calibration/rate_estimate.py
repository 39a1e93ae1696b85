"""Estimate of a share of violations from what a fallible judge found, corrected for its errors and for sampling.

The estimate is that of Rogan and Gladen (1978), on which Lee et al., "How to Correctly Report LLM-as-a-Judge
Evaluations" (2025, arXiv 2511.21140), build: (raw + specificity - 1) / (sensitivity + specificity - 1), clipped to
[0, 1]. Their interval, after Lang and Reiczigel (2014), adds the variances of the three shares; it covers too often
where the estimate is near 0 or labels are few. The one here is of the profile likelihood of all three counts, each with
half a success and half a failure more (Jeffreys), and takes its critical value by Feldman and Cousins (1998), who make
an interval cover as often as it says near the bounds of what is possible. `docs/rates.md` has the coverage of each.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from specspan.calibration.binomial import Interval
from specspan.calibration.critical_value import MOST, critical_value
from specspan.calibration.error_rates import ErrorRates
from specspan.calibration.profile_likelihood import Count, ProfileLikelihood
from specspan.calibration.roots import find_root
from specspan.calibration.sample_counts import SampleCounts

MIN_LABELS = 10
"""Labels of either kind, violations and others, below which no rate is corrected."""
_Z = 1.959963984540054
_HALF = 0.5
_PERFECT = Count(1e9, 1e9)
"""Count of a check that finds what it is written to find."""
_PRECISION = 1e-7
MAX_MISFIT = 10.827566170662733
"""Misfit that one calibration in a thousand exceeds by chance where no call, or every call, is a violation."""


@dataclass(frozen=True, slots=True)
class RateEstimate:
    """Share of calls that violate a clause."""

    raw: float | None
    """Share that the judge found, weighted by how likely each call was chosen; None without calls."""
    corrected: float | None = None
    """Share without the judge's errors; None where it cannot be estimated."""
    interval: Interval | None = None
    """95 % interval of the corrected share, which includes the uncertainty of the calibration."""
    problem: str | None = None
    """Why it cannot be estimated, in words."""


def estimate_rate(sample: SampleCounts, errors: ErrorRates | None) -> RateEstimate:
    """Return the share of violations among the calls that a sample stands for.

    Args:
        sample: calls that the check decided.
        errors: agreement of a judge with labels; None for a check that finds what it is written to find, of which the
            raw share is right and only the sampling is uncertain.
    """
    raw = sample.share
    if raw is None:
        return RateEstimate(None, problem="no call was decided")
    if errors is None:
        effective = sample.effective_calls
        likelihood = ProfileLikelihood(_with_half(raw * effective, effective), _PERFECT, _PERFECT)
        return RateEstimate(raw, raw, _interval(likelihood, raw))
    problem = calibration_problem(errors)
    if problem is not None:
        return RateEstimate(raw, problem=problem)
    corrected, likelihood = correct_share(raw, errors), likelihood_of(sample, errors)
    if likelihood.misfit > MAX_MISFIT:
        return RateEstimate(raw, problem="the calls contradict the calibration: no share of violations explains both")
    return RateEstimate(raw, corrected, _interval(likelihood, corrected))


def likelihood_of(sample: SampleCounts, errors: ErrorRates) -> ProfileLikelihood:
    """Return the likelihood of the share of violations, of which the interval is made."""
    effective = sample.effective_calls
    return ProfileLikelihood(
        _with_half((sample.share or 0.0) * effective, effective),
        _with_half(errors.found, errors.violations),
        _with_half(errors.cleared, errors.others),
    )


class Outside:
    """Function that tells by how much a share is outside of the 95 % interval; 0 at its ends, negative inside."""

    def __init__(self, likelihood: ProfileLikelihood) -> None:
        self._likelihood = likelihood
        self._best = likelihood.fit(likelihood.likeliest).log_likelihood

    def __call__(self, share: float) -> float:
        """Return the deviance of a share beyond the critical value."""
        fit = self._likelihood.fit(share)
        error = fit.standard_error
        if math.isinf(error):  # only a judge worse than chance would fit, which the labels rule out
            return MOST + max(0.0, 2 * (self._best - fit.log_likelihood))
        room = (share / error, (1 - share) / error) if error else (math.inf, math.inf)
        return 2 * (self._best - fit.log_likelihood) - critical_value(*room)


def correct_share(raw: float, errors: ErrorRates) -> float:
    """Return a raw share without the errors that a judge makes as often as on the labels; clipped to [0, 1].

    Raises:
        ValueError: the judge is no better than chance on the labels, or they lack violations or others.
    """
    sensitivity, specificity = errors.sensitivity, errors.specificity
    if sensitivity is None or specificity is None or sensitivity + specificity <= 1:
        raise ValueError(f"{errors!r} does not say how a raw share is to be corrected")
    false_alarms = 1 - specificity
    return min(1.0, max(0.0, (raw - false_alarms) / (sensitivity - false_alarms)))


def calibration_problem(errors: ErrorRates) -> str | None:
    """Return why no share can be corrected by a calibration, in words; None where one can."""
    if min(errors.violations, errors.others) < MIN_LABELS:
        return f"too few labels: {errors.violations} violations and {errors.others} others, at least {MIN_LABELS} each"
    sensitivity, specificity = _with_half(errors.found, errors.violations), _with_half(errors.cleared, errors.others)
    variance = sum(each.share * (1 - each.share) / each.trials for each in (sensitivity, specificity))
    if sensitivity.share + specificity.share - 1 <= _Z * math.sqrt(variance):
        return "the labels do not show that the judge is better than chance"
    return None


def _with_half(successes: float, trials: float) -> Count:
    return Count(successes + _HALF, trials + 2 * _HALF)


def _interval(likelihood: ProfileLikelihood, estimate: float) -> Interval:
    outside, likeliest = Outside(likelihood), likelihood.likeliest
    low = 0.0 if likeliest <= 0 or outside(0.0) <= 0 else find_root(outside, 0.0, likeliest, _PRECISION)
    high = 1.0 if likeliest >= 1 or outside(1.0) <= 0 else find_root(outside, likeliest, 1.0, _PRECISION)
    return Interval(min(low, estimate), max(high, estimate))
