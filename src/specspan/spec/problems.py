"""What is wrong with one document, gathered so that it is named all at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from specspan.errors import Problem, SpecError

MAX_PROBLEMS = 100
"""Reading stops here: whoever has so many mends the first of them first."""

_MAX_MESSAGE_CHARS = 300


class Problems:
    """The problems of one document."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._found: list[Problem] = []

    def add(self, problem: Problem) -> None:
        """Note a problem.

        Raises:
            SpecError: it is the last one that is read on for.
        """
        message = problem.message
        if len(message) > _MAX_MESSAGE_CHARS:
            problem = replace(problem, message=f"{message[:_MAX_MESSAGE_CHARS]}…")
        self._found.append(problem)
        if len(self._found) == MAX_PROBLEMS:
            raise self._error(Problem(f"reading stopped at {MAX_PROBLEMS} problems", "Mend these first."))

    def add_all(self, problems: Iterable[Problem]) -> None:
        """Note several."""
        for problem in problems:
            self.add(problem)

    def refuse(self) -> None:
        """End the reading of a document that has a problem.

        Raises:
            SpecError: naming every problem, in the order of the document's lines.
        """
        if self._found:
            raise self._error()

    def _error(self, *last: Problem) -> SpecError:
        return SpecError(self._source, *sorted(self._found, key=lambda problem: problem.line or 0), *last)
