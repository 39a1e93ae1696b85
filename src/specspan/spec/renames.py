"""Clauses that look like one under another id: suggestions for whoever reads a diff."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zlib import crc32

from specspan.spec.model import Clause

LEAST_SIMILARITY = 0.75
"""From here on two clauses are suggested as one."""

_RUN = 3  # words that must stand together in both for two clauses to be compared at all
_SKETCH = 48  # of how many such runs, the ones with the smallest hashes
_CROWD = 64  # pairs that share one run: beyond, it is a phrase of the house and tells nothing
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


def renames(removed: Sequence[Clause], added: Sequence[Clause]) -> tuple[Rename, ...]:
    """The most alike pairs, each clause in one at most, in the order of ``removed``.

    Only pairs that share a run of words are compared, so that thousands on both sides cost little.
    """
    old_words, new_words = [_words(clause) for clause in removed], [_words(clause) for clause in added]
    old_counts, new_counts = list(map(Counter, old_words)), list(map(Counter, new_words))
    alike = [(_similarity(old_counts[i], new_counts[j]), i, j) for i, j in _candidates(old_words, new_words)]
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


def _candidates(old: Sequence[Sequence[str]], new: Sequence[Sequence[str]]) -> set[tuple[int, int]]:
    """Pairs that share a run of words that tells something."""
    old_by_run, new_by_run = _by_run(old), _by_run(new)
    return {
        (i, j)
        for run, places in old_by_run.items()
        if len(places) * len(new_by_run.get(run, ())) <= _CROWD
        for i in places
        for j in new_by_run.get(run, ())
    }


def _by_run(texts: Sequence[Sequence[str]]) -> dict[int, list[int]]:
    places: dict[int, list[int]] = defaultdict(list)
    for place, words in enumerate(texts):
        for run in sorted(set(_runs(words)))[:_SKETCH]:
            places[run].append(place)
    return places


def _runs(words: Sequence[str]) -> Iterator[int]:
    """A hash for every run of words; one for the whole where there are fewer."""
    for start in range(max(1, len(words) - _RUN + 1)):
        yield crc32(" ".join(words[start : start + _RUN]).encode())
