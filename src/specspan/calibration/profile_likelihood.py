"""Likelihood of a share of violations, given what a judge found and how it did on labels.

Three binomial counts are seen: violations among the calls that were judged, violations that the judge found among
labelled ones, and answers it cleared among labelled ones without a violation. For a share of violations, sensitivity
and specificity are those under which the counts are likeliest: the profile likelihood.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from specspan.calibration.roots import find_root

_FLAT = 1e-10
_EDGE = 1e-12


@dataclass(frozen=True, slots=True)
class Count:
    """Successes among trials; either may be a fraction, as counts of a weighted sample are."""

    successes: float
    trials: float

    @property
    def share(self) -> float:
        """Return the share of successes."""
        return self.successes / self.trials

    def log_likelihood(self, share: float) -> float:
        """Return the logarithm of the likelihood of a share, up to a constant."""
        return _x_log_y(self.successes, share) + _x_log_y(self.trials - self.successes, 1 - share)

    def tilted_share(self, slope: float) -> float:
        """Return the share at which the log-likelihood rises by ``-slope`` for each unit of the share.

        It is the root in [0, 1] of a quadratic equation, in the form that does not cancel.
        """
        if abs(slope) < _FLAT:
            return self.share
        rest = self.trials - slope
        root = math.sqrt(max(0.0, rest * rest + 4 * slope * self.successes))
        share = 2 * self.successes / (rest + root) if rest > 0 else (root - rest) / (2 * slope)
        return min(1.0, max(0.0, share))


@dataclass(frozen=True, slots=True)
class Fit:
    """Likeliest state of the judge for one share of violations."""

    log_likelihood: float
    standard_error: float
    """Standard error of the share of violations, in this state."""


@dataclass(frozen=True, slots=True)
class ProfileLikelihood:
    """Likelihood of the share of violations."""

    judged: Count
    """Violations that the judge found among the calls."""
    sensitivity: Count
    specificity: Count

    @property
    def likeliest(self) -> float:
        """Return the share of violations that is likeliest, from 0 to 1; the judge must be better than chance."""
        gain = self.sensitivity.share + self.specificity.share - 1
        return min(1.0, max(0.0, (self.judged.share + self.specificity.share - 1) / gain))

    @property
    def misfit(self) -> float:
        """Return the deviance of the likeliest share: 0 where some share explains all three counts exactly."""
        counts = (self.judged, self.sensitivity, self.specificity)
        exact = sum(count.log_likelihood(count.share) for count in counts)
        return max(0.0, 2 * (exact - self.fit(self.likeliest).log_likelihood))

    def fit(self, share: float) -> Fit:
        """Return the likeliest state of the judge where ``share`` of the calls are violations.

        There the slope of the calls' likelihood is what the slopes of the labels' likelihoods give way to. That is
        solved for the share of calls in which the judge finds a violation.
        """
        found = find_root(lambda found: self._at(share, self._slope(found))[2] - found, _EDGE, 1 - _EDGE)
        return self._state(share, self._slope(found))

    def _slope(self, found: float) -> float:
        return self.judged.successes / found - (self.judged.trials - self.judged.successes) / (1 - found)

    def _at(self, share: float, slope: float) -> tuple[float, float, float]:
        sensitivity = self.sensitivity.tilted_share(share * slope)
        specificity = self.specificity.tilted_share(-(1 - share) * slope)
        return sensitivity, specificity, share * sensitivity + (1 - share) * (1 - specificity)

    def _state(self, share: float, slope: float) -> Fit:
        sensitivity, specificity, found = self._at(share, slope)
        log_likelihood = (
            self.judged.log_likelihood(found)
            + self.sensitivity.log_likelihood(sensitivity)
            + self.specificity.log_likelihood(specificity)
        )
        variance = (
            found * (1 - found) / self.judged.trials
            + share**2 * sensitivity * (1 - sensitivity) / self.sensitivity.trials
            + (1 - share) ** 2 * specificity * (1 - specificity) / self.specificity.trials
        )
        gain = sensitivity + specificity - 1
        return Fit(log_likelihood, math.sqrt(max(0.0, variance)) / gain if gain > 0 else math.inf)


def _x_log_y(x: float, y: float) -> float:
    if x <= 0:
        return 0.0
    return x * math.log(y) if y > 0 else -math.inf
