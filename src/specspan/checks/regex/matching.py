r"""Search for one pattern by RE2, and for many patterns in one pass, in texts of one encoding.

A gap such as ``.*`` keeps a match half open over the whole text. With many patterns at once an automaton has a state
for every combination of half-open matches: a hundred patterns ``a.*b`` have 2^100. So the one pass, by a `re2.Set`,
searches for the part of each pattern between its gaps, and the whole patterns are searched for where such a part is.

A `re2.Filter` alone does not replace this. It runs each pattern without literals of some length, such as
``[A-Z]{2}\d{6}``, over every text: a hundred of them took 355 µs for 2 kB, the set 5.5 µs. For patterns with literals
the two were equally fast on texts without a hit. With hits the filter was 3 to 100 times as fast, so it does the second
step (docs/dependencies.md).
"""

from __future__ import annotations

import functools
import itertools
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import re2

from specspan.checks.regex import charset
from specspan.checks.regex.charset import CharSet
from specspan.checks.regex.parser import PatternError
from specspan.checks.regex.re2_syntax import Encoding, Plain, emit
from specspan.checks.regex.syntax_tree import At, Chars, Choice, Concatenation, Node, Repeat, charsets
from specspan.checks.work import PASS_STEPS, SEARCH_STEPS, Work

MAX_INSTRUCTIONS = 20_000
"""Largest size of RE2's program, in which a literal character is one instruction. A character of a text takes at most
so many steps."""
_MAX_MEM_BYTES = 16 << 20

_SET_MEM_BYTES = 32 << 20
_MATCH_ALL = r"\A"  # matches every text: a set that does not report it has run out of memory and found nothing
_LONG_BYTES = 1 << 16
_PROBE_BYTES = 1 << 11
_GOLDEN = 0.618033988749895  # its multiples fall evenly between 0 and 1
_SINGLE_NS_PER_BYTE = 2  # time of one pattern by itself

_GAP_ROUNDS = 8  # a repeat of up to so many rounds is not a gap
_MIN_BITS = 5.0  # a part that says less of a text than one literal character does is not searched for
_BLANK_AND_LETTER = (((32, 32),), ((97, 97),))

_SHORT_LITERALS = f"{' '.join(map(chr, range(0x21, 0x7F)))} ZZ".encode()
"""Text with every literal that is too short to tell texts apart; ``ZZ`` ends a frame."""

Span = tuple[int, int]
_UNANCHORED = getattr(getattr(re2, "_Anchor", None), "UNANCHORED", None)
"""Private to google-re2, as is what it is for; a version without it is asked by its public functions."""
_NO_SPAN = (-1, -1)


class Program:
    """Compiled pattern for texts of one encoding. Safe to share between threads.

    Raises:
        PatternError: the pattern is too large.
    """

    __slots__ = ("_compiled", "_encoding", "_is_as_it_is", "_match_spans")

    def __init__(self, node: Node, encoding: type[Encoding]) -> None:
        self._encoding = encoding
        try:
            self._compiled = re2.compile(emit(node, encoding).encode(), _options(_MAX_MEM_BYTES))
        except re2.error as error:
            raise _too_large(f"RE2: {error}") from None
        if self._compiled.programsize > MAX_INSTRUCTIONS:
            raise _too_large(f"{self._compiled.programsize} instructions of {MAX_INSTRUCTIONS}")
        # its spans are those of the text: a byte is a code point, and no group tells a newline that `$` tested for
        self._is_as_it_is = encoding is Plain and not self._compiled.groups
        self._match_spans = getattr(getattr(self._compiled, "_regexp", None), "Match", None) if _UNANCHORED else None

    def matches(self, data: bytes) -> bool:
        """Return whether the pattern matches anywhere in ``data``."""
        return self._compiled.search(data) is not None

    def find(self, data: bytes, limit: int) -> list[Span]:
        """Return the first ``limit`` matches, as (start, end) in code points of the encoded text."""
        if self._is_as_it_is:
            return self._find_as_it_is(data, limit)
        spans: list[Span] = []
        at = at_bytes = 0
        while len(spans) < limit and (match := self._compiled.search(data, at_bytes)) is not None:
            start_bytes, end_bytes = match.span()
            if any(match.groups()):
                end_bytes -= 1  # the last newline, which `$` tested for
            start = at + self._encoding.length(data[at_bytes:start_bytes])
            at = start + self._encoding.length(data[start_bytes:end_bytes])
            at_bytes = end_bytes
            spans.append((start, at))
        return spans

    def _find_as_it_is(self, data: bytes, limit: int) -> list[Span]:
        # a match of google-re2 asks RE2 for the number of groups whenever its span is asked for, which takes half of
        # the time: RE2 itself returns the spans
        match_spans = self._match_spans
        if match_spans is None:
            return [match.span() for match in itertools.islice(self._compiled.finditer(data), limit)]
        spans: list[Span] = []
        at, end = 0, len(data)
        while len(spans) < limit:
            span = match_spans(_UNANCHORED, data, at, end)[0]
            if span == _NO_SPAN:
                break
            spans.append(span)
            at = span[1]
        return spans


