"""Patterns that run in linear time, one at a time and many in one pass."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import re2

from specspan.checks.base import CheckConfigError, TextAt

MAX_SPANS = 16
"""How many places of one pattern in one text are told apart."""


class Pattern:
    """One pattern, compiled. Safe to share between threads.

    Raises:
        CheckConfigError: it cannot run in linear time, is no pattern, or matches the empty text.
    """

    __slots__ = ("_compiled", "source")

    def __init__(self, source: str, *, ignore_case: bool = False) -> None:
        self.source = f"(?i){source}" if ignore_case else source
        """The pattern with its flags inside it."""
        try:
            self._compiled = re2.compile(self.source, _options())
        except re2.error as error:
            raise CheckConfigError(
                f"pattern {source!r} cannot run in linear time: {error}",
                "leave out look-around, back references and the like",
            ) from None
        if self._compiled.search("") is not None:
            raise CheckConfigError(f"pattern {source!r} matches the empty text", "let it match at least one character")

    def find(self, text: str | TextAt, limit: int = MAX_SPANS) -> list[tuple[int, int]]:
        """The first ``limit`` matches in ``text``, as (start, end) in code points."""
        found: list[tuple[int, int]] = []
        for match in self._compiled.finditer(_readable(text)):
            found.append(match.span())
            if len(found) == limit:
                break
        return found


class MultiPattern:
    """Many patterns, looked for in one pass. Safe to share between threads."""

    __slots__ = ("_compiled",)

    def __init__(self, sources: Iterable[str]) -> None:
        self._compiled = tuple(Pattern(source) for source in sources)

    def hits(self, text: str | TextAt) -> Sequence[int]:
        """Indexes of the patterns that match somewhere in ``text``, in no order."""
        return [index for index, pattern in enumerate(self._compiled) if pattern.find(text, limit=1)]


def _readable(text: str | TextAt) -> str:
    whole = text if isinstance(text, str) else text.text
    return whole.encode("utf-8", "replace").decode()


def _options() -> re2.Options:
    options = re2.Options()
    options.log_errors = False
    return options
