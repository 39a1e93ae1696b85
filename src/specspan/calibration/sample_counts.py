"""Counts of calls that were chosen for a check with known probabilities, each standing for those that were not chosen.

Horvitz and Thompson (1952) weigh each call by the inverse of the probability that it was chosen with; divided by the
sum of the weights (Hájek 1971) that is a share, which stays right where the probability changed over time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SampleCounts:
    """Numbers of calls that a check decided, by the probability with which they were chosen for it."""

    decided: Mapping[float, int]
    """By probability, above 0 and at most 1, the number of calls."""
    violated: Mapping[float, int]
    """By probability, the number of those that the check called violations."""

    @classmethod
    def of(cls, calls: Iterable[tuple[float, bool]]) -> SampleCounts:
        """Return the counts of calls, each a probability and whether it is a violation."""
        decided: Counter[float] = Counter()
        violated: Counter[float] = Counter()
        for probability, is_violation in calls:
            decided[probability] += 1
            violated[probability] += is_violation
        return cls(decided, violated)

    @classmethod
    def unweighted(cls, violated: int, decided: int) -> SampleCounts:
        """Return the counts of calls of which every one was chosen."""
        return cls({1.0: decided}, {1.0: violated})

    @property
    def calls(self) -> int:
        """Return the number of calls that were decided."""
        return sum(self.decided.values())

    @property
    def violations(self) -> int:
        """Return the number of calls that the check called violations."""
        return sum(self.violated.values())

    @property
    def share(self) -> float | None:
        """Return the weighted share of violations; None without calls."""
        if len(self.decided) == 1:
            return self.violations / self.calls
        total = sum(count / probability for probability, count in sorted(self.decided.items()))
        found = sum(count / probability for probability, count in sorted(self.violated.items()))
        return min(1.0, found / total) if total else None

    @property
    def effective_calls(self) -> float:
        """Return the number of calls of equal weight that would show the share as precisely.

        It is the smaller of two approximations: that of Kish (1965), which looks at the weights alone, and that of the
        share's linearised variance, which also sees that violations may weigh more than other calls. Either may be too
        large where a few calls weigh far more than the rest.
        """
        share = self.share
        if share is None:
            return 0.0
        if len(self.decided) == 1:
            return float(self.calls)
        total = squares = variance = 0.0
        for probability, count in sorted(self.decided.items()):
            weight = 1 / probability
            found = self.violated.get(probability, 0)
            total += count * weight
            squares += count * weight**2
            variance += weight**2 * (found * (1 - share) ** 2 + (count - found) * share**2)
        kish = total**2 / squares
        return kish if not variance else min(kish, share * (1 - share) * total**2 / variance)
