"""Choice of the scores beyond which a judge may decide, by a test on labels that it was not made from.

Jung, Brahman and Choi, "Trust or Escalate: LLM Judges with Provable Guarantees for Human Agreement" (ICLR 2025,
arXiv 2407.18370). Thresholds are tried from the strictest on. At each, the exact binomial tail says how likely so few
errors are where the share of errors is above the one allowed. The first threshold at which that is too likely ends the
trial (fixed-sequence testing), so that all the thresholds tried together err no more often than a single one would.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from specspan.calibration.binomial import cumulative_probability
from specspan.decision import Outcome

_SIDES = 2
_ROUNDING = 1e-9
_MOST, _LEAST = 100, 51
"""Confidence in percent that is tried first and last: below, the judge itself says the opposite."""


@dataclass(frozen=True, slots=True)
class ScoredLabel:
    """Answer that a judge scored and a person labelled."""

    score: float
    """The judge's probability that the clause is violated, from 0 to 1."""
    is_violation: bool


@dataclass(frozen=True, slots=True)
class Guarantee:
    """Agreement with labels that is asked of a judge where it decides."""

    agreement: float
    """Least share of its verdicts that agree with the labels, of either kind, such as 0.95."""
    confidence: float
    """Probability, over calibrations, with which the agreement is met at least, such as 0.9."""

    def __post_init__(self) -> None:
        """Refuse what no number of labels shows.

        Raises:
            ValueError: a share is not above 0 and below 1.
        """
        for name in ("agreement", "confidence"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name} is a share above 0 and below 1, not {getattr(self, name)!r}")

    def shared_by(self, judges: int) -> Guarantee:
        """Return the guarantee that each of several judges must give so that they give this one together."""
        return Guarantee(self.agreement, 1 - (1 - self.confidence) / judges)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Scores beyond which a judge decides; in between it abstains."""

    violated_from: float | None
    """Least score of a violation; None where the judge may find none."""
    complied_to: float | None
    """Largest score of an answer that complied; None where the judge may find none."""

    def outcome(self, score: float) -> Outcome:
        """Return the outcome of a score; `Outcome.UNCERTAIN` in between."""
        if self.violated_from is not None and score >= self.violated_from - _ROUNDING:
            return Outcome.VIOLATED
        if self.complied_to is not None and score <= self.complied_to + _ROUNDING:
            return Outcome.COMPLIED
        return Outcome.UNCERTAIN


ABSTAINING = Thresholds(None, None)
"""Thresholds of a judge that may decide nothing."""


def choose_thresholds(labels: Sequence[ScoredLabel], guarantee: Guarantee) -> Thresholds:
    """Return the widest thresholds that labels show to keep a guarantee.

    Violations and compliances are tested apart, each with half of the error that the confidence leaves, so that both
    agree as often as is asked. The labels must be a sample of the calls that will be judged, as the share of
    violations among them matters, and no label may have served to write the judge's prompt.
    """
    violated = _most_permissive([(each.score, each.is_violation) for each in labels], guarantee)
    complied = _most_permissive([(1 - each.score, not each.is_violation) for each in labels], guarantee)
    return Thresholds(
        None if violated is None else violated / 100,
        None if complied is None else (100 - complied) / 100,
    )


def least_labels(guarantee: Guarantee) -> int:
    """Return how many labels beyond a threshold, all in agreement, show the least that a guarantee asks."""
    return math.ceil(math.log(_error_of_side(guarantee)) / math.log(guarantee.agreement) - 1e-9)


def _error_of_side(guarantee: Guarantee) -> float:
    return (1 - guarantee.confidence) / _SIDES


def _most_permissive(labels: Sequence[tuple[float, bool]], guarantee: Guarantee) -> int | None:
    """Return the last confidence in percent, of those tried from the strictest on, before the test fails.

    Where even full agreement of the labels there would show nothing, the test has not begun. That looks at the number
    of labels alone, not at what they say.

    Args:
        labels: of each label the judge's confidence, from 0 to 1, and whether the label agrees with its verdict.
        guarantee: agreement that is tested.
    """
    in_order = sorted(labels, reverse=True)
    errors_before = [0, *accumulate(not agrees for _, agrees in in_order)]
    needed, passed, decided = least_labels(guarantee), None, 0
    for percent in range(_MOST, _LEAST - 1, -1):
        while decided < len(in_order) and in_order[decided][0] >= percent / 100 - _ROUNDING:
            decided += 1
        if decided < needed:
            continue
        if cumulative_probability(errors_before[decided], decided, 1 - guarantee.agreement) > _error_of_side(guarantee):
            break
        passed = percent
    return passed
