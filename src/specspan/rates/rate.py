"""Rate of violations of one clause by one check: as counted, and corrected by a calibration."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from specspan.calibration.calibration_file import Calibration, JudgeCalibration
from specspan.calibration.rate_estimate import RateEstimate, estimate_rate
from specspan.calibration.sample_counts import SampleCounts
from specspan.decision import Outcome
from specspan.rates.check_counts import CheckCounts


@dataclass(frozen=True, slots=True)
class Rate:
    """Share of calls that violate a clause, as one check finds it."""

    counts: CheckCounts
    estimate: RateEstimate
    calibration: JudgeCalibration | None = None
    """Calibration that the correction is made by; None for a check that needs none, or has none."""
    calibration_problem: str | None = None
    """Why the check has no calibration, in words."""

    @property
    def sample(self) -> SampleCounts:
        """Return the calls that the check decided."""
        return self.counts.sample

    @property
    def problem(self) -> str | None:
        """Return why there is no corrected share, in words; None where there is one."""
        return self.calibration_problem or self.estimate.problem


def find_rates(counts: Iterable[CheckCounts], calibrations: Sequence[Calibration]) -> list[Rate]:
    """Return the rate of every check; the last calibration that knows a judge is the one that counts for it."""
    return [_find_rate(each, calibrations) for each in counts]


def _find_rate(counts: CheckCounts, calibrations: Sequence[Calibration]) -> Rate:
    check, sample = counts.check, counts.sample
    if not check.is_fallible:
        return Rate(counts, estimate_rate(sample, None))
    for calibration in reversed(calibrations):
        found = calibration.find(check.clause, check.version)
        if found is not None:
            return Rate(counts, estimate_rate(sample, found.errors), found)
    problems = [calibration.problem(check.clause, check.version) for calibration in reversed(calibrations)]
    stale = next((problem for problem in problems if problem and "stale" in problem), None)
    return Rate(counts, RateEstimate(sample.share), None, stale or "not calibrated")


def rate_json(rate: Rate) -> dict[str, Any]:
    """Return a rate as JSON values; every share stands beside its denominator."""
    counts, estimate, check = rate.counts, rate.estimate, rate.counts.check
    sample = rate.sample
    return {
        "group": check.group,
        "clause": check.clause,
        "check": {"name": check.name, "kind": check.kind, "version": check.version},
        "calls": {
            "decided": sample.calls,
            "violated": sample.violations,
            "stand_for": round(sum(count / share for share, count in sample.decided.items())),
            "outcomes": {outcome: count for outcome, count in sorted(counts.outcomes.items()) if count},
            "unassessed": dict(sorted(counts.reasons.items())),
        },
        "raw": None if estimate.raw is None else {"share": estimate.raw, "of": sample.calls},
        "corrected": _corrected_json(estimate),
        "problem": rate.problem,
        "calibration": None if rate.calibration is None else _calibration_json(rate.calibration),
    }


def undecided(counts: CheckCounts) -> int:
    """Return the number of calls that the check looked at, or is to look at, and did not decide."""
    return sum(counts.outcomes[outcome] for outcome in (Outcome.UNCERTAIN, Outcome.ERROR, Outcome.PENDING))


def _corrected_json(estimate: RateEstimate) -> dict[str, Any] | None:
    if estimate.corrected is None or estimate.interval is None:
        return None
    return {
        "share": estimate.corrected,
        "low": estimate.interval.low,
        "high": estimate.interval.high,
        "confidence": 0.95,
    }


def _calibration_json(calibration: JudgeCalibration) -> dict[str, Any]:
    errors = calibration.errors
    return {
        "sensitivity": {"share": errors.sensitivity, "agreed": errors.found, "of": errors.violations},
        "specificity": {"share": errors.specificity, "agreed": errors.cleared, "of": errors.others},
    }
