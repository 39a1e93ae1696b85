"""Coverage of the interval of a corrected rate: how often, of simulated calibrations and samples, it holds the truth.

``python -m benchmarks.coverage`` prints a table, ``--write docs/rates.md`` puts it into the page. Beside it stand the
interval of the raw share, which takes the judge at its word, and that of Lang and Reiczigel (2014), which Lee et al.
(2025) use.
"""

from __future__ import annotations

import argparse
import bisect
import itertools
import math
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from specspan.calibration.binomial import Interval
from specspan.calibration.error_rates import ErrorRates
from specspan.calibration.rate_estimate import MAX_MISFIT, Outside, calibration_problem, estimate_rate, likelihood_of
from specspan.calibration.sample_counts import SampleCounts

SIMULATIONS = 2000
_Z = 1.959963984540054
_BEGIN, _END = "<!-- table of benchmarks.coverage -->\n", "<!-- end of the table of benchmarks.coverage -->\n"
_INTERVALS = 40
"""Simulations of a row whose interval is worked out; of the others it is asked whether the truth is inside."""
_CALLS = 1000
_RATES = (0.01, 0.05, 0.2, 0.5)
_JUDGES = ((0.9, 0.9), (0.8, 0.95), (0.95, 0.99))
_LABELS = ((25, 25), (50, 100), (200, 500))


@dataclass(frozen=True, slots=True)
class Stratum:
    """Calls of which a judge sees a share."""

    calls: int
    """Number that it sees."""
    probability: float
    """Probability with which each is chosen."""
    rate: float
    """Share of violations among them."""


@dataclass(frozen=True, slots=True)
class Case:
    """Row of the table."""

    name: str
    strata: tuple[Stratum, ...]
    sensitivity: float
    specificity: float
    violations: int
    """Labelled violations."""
    others: int
    """Labelled answers without a violation."""

    @property
    def rate(self) -> float:
        """Return the true share of violations among all calls, seen and not seen."""
        stands_for = [each.calls / each.probability for each in self.strata]
        return sum(each.rate * weight for each, weight in zip(self.strata, stands_for, strict=True)) / sum(stands_for)

    def judged_share(self, stratum: Stratum) -> float:
        """Return the share that the judge calls violations."""
        return stratum.rate * self.sensitivity + (1 - stratum.rate) * (1 - self.specificity)


@dataclass(frozen=True, slots=True)
class Coverage:
    """Shares of the simulations, in percent."""

    corrected: float
    """Share in which the interval of the corrected rate holds the truth, of those with one."""
    lang_reiczigel: float
    naive: float
    width: float
    """Mean width of the interval of the corrected rate."""
    not_estimable: float


def cases() -> Iterator[Case]:
    """Yield the rows of the table: every call judged, then samples whose probability changed."""
    for rate, (sensitivity, specificity), (violations, others) in itertools.product(_RATES, _JUDGES, _LABELS):
        yield Case("", (Stratum(_CALLS, 1.0, rate),), sensitivity, specificity, violations, others)
    for rate in _RATES[:3]:
        changed = (Stratum(600, 0.2, rate), Stratum(400, 0.05, rate))
        yield Case("sample 20%, later 5%", changed, 0.9, 0.95, 50, 100)
        triggered = (Stratum(300, 1.0, min(1.0, 4 * rate)), Stratum(700, 0.1, rate / 2))
        yield Case("all with a trigger, 10% else", triggered, 0.9, 0.95, 50, 100)


def simulate(case: Case, simulations: int, seed: int = 1) -> Coverage:
    """Return the coverage of a case."""
    chance = random.Random(seed)
    draw_calls = [_Binomial(each.calls, case.judged_share(each)) for each in case.strata]
    draw_found = _Binomial(case.violations, case.sensitivity)
    draw_cleared = _Binomial(case.others, case.specificity)
    known: dict[tuple[int, ...], tuple[bool, bool, bool] | None] = {}
    widths: list[float] = []
    seen = []
    for _ in range(simulations):
        found, cleared = draw_found.draw(chance), draw_cleared.draw(chance)
        violated = [each.draw(chance) for each in draw_calls]
        key = (found, cleared, *violated)
        if key not in known:
            errors, sample = ErrorRates(case.violations, found, case.others, cleared), _sample(case, violated)
            known[key] = _compare(case, sample, errors)
            if len(widths) < _INTERVALS and (held := known[key]) is not None:
                widths.append(_width(case, sample, errors, is_inside=held[0]))
        seen.append(known[key])
    estimable = [each for each in seen if each is not None]
    corrected, compared, naive = (100 * sum(each[at] for each in estimable) / max(1, len(estimable)) for at in range(3))
    width = 100 * sum(widths) / max(1, len(widths))
    return Coverage(corrected, compared, naive, width, 100 - 100 * len(estimable) / simulations)


