"""Agreement of reviewers who ruled on the same tasks: Cohen's kappa and Krippendorff's alpha, with intervals.

Cohen, A coefficient of agreement for nominal scales, 1960 (two reviewers); Krippendorff, Content analysis, 2004 (any
number, with rulings missing). Intervals are percentiles of a bootstrap over tasks.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from random import Random
from typing import Any

from specspan.errors import MissingDependency, Problem
from specspan.review.review_task import RuledTask

CANNOT_SAY = "cannot_say"
"""Ruling without an outcome, which counts as one of its own."""
_DRAWS = 500
_LEAST_TASKS = 2
Table = Sequence[Mapping[str, str]]
"""For each task, what each reviewer ruled."""


@dataclass(frozen=True, slots=True)
class Coefficient:
    """Coefficient of agreement: 1 for perfect, 0 for what chance would give."""

    value: float | None
    """None where it is not defined: too few tasks, or one and the same ruling everywhere."""
    low: float | None = None
    """Lower end of the 95% interval."""
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement about one clause, or about all."""

    clause: str | None
    """None for all clauses together."""
    tasks: int
    """Tasks that two or more reviewers ruled on."""
    alpha: Coefficient
    """Krippendorff's alpha of all reviewers."""
    kappas: Mapping[tuple[str, str], Coefficient]
    """Cohen's kappa of each two reviewers, on the tasks that both ruled on."""
    by_reviewer: Mapping[str, tuple[int, int]]
    """By reviewer, the number of their rulings that are the outcome of the task, and of all their rulings."""


def measure_agreement(tasks: Iterable[RuledTask], seed: int = 0) -> list[Agreement]:
    """Return the agreement of reviewers, of all clauses first and then of each.

    Raises:
        MissingDependency: the extra ``review`` is not installed.
    """
    by_clause: dict[str | None, list[RuledTask]] = defaultdict(list)
    for task in tasks:
        by_clause[None].append(task)
        by_clause[task.task.clause].append(task)
    return [
        _measure(clause, found, seed) for clause, found in sorted(by_clause.items(), key=lambda item: item[0] or "")
    ]


def cohen_kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Return Cohen's kappa of what two reviewers ruled; None where chance alone would let them agree always."""
    if len(pairs) < _LEAST_TASKS:
        return None
    first, second = Counter(one for one, _ in pairs), Counter(other for _, other in pairs)
    observed = sum(one == other for one, other in pairs) / len(pairs)
    expected = sum(first[word] * second[word] for word in first) / len(pairs) ** 2
    return None if expected == 1 else (observed - expected) / (1 - expected)


def krippendorff_alpha(table: Table) -> float | None:
    """Return Krippendorff's alpha for nominal rulings; None where it is not defined.

    Raises:
        MissingDependency: the extra ``review`` is not installed.
    """
    try:
        import krippendorff
    except ImportError as error:
        problem = Problem("krippendorff is not installed", "Run: pip install 'specspan[review]'")
        raise MissingDependency("agreement of reviewers", problem) from error
    words = sorted({word for rulings in table for word in rulings.values()})
    counts: list[list[int]] = [[list(rulings.values()).count(word) for word in words] for rulings in table]
    paired = [row for row in counts if sum(row) > 1]
    if len(paired) < _LEAST_TASKS or sum(any(column) for column in zip(*paired, strict=True)) < 2:
        return None
    return float(krippendorff.alpha(value_counts=paired, level_of_measurement="nominal"))


def _measure(clause: str | None, tasks: Sequence[RuledTask], seed: int) -> Agreement:
    table = [{each.reviewer: each.outcome or CANNOT_SAY for each in task.rulings} for task in tasks]
    shared = [rulings for rulings in table if len(rulings) > 1]
    reviewers = sorted({name for rulings in table for name in rulings})
    kappas = {}
    for one, other in combinations(reviewers, 2):
        pairs = [(rulings[one], rulings[other]) for rulings in shared if one in rulings and other in rulings]
        if pairs:
            kappas[one, other] = _with_interval(pairs, cohen_kappa, seed)
    own = {name: [0, 0] for name in reviewers}
    for task in tasks:
        for ruling in task.rulings:
            own[ruling.reviewer][0] += ruling.outcome == task.task.ruled_outcome
            own[ruling.reviewer][1] += 1
    return Agreement(
        clause=clause,
        tasks=len(shared),
        alpha=_with_interval(shared, krippendorff_alpha, seed),
        kappas=kappas,
        by_reviewer={name: (same, total) for name, (same, total) in own.items()},
    )


def _with_interval(sample: Sequence[Any], measure: Callable[[Sequence[Any]], float | None], seed: int) -> Coefficient:
    """Return a coefficient with the 2.5 and 97.5 percentiles of what as many tasks, drawn from these, give."""
    value = measure(sample)
    if value is None:
        return Coefficient(None)
    draw = Random(seed)  # noqa: S311 - no secret; of its own, so that the application's numbers stay
    drawn = (measure([draw.choice(sample) for _ in sample]) for _ in range(_DRAWS))
    found = sorted(each for each in drawn if each is not None)
    low, high = found[math.floor(0.025 * (len(found) - 1))], found[math.ceil(0.975 * (len(found) - 1))]
    return Coefficient(value, low, high)
