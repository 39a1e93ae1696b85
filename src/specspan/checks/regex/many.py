"""Many patterns looked for in one pass, for texts in one alphabet."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import re2

from specspan.checks.regex.alphabet import Alphabet
from specspan.checks.regex.emit import emit
from specspan.checks.regex.factor import factor
from specspan.checks.regex.nodes import Node
from specspan.checks.regex.program import Program, options

_SET_MEM_BYTES = 32 << 20
_ALWAYS = r"\A"  # matches every text: a set that does not say so has run out of memory and knows nothing
_LONG_BYTES = 1 << 16
_PROBE_BYTES = 1 << 11
_GOLDEN = 0.618033988749895  # its multiples fall evenly between 0 and 1
_ALONE_NS_PER_BYTE = 2  # what one pattern takes by itself


@dataclass(frozen=True, slots=True)
class Wanted:
    """One of the patterns."""

    index: int
    node: Node
    program: Program


class Many:
    """Says which of many patterns stand in what its alphabet wrote. Safe to share between threads.

    One pass over a text finds what must stand there for each pattern (its `factor`); a pattern that has more to it is
    then looked for by itself. Patterns without a factor are always looked for by themselves.
    """

    __slots__ = ("_alone", "_passes")

    def __init__(
        self,
        wanted: Sequence[Wanted],
        alphabet: type[Alphabet],
        clock_ns: Callable[[], int] = time.thread_time_ns,
    ) -> None:
        factors = [(each, factor(each.node)) for each in wanted]
        self._alone = [each for each, found in factors if found is None]
        together = [(each, found) for each, found in factors if found is not None]
        self._passes = list(_passes(together, alphabet, clock_ns)) if together else []

    def hits(self, data: bytes) -> list[int]:
        """The indexes of those that stand in ``data``."""
        found = [each.index for each in self._alone if each.program.matches(data)]
        for each in self._passes:
            each.add_hits(data, found)
        return found


class _Pass:
    """One `re2.Set`."""

    __slots__ = ("_clock_ns", "_members", "_pieces", "_set")

    def __init__(
        self, members: Sequence[tuple[Wanted, Node]], alphabet: type[Alphabet], clock_ns: Callable[[], int]
    ) -> None:
        self._clock_ns = clock_ns
        self._pieces = itertools.count()
        self._members = [(each, node is each.node) for each, node in members]
        self._set = re2.Set.SearchSet(options(_SET_MEM_BYTES))
        self._set.Add(_ALWAYS)
        for _, node in members:
            self._set.Add(emit(node, alphabet).encode())
        self._set.Compile()

    def add_hits(self, data: bytes, found: list[int]) -> None:
        matched = None if len(data) > _LONG_BYTES and self._is_slow(data) else self._set.Match(data)
        if not matched:
            found.extend(each.index for each, _ in self._members if each.program.matches(data))
            return
        for position in matched:
            if position:
                each, whole = self._members[position - 1]
                if whole or each.program.matches(data):
                    found.append(each.index)

    def _is_slow(self, data: bytes) -> bool:
        """Whether a text like this makes the automaton build a state for nearly every character.

        Then the patterns one at a time are quicker, by far: their own automata are small.
        """
        self._set.Match(self._piece(data))  # what is new in every text like it
        piece = self._piece(data)
        start_ns = self._clock_ns()
        self._set.Match(piece)
        return self._clock_ns() - start_ns > len(piece) * len(self._members) * _ALONE_NS_PER_BYTE

    def _piece(self, data: bytes) -> bytes:
        """Another piece of a long text each time, or states left by the last one would make a slow text look quick."""
        start = int(next(self._pieces) * _GOLDEN % 1 * (len(data) - _PROBE_BYTES))
        return data[start : start + _PROBE_BYTES]


def _passes(
    members: Sequence[tuple[Wanted, Node]], alphabet: type[Alphabet], clock_ns: Callable[[], int]
) -> Iterator[_Pass]:
    """As few sets as the memory allows."""
    try:
        yield _Pass(members, alphabet, clock_ns)
    except re2.error:
        if len(members) == 1:
            raise
        middle = len(members) // 2
        yield from _passes(members[:middle], alphabet, clock_ns)
        yield from _passes(members[middle:], alphabet, clock_ns)
