"""The walk: every body, each of its mutants in four runs, and the table of what came of it."""

from __future__ import annotations

import random
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from walk_bodies import MUTANT, Mutant, Tried, mutants, parts_of, shortened, unwalked
from walk_judgement import Body, Problem, Runs, judge
from walk_runs import ABSENT, Run, ask, forbidden_word, pipeline
from walk_subjects import Subject

import specspan

COLUMNS = ("bodies", "alike", "skipped", "mutations", "equal", "blocked", "raised", "changed", "false")
BATCH = 32
"""Mutants that are held in memory with all their runs."""


@dataclass
class Walk:
    """What came of a walk, by provider."""

    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    problems: list[tuple[str, Mutant | str, Problem]] = field(default_factory=list)
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

    def add(self, other: Walk) -> None:
        """Add what came of another walk."""
        for provider, counts in other.counts.items():
            self.counts[provider].update(counts)
        self.problems += other.problems
        self.failures.update(other.failures)


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


def take(subject: Subject, walk: Walk, sample: int | None = None, tried: Tried | None = None) -> None:
    """Walk over one body; over ``sample`` of its mutants, chosen always alike, where that is given.

    Replacements that ``tried`` has from bodies before are left out.
    """
    tried = Tried() if tried is None else tried
    skipped = tried.skipped
    parts = shortened(subject.parts)
    chosen: Iterable[Mutant] = mutants(parts, subject.form, tried)
    if sample is not None:
        every = list(chosen)
        chosen = every if sample >= len(every) else random.Random(subject.name).sample(every, sample)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # clients warn of bodies that they do not expect
        _walk_through(subject, tuple(part.wire for part in parts), iter(chosen), walk)
    walk.counts[subject.provider]["skipped"] += tried.skipped - skipped


def _walk_through(subject: Subject, whole: tuple[bytes, ...], chosen: Iterator[Mutant], walk: Walk) -> None:
    """Give each mutant its five runs, a batch at a time, and keep what came of it."""
    with _instrumented(subject.provider):
        word = forbidden_word(subject, whole)
    words = (word or ABSENT, MUTANT)
    with ExitStack() as stack:
        watches = [
            stack.enter_context(pipeline(mode, *forbidden, on_unread=on_unread))
            for mode, forbidden, on_unread in (
                ("observe", (ABSENT,), "open"),
                ("enforce", (ABSENT,), "open"),
                ("enforce", words[:1], "open"),
                ("enforce", words, "closed"),
            )
        ]
        with _instrumented(subject.provider):
            facts = watches[0].run(subject, whole).facts
        turn = 0
        while batch := list(islice(chosen, BATCH)):
            alone = [ask(subject, mutant.pieces, turn + n) for n, mutant in enumerate(batch)]
            with _instrumented(subject.provider):
                runs = [
                    [watch.run(subject, each.pieces, turn + n) for n, each in enumerate(batch)] for watch in watches
                ]
            turn += len(batch)
            for mutant, handed, observed, absent, present, strict in zip(batch, alone, *runs, strict=True):
                found = Runs(Run(handed), observed, absent, present, strict, facts, subject.is_answer, words)
                _keep(subject, mutant, found, walk)


@contextmanager
def _instrumented(provider: str) -> Iterator[None]:
    specspan.instrument(provider)
    try:
        yield
    finally:
        specspan.uninstrument()


def _keep(subject: Subject, mutant: Mutant, runs: Runs, walk: Walk) -> None:
    """Keep what came of one mutant."""
    problems = list(judge(mutant, Body(_values(mutant), subject.headers), runs))
    for run in (runs.observed, runs.absent, runs.present, runs.strict):
        walk.failures.update((subject.provider, place) for place in run.failures)
    counts = walk.counts[subject.provider]
    counts["mutations"] += 1
    counts["blocked" if runs.present.is_blocked else "equal"] += not problems
    counts.update({problem.kind for problem in problems})
    walk.problems.extend((subject.name, mutant, problem) for problem in problems)


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
