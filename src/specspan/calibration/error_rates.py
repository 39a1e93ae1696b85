"""Agreement of a judge with labels: sensitivity and specificity, with the uncertainty of both."""

from __future__ import annotations

from dataclasses import dataclass

from specspan.calibration.binomial import Interval, exact_interval, lower_bound


@dataclass(frozen=True, slots=True)
class ErrorRates:
    """Counts of labelled answers that a judge decided."""

    violations: int
    """Answers that were labelled as violations."""
    found: int
    """Violations that the judge called so."""
    others: int
    """Answers that were labelled as no violation."""
    cleared: int
    """Answers without a violation of which the judge said the same."""

    @property
    def sensitivity(self) -> float | None:
        """Return the share of violations that the judge finds; None without any."""
        return self.found / self.violations if self.violations else None

    @property
    def specificity(self) -> float | None:
        """Return the share of other answers that the judge clears; None without any."""
        return self.cleared / self.others if self.others else None

    @property
    def sensitivity_interval(self) -> Interval:
        """Return the exact 95 % interval of the sensitivity."""
        return exact_interval(self.found, self.violations)

    @property
    def specificity_interval(self) -> Interval:
        """Return the exact 95 % interval of the specificity."""
        return exact_interval(self.cleared, self.others)

    def shows_specificity(self, least: float) -> bool:
        """Return whether the labels show, with 95 % confidence, that the specificity is at least ``least``."""
        return lower_bound(self.cleared, self.others, 0.95) >= least
