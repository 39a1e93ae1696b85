"""The walk: every body, each of its mutants in four runs, and the table of what came of it."""

from __future__ import annotations

import random
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from walk_bodies import MUTANT, Mutant, mutants, parts_of, unwalked
from walk_judgement import Problem, Runs, judge
from walk_runs import ABSENT, Run, ask, forbidden_word, watched
from walk_subjects import Subject

import specspan

COLUMNS = ("bodies", "alike", "mutations", "equal", "blocked", "raised", "changed", "false")


@dataclass
class Walk:
    """What came of a walk, by provider."""

    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    problems: list[tuple[str, Mutant, Problem]] = field(default_factory=list)
    failures: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def is_clean(self) -> bool:
        """Return whether nothing was raised, changed or recorded falsely."""
        return not self.problems

    def table(self) -> Iterator[str]:
        """Yield the lines of the table, as Markdown."""
        yield f"| provider | {' | '.join(COLUMNS)} |"
        yield f"|---|{'---|' * len(COLUMNS)}"
        for provider, counts in sorted(self.counts.items()):
            yield f"| {provider} | {' | '.join(f'{counts[name]:,}' for name in COLUMNS)} |"
        total = sum(self.counts.values(), Counter[str]())
        yield f"| all | {' | '.join(f'{total[name]:,}' for name in COLUMNS)} |"


def distinct(subjects: Iterable[Subject], walk: Walk) -> Iterator[Subject]:
    """Yield the first subject of each shape."""
    shapes = set()
    for subject in subjects:
        counts = walk.counts[subject.provider]
        counts["bodies"] += 1
        counts["values"] += sum(map(unwalked, subject.parts))
        if subject.shape in shapes:
            counts["alike"] += 1
        else:
            shapes.add(subject.shape)
            yield subject


def take(subject: Subject, walk: Walk, sample: int | None = None) -> None:
    """Walk over one body; over ``sample`` of its mutants, chosen always alike, where that is given."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # clients warn of bodies that they do not expect
        specspan.instrument(subject.provider)
        try:
            word = forbidden_word(subject)
        finally:
            specspan.uninstrument()
        chosen = list(mutants(subject.parts))
        if sample is not None and sample < len(chosen):
            chosen = random.Random(subject.name).sample(chosen, sample)
        words = (word or ABSENT, MUTANT)
        alone = [Run(ask(subject, mutant.pieces, turn)) for turn, mutant in enumerate(chosen)]
        specspan.instrument(subject.provider)
        try:
            runs = [
                _runs(subject, chosen, mode, forbidden, on_unread)
                for mode, forbidden, on_unread in (
                    ("observe", (ABSENT,), "open"),
                    ("enforce", (ABSENT,), "open"),
                    ("enforce", words[:1], "open"),
                    ("enforce", words, "closed"),
                )
            ]
            with watched("observe", ABSENT) as watch:
                whole = watch.run(subject, tuple(part.wire for part in subject.parts)).facts
        finally:
            specspan.uninstrument()
    counts = walk.counts[subject.provider]
    for mutant, *five in zip(chosen, alone, *runs, strict=True):
        found = Runs(five[0], five[1], five[2], five[3], five[4], whole, subject.is_answer, words)
        body = _values(mutant)
        problems = list(judge(mutant, body, found, subject.headers))
        for run in five:
            walk.failures.update((subject.provider, place) for place in run.failures)
        counts["mutations"] += 1
        counts["blocked" if found.present.is_blocked else "equal"] += not problems
        counts.update({problem.kind for problem in problems})
        walk.problems.extend((subject.name, mutant, problem) for problem in problems)


def _runs(subject: Subject, chosen: list[Mutant], mode: str, words: tuple[str, ...], on_unread: str) -> list[Run]:
    with watched(mode, *words, on_unread=on_unread) as watch:
        return [watch.run(subject, mutant.pieces, turn) for turn, mutant in enumerate(chosen)]


def _values(mutant: Mutant) -> list[Any]:
    """Return the values that the bytes of a mutant hold."""
    kind = "text/event-stream" if mutant.pieces[:1] and mutant.pieces[0].startswith((b"data", b"event")) else ""
    found = []
    for piece in mutant.pieces:
        try:
            found += [part.value for part in parts_of(piece, kind)]
        except Exception:  # a part that was cut
            continue
    return [each for each in found if isinstance(each, (dict, list, str, int, float))]


def describe(walk: Walk, most: int) -> Iterator[str]:
    """Yield a line for each problem, alike ones once."""
    alike: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for name, mutant, problem in walk.problems:
        alike[problem.kind, name.partition("[")[0], problem.text[:70]].append(f"{name} {mutant}: {problem.text}")
    for (kind, _, _), lines in list(alike.items())[:most]:
        yield f"{kind} ×{len(lines)}: {lines[0]}"
