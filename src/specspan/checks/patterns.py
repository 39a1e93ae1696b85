"""Patterns in the syntax of Python's `re`, run by RE2 in time linear in the text, alone or many in one pass.

A pattern has the meaning of `re` in every text. A pattern that needs backtracking is refused when it is compiled; `re`
never runs one.
"""

from __future__ import annotations

from collections.abc import Iterable

from specspan.checks.check import CheckConfigError, TextAt
from specspan.checks.regex.matching import PatternSet, Program, SetMember, Span
from specspan.checks.regex.parser import PatternError, parse
from specspan.checks.regex.re2_syntax import Framed, Plain
from specspan.checks.regex.syntax_tree import (
    At,
    Concatenation,
    Node,
    Place,
    max_width,
    min_width,
    places,
    replace_place,
)
from specspan.checks.work import FRAMING_STEPS, Work

MAX_SPANS = 16
"""Largest number of matches of one pattern that are found in one text."""
MAX_SOURCE_CHARS = 100_000
"""Longest pattern that is compiled."""


class Pattern:
    """Compiled pattern. Safe to share between threads.

    Raises:
        CheckConfigError: the pattern is invalid, needs backtracking, matches the empty text or is too large.
    """

    __slots__ = ("_framed", "_plain", "node", "source")

    def __init__(self, source: str, *, ignore_case: bool = False, whole: bool = False) -> None:
        self.source = f"(?i){source}" if ignore_case else source
        """Pattern with its flags inside it."""
        try:
            self.node = _anchor(_parse(self.source)) if whole else _require_width(_parse(self.source))
            self._plain, self._framed = Program(self.node, Plain), Program(self.node, Framed)
        except PatternError as error:
            raise CheckConfigError(f"pattern {_shorten(source)}: {error.problem}", error.remedy) from None

    @property
    def max_width(self) -> int | None:
        """Most characters that a match has; None for no limit."""
        return max_width(self.node)

    @property
    def needs_start(self) -> bool:
        r"""True if only the start of a text can match (``^``, ``\A``)."""
        return Place.START in places(self.node)

    @property
    def needs_end(self) -> bool:
        r"""True if only the end of a text can match (``$``, ``\Z``), which a growing text does not have yet."""
        return not _ENDS.isdisjoint(places(self.node))

    def find(self, text: str | TextAt, limit: int = MAX_SPANS) -> list[Span]:
        """Return the first ``limit`` matches, as (start, end) in code points, as `re.finditer` gives them.

        Raises:
            WorkLimitReached: the text's call has made too much work.
        """
        program, data, work = self._program_for(text)
        if work is None:
            return program.find(data, limit)
        return work.search(lambda searched: program.find(searched, limit), data)

    def matches(self, text: str | TextAt) -> bool:
        """Return whether the pattern matches anywhere in ``text``.

        Raises:
            WorkLimitReached: as `find`.
        """
        program, data, work = self._program_for(text)
        return program.matches(data) if work is None else work.search(program.matches, data)

    def _program_for(self, text: str | TextAt) -> tuple[Program, bytes, Work | None]:
        plain, work = (text, None) if isinstance(text, str) else (text.text, text.work)
        return (self._plain, Plain.encode(plain), work) if plain.isascii() else (self._framed, _framed_text(text), work)

    def _members(self, index: int) -> tuple[SetMember, SetMember]:
        return SetMember(index, self.node, self._plain), SetMember(index, self.node, self._framed)


class MultiPattern:
    """Set of patterns that are searched for in one pass. Safe to share between threads.

    Raises:
        CheckConfigError: a pattern is refused, as by `Pattern`.
    """

    __slots__ = ("_framed", "_plain")

    def __init__(self, sources: Iterable[str]) -> None:
        members = [Pattern(source)._members(index) for index, source in enumerate(sources)]
        self._plain = PatternSet([plain for plain, _ in members], Plain)
        self._framed = PatternSet([framed for _, framed in members], Framed)

    def hits(self, text: str | TextAt) -> list[int]:
        """Return the indexes of the patterns that match somewhere in ``text``, exactly, in no order.

        Raises:
            WorkLimitReached: as `Pattern.find`.
        """
        plain, work = (text, None) if isinstance(text, str) else (text.text, text.work)
        if plain.isascii():
            return self._plain.hits(plain.encode(), work)
        return self._framed.hits(_framed_text(text), work)


_ENDS = frozenset((Place.END, Place.END_OR_LAST_NEWLINE))


def _framed_text(text: str | TextAt) -> bytes:
    if isinstance(text, str):
        return Framed.encode(text)
    framed = text.framed
    if framed is None:
        if text.work is not None:
            text.work.charge(len(text.text) * FRAMING_STEPS)
        framed = Framed.encode(text.text)
        object.__setattr__(text, "framed", framed)
    return framed


def _parse(source: str) -> Node:
    if len(source) > MAX_SOURCE_CHARS:
        raise PatternError(
            f"it is {len(source)} characters long, over {MAX_SOURCE_CHARS}", "Split it into several patterns."
        )
    return parse(source)


def _require_width(node: Node) -> Node:
    if min_width(node) == 0:
        raise PatternError(
            "it matches the empty text, so it would hit everywhere", "Let it need at least one character."
        )
    return node


def _anchor(node: Node) -> Node:
    # The place before a last newline is not the end of a whole text.
    return Concatenation((At(Place.START), replace_place(node, Place.END_OR_LAST_NEWLINE, Place.END), At(Place.END)))


def _shorten(source: str) -> str:
    return repr(source) if len(source) <= 80 else f"{source[:80]!r}…"
