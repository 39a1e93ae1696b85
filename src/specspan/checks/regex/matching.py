"""One pattern carried out by RE2, for texts in one alphabet."""

from __future__ import annotations

import functools
import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import re2

from specspan.checks.regex import syntax_tree as charset
from specspan.checks.regex.parser import Refused
from specspan.checks.regex.re2_syntax import Alphabet, emit
from specspan.checks.regex.syntax_tree import At, Chars, CharSet, Choice, Concatenation, Node, Repeat, charsets

MAX_INSTRUCTIONS = 20_000
"""Of RE2's program; a literal character is one. As many steps a character may take at worst."""
_MAX_MEM_BYTES = 16 << 20

Span = tuple[int, int]


class Program:
    """Finds one pattern in what its alphabet wrote. Safe to share between threads.

    Raises:
        Refused: it is too large.
    """

    __slots__ = ("_alphabet", "_compiled")

    def __init__(self, node: Node, alphabet: type[Alphabet]) -> None:
        self._alphabet = alphabet
        try:
            self._compiled = re2.compile(emit(node, alphabet).encode(), options(_MAX_MEM_BYTES))
        except re2.error as error:
            raise _too_large(f"RE2: {error}") from None
        if self._compiled.programsize > MAX_INSTRUCTIONS:
            raise _too_large(f"{self._compiled.programsize} instructions of {MAX_INSTRUCTIONS}")

    def matches(self, data: bytes) -> bool:
        """Whether it stands anywhere in ``data``."""
        return self._compiled.search(data) is not None

    def find(self, data: bytes, limit: int) -> list[Span]:
        """The first ``limit`` places where it stands, as (start, end) in code points of the text that was written."""
        found: list[Span] = []
        at = at_bytes = 0
        while len(found) < limit and (match := self._compiled.search(data, at_bytes)) is not None:
            start_bytes, end_bytes = match.span()
            if any(match.groups()):
                end_bytes -= 1  # the last newline, which `$` looked at
            start = at + self._alphabet.length(data[at_bytes:start_bytes])
            at = start + self._alphabet.length(data[start_bytes:end_bytes])
            at_bytes = end_bytes
            found.append((start, at))
        return found


def options(max_mem_bytes: int) -> re2.Options:
    """RE2's options; its own log, which goes to stderr, is off."""
    chosen = re2.Options()
    chosen.max_mem = max_mem_bytes
    chosen.log_errors = False
    return chosen


def _too_large(detail: str) -> Refused:
    return Refused(f"it is too large ({detail})", "Split it into several patterns, or repeat less often.")


# MERGED factor: The part of a pattern worth looking for in one pass with many others.
#
# A gap such as ``.*`` keeps a match half open over the whole text. With many patterns at once an automaton has a state
# for every combination of half-open matches: a hundred patterns ``a.*b`` have 2^100. So the one pass looks for what
# must stand between the gaps, and only where that is found the whole pattern is looked for by itself.


_MANY = 8  # a repeat of up to as many rounds is no gap
_ENOUGH_BITS = 5.0  # less than this tells of one literal character is not worth looking for
_BLANK_AND_LETTER = (((32, 32),), ((97, 97),))


def factor(node: Node) -> Node | None:
    """What must stand in a text for ``node`` to match there, without gaps; None if it is too little to look for.

    ``node`` itself if it has no gaps.
    """
    if not has_gap(node):
        return node if bits(node) >= _ENOUGH_BITS else None
    match node:
        case Concatenation(items):
            return _best_run(items)
        case Choice(options):
            factors = [factor(option) for option in options]
            return Choice(tuple(each for each in factors if each is not None)) if None not in factors else None
        case Repeat(item, least) if least > 0:
            return factor(item)
        case _:
            return None


def has_gap(node: Node) -> bool:
    """Whether something in ``node`` repeats over words and the blanks between them."""
    match node:
        case Repeat(item, _, most) if most is None or most > _MANY:
            every = charset.union(*charsets(item))
            return all(charset.intersection(every, each) for each in _BLANK_AND_LETTER) or has_gap(item)
        case Repeat(item):
            return has_gap(item)
        case Concatenation(items) | Choice(items):
            return any(map(has_gap, items))
        case _:
            return False


def bits(node: Node) -> float:
    """How much a match of ``node`` says about an ASCII text: 7 for a literal character, 0 for any."""
    match node:
        case Chars(characters):
            return _bits(characters)
        case At():
            return 0
        case Concatenation(items):
            return sum(map(bits, items))
        case Choice(options):
            return min(map(bits, options))
        case Repeat(item, least):
            return bits(item) * least


@functools.lru_cache(4096)
def _bits(characters: CharSet) -> float:
    return 7 - math.log2(charset.size(charset.intersection(characters, charset.ASCII)) or 1)


def _best_run(items: tuple[Node, ...]) -> Node | None:
    """The most telling run of items without a gap, or factor of an item with one."""
    found: list[Node] = []
    run: list[Node] = []
    for item in items:
        if has_gap(item):
            found.append(Concatenation(tuple(run)))
            run = []
            found.extend(inner for inner in (factor(item),) if inner is not None)
        else:
            run.append(item)
    best = max([*found, Concatenation(tuple(run))], key=bits)
    return best if bits(best) >= _ENOUGH_BITS else None


# MERGED many: Many patterns looked for in one pass, for texts in one alphabet.


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