@dataclass(frozen=True, slots=True)
class SetMember:
    """Pattern of a set, with the index that stands for it in the result."""

    index: int
    node: Node
    program: Program


class PatternSet:
    """Patterns that are searched for together in texts of one encoding. Safe to share between threads.

    One pass over a text finds the required part of each pattern; patterns that are more than this part are then
    searched for as a whole. Patterns without a required part are always searched for by themselves.
    """

    __slots__ = ("_passes", "_without_part")

    def __init__(
        self,
        members: Sequence[SetMember],
        encoding: type[Encoding],
        clock_ns: Callable[[], int] = time.thread_time_ns,
    ) -> None:
        parts = [(member, required_part(member.node)) for member in members]
        self._without_part = [member for member, part in parts if part is None]
        with_part = [(member, part) for member, part in parts if part is not None]
        self._passes = list(_build_passes(with_part, encoding, clock_ns)) if with_part else []

    def hits(self, data: bytes, work: Work | None = None) -> list[int]:
        """Return the indexes of the patterns that match somewhere in ``data``.

        ``work``: what counts the work of its call, if anything does.

        Raises:
            WorkLimitReached: the search would exceed the limit of ``work``.
        """
        indexes = [member.index for member in self._without_part if _matches(member, data, work)]
        for each in self._passes:
            each.add_hits(data, indexes, work)
        return indexes


def _matches(member: SetMember, data: bytes, work: Work | None) -> bool:
    return member.program.matches(data) if work is None else work.search(member.program.matches, data)


def _build_passes(
    members: Sequence[tuple[SetMember, Node]], encoding: type[Encoding], clock_ns: Callable[[], int]
) -> Iterator[_SetPass]:
    """Yield as few passes as the memory limit allows."""
    try:
        yield _SetPass(members, encoding, clock_ns)
    except re2.error:
        if len(members) == 1:
            raise
        middle = len(members) // 2
        yield from _build_passes(members[:middle], encoding, clock_ns)
        yield from _build_passes(members[middle:], encoding, clock_ns)


class _SetPass:
    """One pass over a text by one `re2.Set`."""

    __slots__ = ("_clock_ns", "_confirmation", "_members", "_pieces", "_set")

    def __init__(
        self, members: Sequence[tuple[SetMember, Node]], encoding: type[Encoding], clock_ns: Callable[[], int]
    ) -> None:
        self._clock_ns = clock_ns
        self._pieces = itertools.count()
        self._members = [(member, part is member.node) for member, part in members]
        self._set = re2.Set.SearchSet(_options(_SET_MEM_BYTES))
        self._set.Add(_MATCH_ALL)
        for _, part in members:
            self._set.Add(emit(part, encoding).encode())
        self._set.Compile()
        self._confirmation = _Confirmation([member for member, is_whole in self._members if not is_whole], encoding)

    def add_hits(self, data: bytes, indexes: list[int], work: Work | None) -> None:
        matches = None if len(data) > _LONG_BYTES and self._is_slow(data) else self._match(data, work)
        if not matches:
            if work is not None:
                work.require(len(data) * len(self._members) * SEARCH_STEPS)
            indexes.extend(member.index for member, _ in self._members if _matches(member, data, work))
            return
        if len(matches) == 1:
            return
        candidates = [self._members[position - 1] for position in matches if position]
        indexes.extend(member.index for member, is_whole in candidates if is_whole)
        self._confirmation.add_hits([member for member, is_whole in candidates if not is_whole], data, indexes, work)

    def _match(self, data: bytes, work: Work | None) -> Sequence[int]:
        found: Sequence[int]
        found = self._set.Match(data) if work is None else work.search(self._set.Match, data, PASS_STEPS)
        return found

    def _is_slow(self, data: bytes) -> bool:
        """Return whether a text like this makes the automaton build a state for nearly every character.

        Then searching for one pattern after another is faster, by far: their own automata are small.
        """
        self._set.Match(self._piece(data))  # builds the states that every such text needs
        piece = self._piece(data)
        start_ns = self._clock_ns()
        self._set.Match(piece)
        return self._clock_ns() - start_ns > len(piece) * len(self._members) * _SINGLE_NS_PER_BYTE

    def _piece(self, data: bytes) -> bytes:
        """Return another piece of a long text each time, because states left by the last one would be reused."""
        start = int(next(self._pieces) * _GOLDEN % 1 * (len(data) - _PROBE_BYTES))
        return data[start : start + _PROBE_BYTES]


