"""What is wrong in one file, gathered so that it is named all at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from specspan.errors import ConfigurationError, Problem

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

    def refuse(self) -> None:
        """End the reading of a file that has a problem.

        Raises:
            ConfigurationError: of the kind given, naming every problem.
        """
        if self._found:
            raise self.error()


def _place(problem: Problem) -> tuple[str, int]:
    return problem.source or "", problem.line or 0
