"""Rubrics: instructions of a judge, and the format of its answer. Each is a file that is part of every digest."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from importlib import resources

GENERAL = "general"
LLAMA_GUARD = "llama-guard"
RUBRICS = (GENERAL, "gpt-oss-safeguard", LLAMA_GUARD, "shieldgemma")
"""Names of the rubrics: one for any model, and those of guard models, which have answer formats of their own."""
_MANY_CLAUSES = frozenset((GENERAL, LLAMA_GUARD))


@dataclass(frozen=True, slots=True)
class Rubric:
    """Instructions of a judge."""

    name: str
    text: str

    @property
    def takes_many(self) -> bool:
        """True where one request may hold several clauses."""
        return self.name in _MANY_CLAUSES


@functools.cache
def load_rubric(name: str) -> Rubric:
    """Return the rubric of a name, one of `RUBRICS`."""
    folder = resources.files("specspan.checks.judging").joinpath("rubrics")
    return Rubric(name, folder.joinpath(f"{name}.md").read_text("utf-8"))
