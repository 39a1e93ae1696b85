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
"""How many places of one pattern in one text are told apart."""
MAX_SOURCE_CHARS = 100_000


class Pattern:
    """One pattern, compiled. Safe to share between threads.

    Raises:
        CheckConfigError: it is no pattern, needs backtracking, matches the empty text or is too large.
    """

    __slots__ = ("_framed", "_plain", "node", "source")

    def __init__(self, source: str, *, ignore_case: bool = False, whole: bool = False) -> None:
        self.source = f"(?i){source}" if ignore_case else source
        """The pattern with its flags inside it."""
        try:
            self.node = _whole(_parsed(self.source)) if whole else _somewhere(_parsed(self.source))
            self._plain, self._framed = Program(self.node, Plain), Program(self.node, Framed)
        except Refused as refused:
            raise CheckConfigError(f"pattern {_short(source)}: {refused.problem}", refused.remedy) from None

    @property
    def max_width(self) -> int | None:
        """The most characters a match has; None for no limit."""
        return max_width(self.node)

    @property
    def needs_start(self) -> bool:
        r"""Whether it asks for the start of the text (``^``, ``\A``): what stands later is no start."""
        return Place.START in places(self.node)

    @property
    def needs_end(self) -> bool:
        r"""Whether it asks for the end of the text (``$``, ``\Z``): on a growing text only the end decides."""
        return not _ENDS.isdisjoint(places(self.node))

    @property
    def looks_ahead(self) -> bool:
        r"""Whether the next character decides (``\b``, ``\B``, ``(?m)$``).

        On a growing text a match that reaches its end may be gone with the next character.
        """
        return not _NEXT.isdisjoint(places(self.node))

    def find(self, text: str | TextAt, limit: int = MAX_SPANS) -> list[Span]:
        """The first ``limit`` matches, as (start, end) in code points, as `re.finditer` gives them."""
        plain = text if isinstance(text, str) else text.text
        if plain.isascii():
            return self._plain.find(Plain.write(plain), limit)
        return self._framed.find(_in_frames(text), limit)

    def matches(self, text: str | TextAt) -> bool:
        """Whether it stands anywhere in ``text``."""
        plain = text if isinstance(text, str) else text.text
        if plain.isascii():
            return self._plain.matches(Plain.write(plain))
        return self._framed.matches(_in_frames(text))

    def _wanted(self, index: int) -> tuple[Wanted, Wanted]:
        return Wanted(index, self.node, self._plain), Wanted(index, self.node, self._framed)


class MultiPattern:
    """Many patterns, looked for in one pass. Safe to share between threads.

    Raises:
        CheckConfigError: one of them is refused, as by `Pattern`.
    """

    __slots__ = ("_framed", "_plain")

    def __init__(self, sources: Iterable[str]) -> None:
        wanted = [Pattern(source)._wanted(index) for index, source in enumerate(sources)]
        self._plain = Many([plain for plain, _ in wanted], Plain)
        self._framed = Many([framed for _, framed in wanted], Framed)

    def hits(self, text: str | TextAt) -> list[int]:
        """The indexes of the patterns that match somewhere in ``text``, exactly, in no order."""
        plain = text if isinstance(text, str) else text.text
        if plain.isascii():
            return self._plain.hits(plain.encode())
        return self._framed.hits(_in_frames(text))


_ENDS = frozenset((Place.END, Place.END_OR_LAST_NEWLINE))
_NEXT = frozenset((Place.LINE_END, Place.BOUNDARY, Place.NOT_BOUNDARY))


def _in_frames(text: str | TextAt) -> bytes:
    if isinstance(text, str):
        return Framed.write(text)
    framed = text.framed
    if framed is None:
        framed = Framed.write(text.text)
        object.__setattr__(text, "framed", framed)
    return framed


def _parsed(source: str) -> Node:
    if len(source) > MAX_SOURCE_CHARS:
        raise Refused(
            f"it is {len(source)} characters long, over {MAX_SOURCE_CHARS}", "Split it into several patterns."
        )
    return parse(source)


def _somewhere(node: Node) -> Node:
    if min_width(node) == 0:
        raise Refused("it matches the empty text, so it would hit everywhere", "Let it need at least one character.")
    return node


def _whole(node: Node) -> Node:
    # Before a last newline is not the end of the whole.
    return Concatenation((At(Place.START), with_place(node, Place.END_OR_LAST_NEWLINE, Place.END), At(Place.END)))


def _short(source: str) -> str:
    return repr(source) if len(source) <= 80 else f"{source[:80]!r}…"
