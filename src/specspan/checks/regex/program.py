"""One pattern carried out by RE2, for texts in one alphabet."""

from __future__ import annotations

import re2

from specspan.checks.regex.alphabet import Alphabet
from specspan.checks.regex.emit import emit
from specspan.checks.regex.nodes import Node
from specspan.checks.regex.parse import Refused

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
