"""Measures of a gate: a count, or a share with its denominator. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from specspan.calibration.binomial import Interval, exact_interval


@dataclass(frozen=True, slots=True)
class Measure:
    """Number of cases of one kind, or their share."""

    count: int
    of: int | None = None
    """Number of cases that it is of; None for a count that is compared as such."""
    examples: tuple[str, ...] = ()
    """Names of the first cases that count."""

    @property
    def value(self) -> float | None:
        """Return the count, or the share; None for a share of nothing."""
        if self.of is None:
            return float(self.count)
        return self.count / self.of if self.of else None

    @property
    def interval(self) -> Interval | None:
        """Return the exact 95 % interval of a share; None for a count."""
        return exact_interval(self.count, self.of) if self.of else None

    def end(self, name: str | None) -> float | None:
        """Return the value, or an end of the interval: ``low`` or ``high``."""
        if name is None:
            return self.value
        interval = self.interval
        return None if interval is None else float(getattr(interval, name))

    def words(self) -> str:
        """Return the measure in words, a share with its denominator."""
        if self.of is None:
            return str(self.count)
        value = self.value
        return "not measured: of 0" if value is None else f"{100 * value:.4g}% ({self.count} of {self.of})"


@dataclass(frozen=True, slots=True)
class Match:
    """Expected and decided outcome of one clause of one case."""

    case: str
    clause: str
    is_bad: bool
    """True where the clause is expected to be violated."""
    decided: bool | None
    """True where it is violated; None where nobody can say."""
    is_acted_on: bool = False
    """True where the call is stopped or changed, in the mode of the policy."""


def measure_matches(name: str, matches: Iterable[Match], clause: str | None) -> Measure:
    """Return a measure of matches: of one clause, or of all.

    What nobody can say is not caught, and not clear either: it counts against recall and agreement.
    """
    about = [each for each in matches if clause is None or each.clause == clause]
    bad, good = [each for each in about if each.is_bad], [each for each in about if not each.is_bad]
    violated = [each for each in about if each.decided]
    agreed = [each for each in about if each.decided is each.is_bad]
    kinds = {
        "recall": ([each for each in bad if each.decided], bad),
        "precision": ([each for each in violated if each.is_bad], violated),
        "agreement": (agreed, about),
        "missed": ([each for each in bad if not each.decided], bad),
        "false_alarms": ([each for each in good if each.decided], good),
        "enforced": ([each for each in bad if each.is_acted_on], bad),
        "undecided": ([each for each in about if each.decided is None], about),
        "cases": (about, None),
    }
    counted, of = kinds[name]
    shown = (
        [each for each in about if each.decided is not each.is_bad]
        if name in ("recall", "agreement", "enforced")
        else counted
    )
    names = tuple(dict.fromkeys(each.case for each in shown))[:5]
    return Measure(len(counted), None if of is None else len(of), names)
