"""Wording of messages: names in quotes, short values, nearest names as remedies, and all problems of a file at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from difflib import get_close_matches
from itertools import islice
from typing import Any

from specspan.errors import ConfigurationError, Problem

_MAX_NAME = 100
"""Length of the longest name that is compared: comparing takes time that grows with its square."""

_MAX_KNOWN = 5_000
"""Number of known names that are compared: a file may have a hundred unknown names, each compared with all."""


MAX_PROBLEMS = 100
"""Number of problems at which reading stops."""

_MAX_MESSAGE_CHARS = 300


def nearest_names(name: str, known: Iterable[str], n: int = 3) -> list[str]:
    """Return the known names most like ``name``, the most alike first; none where nothing is alike."""
    if len(name) > _MAX_NAME:
        return []
    by_fold = {candidate.lower(): candidate for candidate in islice(known, _MAX_KNOWN)}
    return [by_fold[match] for match in get_close_matches(name.lower(), by_fold, n=n, cutoff=0.6)]


def did_you_mean(name: str, known: Iterable[str], otherwise: str) -> str:
    """Return a remedy that asks for the nearest names, or ``otherwise`` where none is near."""
    close = nearest_names(name, known)
    return f"Did you mean {quoted_list(close, 'or')}?" if close else otherwise


def quoted_list(names: Iterable[str], word: str = "and") -> str:
    """Return names in quotes as a sentence lists them: ``'a', 'b' or 'c'``."""
    quoted = [repr(name) for name in names]
    return f" {word} ".join(filter(None, (", ".join(quoted[:-1]), *quoted[-1:])))


def format_value(value: Any) -> str:
    """Return a value as a message shows it: short, in one line, without terminal control characters."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    if value is None:
        return "nothing"
    text = repr(value) if isinstance(value, str) else str(value).lower()
    return text if len(text) <= 60 else f"{text[:56]}…{text[-1]}"


def as_sentence(text: str) -> str:
    """Return a remedy with a capital first and a full stop at the end."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")


class Problems:
    """Problems of one file, or of one file and the files it extends."""

    def __init__(self, source: str, error: type[ConfigurationError]) -> None:
        self._source = source
        self._error = error
        self._problems: list[Problem] = []

    def add(self, problem: Problem) -> None:
        """Add one problem to those of the file.

        Raises:
            ConfigurationError: of the type given, when this is the last problem that is read on for.
        """
        message = problem.message
        if len(message) > _MAX_MESSAGE_CHARS:
            problem = replace(problem, message=f"{message[:_MAX_MESSAGE_CHARS]}…")
        self._problems.append(problem)
        if len(self._problems) == MAX_PROBLEMS:
            raise self.error(Problem(f"reading stopped at {MAX_PROBLEMS} problems", "Mend these first."))

    def add_all(self, problems: Iterable[Problem]) -> None:
        """Add several problems to those of the file."""
        for problem in problems:
            self.add(problem)

    def error(self, *last: Problem) -> ConfigurationError:
        """Return the error that names every problem by line, those in other files later, then ``last``."""
        return self._error(self._source, *sorted(self._problems, key=_place), *last)

    def raise_if_any(self) -> None:
        """Raise the error that names every problem, where there is one.

        Raises:
            ConfigurationError: of the type given.
        """
        if self._problems:
            raise self.error()


def _place(problem: Problem) -> tuple[str, int]:
    return problem.source or "", problem.line or 0