class _Confirmation:
    """Search for whole patterns with gaps, once their required parts were found.

    A `re2.Filter` takes a fraction of the time of one search after another: it stops at the first match and does not
    locate the match. Patterns that it would run over every text are left out of it.
    """

    __slots__ = ("_filter", "_filtered", "_indexes")

    def __init__(self, members: Sequence[SetMember], encoding: type[Encoding]) -> None:
        self._filter = _compile_filter(members, encoding)
        if self._filter is not None and (weak := self._filter.Match(_SHORT_LITERALS, potential=True)):
            members = [member for position, member in enumerate(members) if position not in weak]
            self._filter = _compile_filter(members, encoding)
        self._indexes = [member.index for member in members]
        self._filtered = frozenset(self._indexes) if self._filter is not None else frozenset()

    def add_hits(
        self, candidates: Sequence[SetMember], data: bytes, indexes: list[int], work: Work | None = None
    ) -> None:
        """Append the indexes of the patterns that match; ``candidates`` are those whose required part does."""
        is_filtered = False
        for member in candidates:
            if member.index in self._filtered:
                is_filtered = True
            elif _matches(member, data, work):
                indexes.append(member.index)
        if is_filtered and self._filter is not None:
            steps = SEARCH_STEPS * len(candidates)
            found = self._filter.Match(data) if work is None else work.search(self._filter.Match, data, steps)
            indexes.extend(self._indexes[position] for position in found or ())


def _compile_filter(members: Sequence[SetMember], encoding: type[Encoding]) -> re2.Filter | None:
    """Return a filter of the whole patterns; None for no patterns, or if their literals take too much memory."""
    if not members:
        return None
    together = re2.Filter()
    try:
        for member in members:
            together.Add(emit(member.node, encoding).encode(), _options(_MAX_MEM_BYTES))
        together.Compile()
    except re2.error:
        return None
    return together


def required_part(node: Node) -> Node | None:
    """Return the part without gaps that must match for ``node`` to match; None if it says too little of a text.

    The part is ``node`` itself if it has no gaps.
    """
    if not has_gap(node):
        return node if information_bits(node) >= _MIN_BITS else None
    match node:
        case Concatenation(items):
            return _best_run(items)
        case Choice(options):
            parts = [required_part(option) for option in options]
            return Choice(tuple(part for part in parts if part is not None)) if None not in parts else None
        case Repeat(item, least) if least > 0:
            return required_part(item)
        case _:
            return None


def has_gap(node: Node) -> bool:
    """Return whether something in ``node`` repeats over words and the blanks between them."""
    match node:
        case Repeat(item, _, most) if most is None or most > _GAP_ROUNDS:
            every = charset.union(*charsets(item))
            return all(charset.intersection(every, each) for each in _BLANK_AND_LETTER) or has_gap(item)
        case Repeat(item):
            return has_gap(item)
        case Concatenation(items) | Choice(items):
            return any(map(has_gap, items))
        case _:
            return False


def information_bits(node: Node) -> float:
    """Return how much a match of ``node`` says of an ASCII text: 7 for a literal character, 0 for any character."""
    match node:
        case Chars(characters):
            return _charset_bits(characters)
        case At():
            return 0
        case Concatenation(items):
            return sum(map(information_bits, items))
        case Choice(options):
            return min(map(information_bits, options))
        case Repeat(item, least):
            return information_bits(item) * least


@functools.lru_cache(4096)
def _charset_bits(characters: CharSet) -> float:
    return 7 - math.log2(charset.size(charset.intersection(characters, charset.ASCII)) or 1)


def _best_run(items: tuple[Node, ...]) -> Node | None:
    """Return the run of items without a gap, or the required part of an item with one, that says most of a text."""
    runs: list[Node] = []
    run: list[Node] = []
    for item in items:
        if has_gap(item):
            runs.append(Concatenation(tuple(run)))
            run = []
            part = required_part(item)
            if part is not None:
                runs.append(part)
        else:
            run.append(item)
    best = max([*runs, Concatenation(tuple(run))], key=information_bits)
    return best if information_bits(best) >= _MIN_BITS else None


def _options(max_mem_bytes: int) -> re2.Options:
    """Return options with a memory limit and without RE2's own log, which goes to stderr."""
    options = re2.Options()
    options.max_mem = max_mem_bytes
    options.log_errors = False
    return options


def _too_large(detail: str) -> PatternError:
    return PatternError(f"it is too large ({detail})", "Split it into several patterns, or repeat less often.")
