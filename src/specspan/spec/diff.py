"""Diff of two versions of a spec, clause by clause.

Clauses are matched by their ids. A removed clause that reads like an added one is suggested as a rename.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Generic, TypeVar
from zlib import crc32

from specspan.spec.spec import Clause, Example, Spec

LEAST_SIMILARITY = 0.75
"""Similarity from which two clauses are suggested as one."""
_RUN_WORDS = 3
"""Number of adjacent words that two clauses must share to be compared at all."""
_SKETCH_RUNS = 48
"""Number of runs that stand for a clause, those with the smallest hashes."""
_MAX_SHARED_PAIRS = 64
"""Number of pairs beyond which a shared run is a common phrase and does not make candidates."""
_WORD = re.compile(r"\w+")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Change(Generic[Value]):
    """Value before and after."""

    old: Value
    new: Value


class Aspect(str, Enum):
    """Part of a clause that may change; each value is the name of a field of `Clause`."""

    TITLE = "title"
    PARENT = "parent"
    LEVEL = "level"
    """Depth of the heading."""
    AUTHORITY = "authority"
    TAGS = "tags"
    TEXT = "text"
    COMMENTARY = "commentary"
    REFERENCES = "references"
    EXAMPLES = "examples"


@dataclass(frozen=True, slots=True)
class ExamplesDiff:
    """Changes among the examples of one clause; empty where only their order differs."""

    added: tuple[Example, ...] = ()
    removed: tuple[Example, ...] = ()
    changed: tuple[Change[Example], ...] = ()
    """Examples of one title with another content, or of one content with another title."""


@dataclass(frozen=True, slots=True)
class ClauseChange:
    """Clause that both versions have, and that differs."""

    old: Clause
    new: Clause
    aspects: tuple[Aspect, ...]
    """Parts that differ, at least one; the line that a clause stands on does not count."""
    examples: ExamplesDiff = ExamplesDiff()

    @property
    def id(self) -> str:
        """Return the id, which both versions share."""
        return self.new.id


@dataclass(frozen=True, slots=True)
class Rename:
    """Pair of a removed clause and an added one that look alike."""

    old: str
    """Id of the removed clause."""
    new: str
    """Id of the added clause."""
    similarity: float
    """Share of their words that both have, 0 to 1."""


@dataclass(frozen=True, slots=True)
class SpecDiff:
    """Changes between two versions of a spec."""

    old: Spec
    new: Spec
    added: tuple[Clause, ...] = ()
    """Clauses in the order of the new document."""
    removed: tuple[Clause, ...] = ()
    """Clauses in the order of the old document."""
    changed: tuple[ClauseChange, ...] = ()
    """Clauses in the order of the new document."""
    renames: tuple[Rename, ...] = ()
    """Suggested pairs of removed and added clauses; both also stand in `removed` and `added`."""
    ladder: Change[tuple[str, ...]] | None = None
    reordered: bool = False
    """True where the clauses that both versions have stand in another order."""

    @property
    def empty(self) -> bool:
        """Return whether both versions say the same. Their bytes may still differ, in layout or in comments."""
        return not (self.added or self.removed or self.changed or self.ladder or self.reordered)

    @property
    def unchanged(self) -> int:
        """Return the number of clauses that are the same in both versions."""
        return len(self.new.clauses) - len(self.added) - len(self.changed)

    def with_aspect(self, aspect: Aspect) -> Iterator[ClauseChange]:
        """Return the changed clauses in which ``aspect`` changed."""
        return (change for change in self.changed if aspect in change.aspects)


def diff(old: Spec, new: Spec) -> SpecDiff:
    """Return the changes from ``old`` to ``new``, clause by clause, matched by id.

    Time grows with the length of the texts. `specspan.spec.word_diff` compares the words of a text.
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


def similar_clauses(spec_diff: SpecDiff) -> dict[str, tuple[str, float]]:
    """Return the other side's id and the similarity for each removed or added clause in a suggested rename."""
    alike = {one.old: (one.new, one.similarity) for one in spec_diff.renames}
    return {**alike, **{one.new: (one.old, one.similarity) for one in spec_diff.renames}}


def in_document_order(spec_diff: SpecDiff) -> Iterator[Clause | ClauseChange]:
    """Yield all added, removed and changed clauses in reading order; a removed one follows its predecessor."""
    behind: dict[str | None, list[Clause]] = {}
    last: str | None = None
    for id_, clause in spec_diff.old.clauses.items():
        if id_ in spec_diff.new.clauses:
            last = id_
        else:
            behind.setdefault(last, []).append(clause)
    changes: Mapping[str, ClauseChange] = {change.id: change for change in spec_diff.changed}
    yield from behind.get(None, ())
    for id_, clause in spec_diff.new.clauses.items():
        if id_ not in spec_diff.old.clauses:
            yield clause
        elif id_ in changes:
            yield changes[id_]
        yield from behind.get(id_, ())


def find_renames(removed: Sequence[Clause], added: Sequence[Clause]) -> tuple[Rename, ...]:
    """Return the most alike pairs, each clause in one at most, in the order of ``removed``.

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
    """Return examples without the lines they stand on."""
    return [replace(example, line=0) for example in examples]


def _examples_diff(old: Sequence[Example], new: Sequence[Example]) -> ExamplesDiff:
    """Return the changes among examples, matched by the surest key first: the whole example, its title, its content."""
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
    """Remove pairs with equal keys from both sides, the first with the first, and return them."""
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


def _words(clause: Clause) -> list[str]:
    return _WORD.findall(f"{clause.title}\n{clause.text}".lower())


def _similarity(old: Counter[str], new: Counter[str]) -> float:
    """Return Dice's coefficient of the words, each counted as often as it occurs."""
    total = sum(old.values()) + sum(new.values())
    return round(2 * sum((old & new).values()) / (total or 1), 3)


def _candidate_pairs(old: Sequence[Sequence[str]], new: Sequence[Sequence[str]]) -> set[tuple[int, int]]:
    """Return the pairs that share a run of words, phrases that stand everywhere left out."""
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
    """Yield a hash for every run of words; one for the whole text where it is shorter."""
    for start in range(max(1, len(words) - _RUN_WORDS + 1)):
        yield crc32(" ".join(words[start : start + _RUN_WORDS]).encode())
