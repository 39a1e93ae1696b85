"""Patterns as a policy writes them, alone and many in one pass.

A pattern means what Python's `re` says it means, in every text, and runs in time linear in the text: RE2 carries it
out. What needs backtracking is refused when it is compiled. `re` never runs a pattern of a policy.
"""

from __future__ import annotations

from collections.abc import Iterable

from specspan.checks.check import CheckConfigError, TextAt
from specspan.checks.regex.matching import Many, Program, Span, Wanted
from specspan.checks.regex.parser import Refused, parse
from specspan.checks.regex.re2_syntax import Framed, Plain
from specspan.checks.regex.syntax_tree import At, Concatenation, Node, Place, max_width, min_width, places, with_place

MAX_SPANS = 16
"""Most matches of one pattern in one text that are told apart."""
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
        except Refused as refused:
            raise CheckConfigError(f"pattern {_shorten(source)}: {refused.problem}", refused.remedy) from None

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
        """Return the first ``limit`` matches, as (start, end) in code points, as `re.finditer` gives them."""
        plain = text if isinstance(text, str) else text.text
        if plain.isascii():
            return self._plain.find(Plain.write(plain), limit)
        return self._framed.find(_framed_text(text), limit)

    def matches(self, text: str | TextAt) -> bool:
        """Return whether the pattern matches anywhere in ``text``."""
        plain = text if isinstance(text, str) else text.text
        if plain.isascii():
            return self._plain.matches(Plain.write(plain))
        return self._framed.matches(_framed_text(text))

    def _wanted(self, index: int) -> tuple[Wanted, Wanted]:
        return Wanted(index, self.node, self._plain), Wanted(index, self.node, self._framed)


class MultiPattern:
    """Set of patterns that are looked for in one pass. Safe to share between threads.

    Raises:
        CheckConfigError: one of them is refused, as by `Pattern`.
    """

    __slots__ = ("_framed", "_plain")

    def __init__(self, sources: Iterable[str]) -> None:
        wanted = [Pattern(source)._wanted(index) for index, source in enumerate(sources)]
        self._plain = Many([plain for plain, _ in wanted], Plain)
        self._framed = Many([framed for _, framed in wanted], Framed)

    def hits(self, text: str | TextAt) -> list[int]:
        """Return the indexes of the patterns that match somewhere in ``text``, exactly, in no order."""
        plain = text if isinstance(text, str) else text.text
        if plain.isascii():
            return self._plain.hits(plain.encode())
        return self._framed.hits(_framed_text(text))


_ENDS = frozenset((Place.END, Place.END_OR_LAST_NEWLINE))


def _framed_text(text: str | TextAt) -> bytes:
    if isinstance(text, str):
        return Framed.write(text)
    framed = text.framed
    if framed is None:
        framed = Framed.write(text.text)
        object.__setattr__(text, "framed", framed)
    return framed


def _parse(source: str) -> Node:
    if len(source) > MAX_SOURCE_CHARS:
        raise Refused(
            f"it is {len(source)} characters long, over {MAX_SOURCE_CHARS}", "Split it into several patterns."
        )
    return parse(source)


def _require_width(node: Node) -> Node:
    if min_width(node) == 0:
        raise Refused("it matches the empty text, so it would hit everywhere", "Let it need at least one character.")
    return node


def _anchor(node: Node) -> Node:
    # The place before a last newline is not the end of a whole text.
    return Concatenation((At(Place.START), with_place(node, Place.END_OR_LAST_NEWLINE, Place.END), At(Place.END)))


def _shorten(source: str) -> str:
    return repr(source) if len(source) <= 80 else f"{source[:80]!r}…"
