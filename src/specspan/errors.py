"""Errors that specspan raises.

::

    SpecspanError
    ├── ConfigurationError        misuse: something you wrote must change
    │   ├── SpecError             a spec could not be read
    │   ├── PolicyError           a policy was refused
    │   └── MissingDependency     an optional library is not installed
    ├── StoreError                the environment: a file or a database could not be used
    │   └── EmptyStore            nothing was ever recorded in it
    ├── OversightRefused          a person's ruling or approval was refused; ``code`` says why
    └── Blocked                   the policy stopped a model call (the only one that reaches instrumented code)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from specspan.decision import Decision


class SpecspanError(Exception):
    """Root of the tree of errors."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Single error in a file."""

    message: str
    """Description of the error, naming the thing that is wrong."""
    remedy: str
    """Change that mends it."""
    line: int | None = None
    """Counted from 1; None when the whole file is meant."""
    key: str | None = None
    """Place in the structure, such as ``clauses.protect_privacy.action``."""
    source: str | None = None
    """The file, where it is another than the error's own."""


class ConfigurationError(SpecspanError):
    """Error in something the user wrote, which must change.

    ``str()`` gives a line a problem: ``file:line: key: message. remedy``.
    """

    def __init__(self, source: str, *problems: Problem) -> None:
        super().__init__(source, *problems)
        self.source = source
        """The file, or whatever else was read."""
        self.problems = problems
        """At least one."""

    def __str__(self) -> str:
        return "\n".join(_line(self.source, problem) for problem in self.problems)


class SpecError(ConfigurationError):
    """Error in a spec, which could not be read."""


class PolicyError(ConfigurationError):
    """Error in a policy, which was refused."""


class MissingDependency(ConfigurationError):
    """Absence of an optional library; the remedy is the ``pip install`` line."""


class StoreError(SpecspanError):
    """Failure to read or write a file or database of specspan's."""


class EmptyStore(StoreError):
    """Store that does not exist yet, or in which nothing was ever recorded."""


class OversightRefused(SpecspanError):
    """Refusal of what a person asked for in a review or an approval; nothing was changed."""

    def __init__(self, code: str, problem: str, remedy: str) -> None:
        super().__init__(code, problem, remedy)
        self.code = code
        """Low-cardinality code of the reason, such as ``already_ruled``."""
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.problem}. {self.remedy}"


class Blocked(SpecspanError):
    """Stop of a model call by the policy, before the call was made or before its answer was handed over."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(decision)
        self.decision = decision
        """What was decided, by which clause and under which texts."""

    def __str__(self) -> str:
        decision = self.decision
        return f"{decision.action} by clause {decision.governing_clause!r} ({decision.reason}); decision {decision.id}"


def _line(source: str, problem: Problem) -> str:
    file = problem.source or source
    where = file if problem.line is None else f"{file}:{problem.line}"
    key = f" {problem.key}:" if problem.key else ""
    return f"{where}:{key} {problem.message.rstrip('.')}. {problem.remedy}"
