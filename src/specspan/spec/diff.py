"""What changed between two versions of a spec: a pure function, and its answer."""

from __future__ import annotations

import re
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Generic, TypeVar
from zlib import crc32

from specspan.spec.spec import Clause, Example, Spec

# MERGED renames: Clauses that look like one under another id: suggestions for whoever reads a diff.


LEAST_SIMILARITY = 0.75
"""From here on two clauses are suggested as one."""

_RUN_WORDS = 3  # words that must stand together in both for two clauses to be compared at all
_SKETCH_RUNS = 48  # of how many such runs, the ones with the smallest hashes
_MAX_SHARED_PAIRS = 64  # pairs that share one run: beyond, it is a phrase of the house and tells nothing
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Rename:
    """A removed clause and an added one that look alike."""

    old: str
    """Id of the removed one."""
    new: str
    """Id of the added one."""
    similarity: float
    """Share of their words that both have, 0 to 1."""


def find_renames(removed: Sequence[Clause], added: Sequence[Clause]) -> tuple[Rename, ...]:
    """The most alike pairs, each clause in one at most, in the order of ``removed``.

    Only pairs that share a run of words are compared, so that thousands on both sides cost little.
    """
    old_words, new_words = [_words(clause) for clause in removed], [_words(clause) for clause in added]
    old_counts, new_counts = list(map(Counter, old_words)), list(map(Counter, new_words))
    alike = [(_similarity(old_counts[i], new_counts[j]), i, j) for i, j in _candidate_pairs(old_words, new_words)]
    # The order does not depend on which side is which: pairs of one clause never tie.
    alike.sort(key=lambda pair: (-pair[0], abs(pair[1] - pair[2]), min(pair[1:])))
    chosen: dict[int, tuple[int, float]] = {}
    taken: set[int] = set()
    for similarity, i, j in alike:
        if similarity >= LEAST_SIMILARITY and i not in chosen and j not in taken:
            chosen[i] = j, similarity
            taken.add(j)
    return tuple(Rename(removed[i].id, added[j].id, similarity) for i, (j, similarity) in sorted(chosen.items()))


def _words(clause: Clause) -> list[str]:
    return _WORD.findall(f"{clause.title}\n{clause.text}".lower())


def _similarity(old: Counter[str], new: Counter[str]) -> float:
    """Dice's coefficient of the words, each as often as it stands there."""
    total = sum(old.values()) + sum(new.values())
    return round(2 * sum((old & new).values()) / (total or 1), 3)


def _candidate_pairs(old: Sequence[Sequence[str]], new: Sequence[Sequence[str]]) -> set[tuple[int, int]]:
    """Pairs that share a run of words that tells something."""
    old_by_run, new_by_run = _index_by_run(old), _index_by_run(new)
    return {
        (i, j)
        for run, places in old_by_run.items()
        if len(places) * len(new_by_run.get(run, ())) <= _MAX_SHARED_PAIRS
        for i in places
        for j in new_by_run.get(run, ())
    }


def _index_by_run(texts: Sequence[Sequence[str]]) -> dict[int, list[int]]:
    places: dict[int, list[int]] = defaultdict(list)
    for place, words in enumerate(texts):
        for run in sorted(set(_hash_runs(words)))[:_SKETCH_RUNS]:
            places[run].append(place)
    return places


def _hash_runs(words: Sequence[str]) -> Iterator[int]:
    """A hash for every run of words; one for the whole where there are fewer."""
    for start in range(max(1, len(words) - _RUN_WORDS + 1)):
        yield crc32(" ".join(words[start : start + _RUN_WORDS]).encode())


Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Change(Generic[Value]):
    """A value before and after."""

    old: Value
    new: Value


class Aspect(str, Enum):
    """What of a clause changed; each value is the name of the field of `Clause`."""

    TITLE = "title"
    PARENT = "parent"
    LEVEL = "level"
    """The depth of its heading."""
    AUTHORITY = "authority"
    TAGS = "tags"
    TEXT = "text"
    COMMENTARY = "commentary"
    REFERENCES = "references"
    EXAMPLES = "examples"


@dataclass(frozen=True, slots=True)
class ExamplesDiff:
    """What changed among the examples of one clause; nothing at all where they only stand in another order."""

    added: tuple[Example, ...] = ()
    removed: tuple[Example, ...] = ()
    changed: tuple[Change[Example], ...] = ()
    """Of one title with another content, or of one content with another title."""


@dataclass(frozen=True, slots=True)
class ClauseChange:
    """A clause that both versions have, and that differs."""

    old: Clause
    new: Clause
    aspects: tuple[Aspect, ...]
    """What differs, at least one; the line that a clause stands on is no difference."""
    examples: ExamplesDiff = ExamplesDiff()

    @property
    def id(self) -> str:
        """Its id, the same in both."""
        return self.new.id


