"""Agreement of judges whose thresholds were chosen from labels: in how many calibrations it is what was asked for.

``python -m benchmarks.agreement`` prints a table, ``--write docs/calibration.md`` puts it into the page. Judges,
answers and people are simulated, so that the true agreement beyond any thresholds is known exactly.
"""

from __future__ import annotations

import argparse
import itertools
import math
import random
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmarks.coverage import write_table
from specspan.calibration.cascade import Cascade, choose_cascade
from specspan.calibration.thresholds import Guarantee, ScoredLabel, Thresholds, choose_thresholds
from specspan.decision import Outcome

GUARANTEE = Guarantee(agreement=0.95, confidence=0.9)
SIMULATIONS = 2000
_BEGIN, _END = "<!-- table of benchmarks.agreement -->\n", "<!-- end of the table of benchmarks.agreement -->\n"
_SCORES = tuple(number / 20 for number in range(21))
_SHARE_OF_VIOLATIONS, _SHARE_OF_HARD = 0.4, 0.3
_FOCUS = {"small": (9.0, 1.5), "large": (14.0, 5.0)}
"""Focus of each judge's scores on the truth: of easy answers, and of hard ones."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Kind of answer: whether it is a violation, and what the judges say of it."""

    is_violation: bool
    small: float
    large: float


@dataclass(frozen=True, slots=True)
class Trial:
    """Judges after one calibration."""

    agreement: float | None
    """True share of verdicts that agree; None where nothing is decided."""
    decided: float
    """Share of the answers that a judge decides."""


@cache
def population() -> tuple[tuple[Answer, ...], tuple[float, ...]]:
    """Return every kind of answer, and how often it occurs."""
    shares: dict[Answer, float] = defaultdict(float)
    for is_violation, is_hard in itertools.product((True, False), (True, False)):
        share = _SHARE_OF_VIOLATIONS if is_violation else 1 - _SHARE_OF_VIOLATIONS
        share *= _SHARE_OF_HARD if is_hard else 1 - _SHARE_OF_HARD
        small, large = (_score_shares(is_violation, _FOCUS[judge][is_hard]) for judge in ("small", "large"))
        for (one, of_one), (other, of_other) in itertools.product(small, large):
            shares[Answer(is_violation, one, other)] += share * of_one * of_other
    return tuple(shares), tuple(shares.values())


def _score_shares(is_violation: bool, focus: float) -> list[tuple[float, float]]:
    weights = [math.exp(-focus * abs(score - is_violation)) for score in _SCORES]
    return [(score, weight / sum(weights)) for score, weight in zip(_SCORES, weights, strict=True)]


def try_thresholds(chance: random.Random, labels: int) -> Trial:
    """Calibrate the small judge on drawn labels, and return how it does on all answers."""
    drawn = chance.choices(*population(), k=labels)
    scored = [ScoredLabel(each.small, each.is_violation) for each in drawn]
    return _rate(Cascade({"small": choose_thresholds(scored, GUARANTEE)}))


def try_average(chance: random.Random, labels: int) -> Trial:
    """Calibrate the small judge by the average alone: the widest thresholds beyond which enough labels agree."""
    drawn = chance.choices(*population(), k=labels)
    best = Thresholds(None, None)
    for percent in range(100, 50, -1):
        violated = [each.is_violation for each in drawn if each.small >= percent / 100]
        complied = [not each.is_violation for each in drawn if each.small <= 1 - percent / 100]
        if violated and sum(violated) >= GUARANTEE.agreement * len(violated):
            best = Thresholds(percent / 100, best.complied_to)
        if complied and sum(complied) >= GUARANTEE.agreement * len(complied):
            best = Thresholds(best.violated_from, 1 - percent / 100)
    return _rate(Cascade({"small": best}))


def try_cascade(chance: random.Random, labels: int) -> Trial:
    """Calibrate both judges on drawn labels, and return how they do on all answers, one after the other."""
    drawn = chance.choices(*population(), k=labels)
    scores = {"small": [each.small for each in drawn], "large": [each.large for each in drawn]}
    return _rate(choose_cascade(scores, [each.is_violation for each in drawn], GUARANTEE))


def _rate(cascade: Cascade) -> Trial:
    decided = agreed = 0.0
    for answer, probability in zip(*population(), strict=True):
        outcome = cascade.step([answer.small, answer.large][: len(cascade.judges)]).outcome
        if outcome is not Outcome.UNCERTAIN:
            decided += probability
            agreed += probability * ((outcome is Outcome.VIOLATED) is answer.is_violation)
    return Trial(agreed / decided if decided else None, decided)


def keeps_guarantee(trial: Trial) -> bool:
    """Return whether the judges agree as often as was asked; those that decide nothing break no promise."""
    return trial.agreement is None or trial.agreement >= GUARANTEE.agreement


def table(simulations: int) -> str:
    """Return the table as Markdown."""
    headings = ("calibrated", "labels", "calibrations that keep 95%", "worst agreement", "decided, mean")
    lines = [f"| {' | '.join(headings)} |", "|" + "---|" * len(headings)]
    ways = (
        ("one judge, fixed sequence", try_thresholds),
        ("one judge, by the average", try_average),
        ("two judges, fixed sequence", try_cascade),
    )
    for (name, attempt), labels in itertools.product(ways, (200, 500, 2000)):
        trials = [attempt(random.Random(seed), labels) for seed in range(simulations)]
        agreements = [trial.agreement for trial in trials if trial.agreement is not None]
        cells = (
            name,
            str(labels),
            f"{100 * sum(map(keeps_guarantee, trials)) / simulations:.1f}%",
            f"{100 * min(agreements):.1f}%" if agreements else "",
            f"{100 * sum(trial.decided for trial in trials) / simulations:.0f}%",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main_command(arguments: Sequence[str] | None = None) -> None:
    """Simulate, print the table, and write it into a page where one is named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.agreement", description=__doc__)
    parser.add_argument("--simulations", type=int, default=SIMULATIONS, help="of each row")
    parser.add_argument("--write", type=Path, help="page whose table is replaced")
    options = parser.parse_args(arguments)
    text = table(options.simulations)
    sys.stdout.write(text + "\n")
    if options.write is not None:
        write_table(options.write, _BEGIN, _END, text)


if __name__ == "__main__":
    main_command()