def lang_reiczigel(sample: SampleCounts, errors: ErrorRates) -> Interval:
    """Return the interval of Lang and Reiczigel (2014, Prev. Vet. Med. 113, 13-22), for the effective calls."""
    calls = sample.effective_calls
    raw, weight = (calls * (sample.share or 0.0) + _Z**2 / 2) / (calls + _Z**2), calls + _Z**2
    sensitivity, violations = (errors.found + 1) / (errors.violations + 2), errors.violations + 2
    specificity, others = (errors.cleared + 1) / (errors.others + 2), errors.others + 2
    gain = sensitivity + specificity - 1
    rate = (raw + specificity - 1) / gain
    of_sensitivity = sensitivity * (1 - sensitivity) / violations
    of_specificity = specificity * (1 - specificity) / others
    shift = 2 * _Z**2 * (rate * of_sensitivity - (1 - rate) * of_specificity)
    variance = raw * (1 - raw) / weight + rate**2 * of_sensitivity + (1 - rate) ** 2 * of_specificity
    half = _Z * math.sqrt(variance) / gain
    return Interval(max(0.0, rate + shift - half), min(1.0, rate + shift + half))


def wilson(sample: SampleCounts) -> Interval:
    """Return the interval of Wilson (1927) of the raw share, which takes the judge at its word."""
    calls, share = sample.effective_calls, sample.share or 0.0
    middle = (share + _Z**2 / (2 * calls)) / (1 + _Z**2 / calls)
    half = _Z / (1 + _Z**2 / calls) * math.sqrt(share * (1 - share) / calls + _Z**2 / (4 * calls**2))
    return Interval(max(0.0, middle - half), min(1.0, middle + half))


def table(simulated: Sequence[tuple[Case, Coverage]]) -> str:
    """Return the table as Markdown."""
    headings = (
        "rate",
        "sensitivity, specificity",
        "labels",
        "corrected",
        "Lang–Reiczigel",
        "naive",
        "width",
        "n. e.",
        "",
    )
    lines = [f"| {' | '.join(headings)} |", "|" + "---|" * len(headings)]
    for case, coverage in simulated:
        cells = (
            f"{100 * case.rate:.3g}%",
            f"{case.sensitivity:.0%}, {case.specificity:.0%}",
            f"{case.violations} + {case.others}",
            f"{coverage.corrected:.1f}",
            f"{coverage.lang_reiczigel:.1f}",
            f"{coverage.naive:.1f}",
            f"{coverage.width:.1f}",
            f"{coverage.not_estimable:.1f}" if coverage.not_estimable else "",
            case.name,
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def write_table(page: Path, begin: str, end: str, text: str) -> None:
    """Put a table into a page, in place of what stands between two lines."""
    head, _, rest = page.read_text(encoding="utf-8").partition(begin)
    _, _, tail = rest.partition(end)
    page.write_text(f"{head}{begin}\n{text}\n\n{end}{tail}", encoding="utf-8")


def main_command(arguments: Sequence[str] | None = None) -> None:
    """Simulate, print the table, and write it into a page where one is named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=__doc__)
    parser.add_argument("--simulations", type=int, default=SIMULATIONS, help="of each row")
    parser.add_argument("--write", type=Path, help="page whose table is replaced")
    options = parser.parse_args(arguments)
    simulated = [(case, simulate(case, options.simulations, seed)) for seed, case in enumerate(cases(), 1)]
    text = table(simulated)
    sys.stdout.write(text + "\n")
    if options.write is not None:
        write_table(options.write, _BEGIN, _END, text)


def _sample(case: Case, violated: Sequence[int]) -> SampleCounts:
    decided: Mapping[float, int] = {each.probability: each.calls for each in case.strata}
    found = {each.probability: count for each, count in zip(case.strata, violated, strict=True)}
    return SampleCounts(decided, found)


def _compare(case: Case, sample: SampleCounts, errors: ErrorRates) -> tuple[bool, bool, bool] | None:
    """Return which of the three intervals hold the true rate; None where there is none."""
    if calibration_problem(errors) is not None:
        return None
    likelihood = likelihood_of(sample, errors)
    if likelihood.misfit > MAX_MISFIT:
        return None
    is_inside = Outside(likelihood)(case.rate) <= 0
    compared, naive = lang_reiczigel(sample, errors), wilson(sample)
    return is_inside, compared.low <= case.rate <= compared.high, naive.low <= case.rate <= naive.high


def _width(case: Case, sample: SampleCounts, errors: ErrorRates, *, is_inside: bool) -> float:
    """Return the width of the interval, which must hold the true rate where `Outside` says so."""
    interval = estimate_rate(sample, errors).interval
    assert interval is not None
    assert not is_inside or interval.low - 1e-5 <= case.rate <= interval.high + 1e-5
    return interval.high - interval.low


class _Binomial:
    """Binomial distribution from which is drawn; `random` has it from Python 3.12 on."""

    def __init__(self, trials: int, share: float) -> None:
        logs = (
            math.lgamma(trials + 1)
            - math.lgamma(count + 1)
            - math.lgamma(trials - count + 1)
            + count * math.log(share)
            + (trials - count) * math.log1p(-share)
            for count in range(trials + 1)
        )
        self._cumulative = list(itertools.accumulate(map(math.exp, logs)))

    def draw(self, chance: random.Random) -> int:
        return min(bisect.bisect_left(self._cumulative, chance.random()), len(self._cumulative) - 1)


if __name__ == "__main__":
    main_command()
