"""How a message names things: in quotes, short, and with what somebody may have meant."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from difflib import get_close_matches
from itertools import islice
from typing import Any

from specspan.errors import ConfigurationError, Problem

_MAX_NAME = 100
"""Longer ones are not compared: nobody means them, and comparing takes time that grows with their square."""

_MAX_KNOWN = 5_000
"""Of more, the first are compared: a file may have a hundred names to look for, and each is held against all."""


def nearest_names(name: str, known: Iterable[str], n: int = 3) -> list[str]:
    """The known names most like ``name``, the most alike first; none where nothing is alike."""
    if len(name) > _MAX_NAME:
        return []
    by_fold = {candidate.lower(): candidate for candidate in islice(known, _MAX_KNOWN)}
    return [by_fold[match] for match in get_close_matches(name.lower(), by_fold, n=n, cutoff=0.6)]


def did_you_mean(name: str, known: Iterable[str], otherwise: str) -> str:
    """A remedy that asks for the nearest names, or says ``otherwise``."""
    close = nearest_names(name, known)
    return f"Did you mean {quoted_list(close, 'or')}?" if close else otherwise


def quoted_list(names: Iterable[str], word: str = "and") -> str:
    """Names in quotes as a sentence lists them: ``'a', 'b' or 'c'``."""
    quoted = [repr(name) for name in names]
    return f" {word} ".join(filter(None, (", ".join(quoted[:-1]), *quoted[-1:])))


def format_value(value: Any) -> str:
    """A value as a message shows it: short, in one line, nothing a terminal would obey."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    if value is None:
        return "nothing"
    text = repr(value) if isinstance(value, str) else str(value).lower()
    return text if len(text) <= 60 else f"{text[:56]}…{text[-1]}"


def as_sentence(text: str) -> str:
    """A remedy in the form all of them have: a capital first, a stop at the end."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")


# MERGED problems: What is wrong in one file, gathered so that it is named all at once.


MAX_PROBLEMS = 100
"""Reading stops here: whoever has so many mends the first of them first."""

_MAX_MESSAGE_CHARS = 300


class Problems:
    """The problems of one file, or of one file and those it builds on."""

    def __init__(self, source: str, error: type[ConfigurationError]) -> None:
        self._source = source
        self._error = error
        self._found: list[Problem] = []

    def add(self, problem: Problem) -> None:
        """Note a problem.

        Raises:
            ConfigurationError: of the kind given; this problem is the last one that is read on for.
        """
        message = problem.message
        if len(message) > _MAX_MESSAGE_CHARS:
            problem = replace(problem, message=f"{message[:_MAX_MESSAGE_CHARS]}…")
        self._found.append(problem)
        if len(self._found) == MAX_PROBLEMS:
            raise self.error(Problem(f"reading stopped at {MAX_PROBLEMS} problems", "Mend these first."))

    def add_all(self, problems: Iterable[Problem]) -> None:
        """Note several."""
        for problem in problems:
            self.add(problem)

    def error(self, *last: Problem) -> ConfigurationError:
        """The error that names every problem in the order of lines, those in other files last; and then ``last``."""
        return self._error(self._source, *sorted(self._found, key=_place), *last)

    def raise_if_any(self) -> None:
        """End the reading of a file that has a problem.

        Raises:
            ConfigurationError: of the kind given, naming every problem.
        """
        if self._found:
            raise self.error()


def _place(problem: Problem) -> tuple[str, int]:
    return problem.source or "", problem.line or 0