@dataclass(frozen=True, slots=True)
class SpecDiff:
    """What changed between two versions."""

    old: Spec
    new: Spec
    added: tuple[Clause, ...] = ()
    """In the order of the new document."""
    removed: tuple[Clause, ...] = ()
    """In the order of the old document."""
    changed: tuple[ClauseChange, ...] = ()
    """In the order of the new document."""
    renames: tuple[Rename, ...] = ()
    """Removed and added clauses that look like one under another id: suggestions. They are in `removed` and `added`."""
    ladder: Change[tuple[str, ...]] | None = None
    reordered: bool = False
    """Whether the clauses that both have stand in another order."""

    @property
    def empty(self) -> bool:
        """Whether both say the same. Their bytes may differ all the same: in layout, or in comments."""
        return not (self.added or self.removed or self.changed or self.ladder or self.reordered)

    @property
    def unchanged(self) -> int:
        """How many clauses are the same in both."""
        return len(self.new.clauses) - len(self.added) - len(self.changed)

    def with_aspect(self, aspect: Aspect) -> Iterator[ClauseChange]:
        """The changed clauses of which one thing changed."""
        return (change for change in self.changed if aspect in change.aspects)


def diff(old: Spec, new: Spec) -> SpecDiff:
    """What changed from ``old`` to ``new``, clause by clause, told by their ids.

    Time grows with the length of the texts. How the words of a text changed, `specspan.spec.word_diff` tells.
    """
    added = tuple(clause for clause in new.clauses.values() if clause.id not in old.clauses)
    removed = tuple(clause for clause in old.clauses.values() if clause.id not in new.clauses)
    pairs = [(old.clauses[id_], clause) for id_, clause in new.clauses.items() if id_ in old.clauses]
    return SpecDiff(
        old=old,
        new=new,
        added=added,
        removed=removed,
        changed=tuple(change for one, other in pairs if (change := _clause_change(one, other))),
        renames=find_renames(removed, added),
        ladder=None if old.ladder == new.ladder else Change(old.ladder, new.ladder),
        reordered=[id_ for id_ in old.clauses if id_ in new.clauses] != [clause.id for clause, _ in pairs],
    )


def _clause_change(old: Clause, new: Clause) -> ClauseChange | None:
    old_examples, new_examples = _without_lines(old.examples), _without_lines(new.examples)
    aspects = [aspect for aspect in Aspect if getattr(old, aspect.value) != getattr(new, aspect.value)]
    if old_examples == new_examples and Aspect.EXAMPLES in aspects:
        aspects.remove(Aspect.EXAMPLES)  # they only stand on other lines
    if not aspects:
        return None
    if Aspect.EXAMPLES not in aspects:
        return ClauseChange(old, new, tuple(aspects))
    return ClauseChange(old, new, tuple(aspects), _examples_diff(old.examples, new.examples))


def _without_lines(examples: Sequence[Example]) -> list[Example]:
    """Examples without the lines they stand on."""
    return [replace(example, line=0) for example in examples]


def _examples_diff(old: Sequence[Example], new: Sequence[Example]) -> ExamplesDiff:
    """Pairs are found by what is surest: the whole example, then its title, then its content."""
    removed, added = dict(enumerate(_without_lines(old))), dict(enumerate(_without_lines(new)))
    changed: list[tuple[int, int]] = []
    _take_pairs(removed, added, lambda example: example)
    changed += _take_pairs(removed, added, lambda example: example.title)
    changed += _take_pairs(removed, added, lambda example: (example.turns, example.comparisons))
    return ExamplesDiff(
        added=tuple(new[j] for j in added),
        removed=tuple(old[i] for i in removed),
        changed=tuple(
            Change(old[i], new[j])
            for i, j in sorted(changed, key=lambda pair: pair[1])
            if replace(old[i], line=new[j].line) != new[j]  # the same, but for the order of attributes
        ),
    )


def _take_pairs(
    old: dict[int, Example], new: dict[int, Example], key: Callable[[Example], object]
) -> list[tuple[int, int]]:
    """Take pairs of one key out of both, the first with the first."""
    waiting: dict[str, deque[int]] = {}
    for j, example in new.items():
        waiting.setdefault(repr(key(example)), deque()).append(j)
    pairs = []
    for i, example in old.items():
        if places := waiting.get(repr(key(example))):
            pairs.append((i, places.popleft()))
    for i, j in pairs:
        del old[i], new[j]
    return pairs


def similar_clauses(found: SpecDiff) -> dict[str, tuple[str, float]]:
    """For each removed or added clause that looks like one on the other side, that one's id and the similarity."""
    alike = {one.old: (one.new, one.similarity) for one in found.renames}
    return {**alike, **{one.new: (one.old, one.similarity) for one in found.renames}}


def in_document_order(found: SpecDiff) -> Iterator[Clause | ClauseChange]:
    """Everything that was added, removed or changed, as one reads: a removed clause behind the one it stood behind."""
    behind: dict[str | None, list[Clause]] = {}
    last: str | None = None
    for id_, clause in found.old.clauses.items():
        if id_ in found.new.clauses:
            last = id_
        else:
            behind.setdefault(last, []).append(clause)
    changes: Mapping[str, ClauseChange] = {change.id: change for change in found.changed}
    yield from behind.get(None, ())
    for id_, clause in found.new.clauses.items():
        if id_ not in found.old.clauses:
            yield clause
        elif id_ in changes:
            yield changes[id_]
        yield from behind.get(id_, ())
