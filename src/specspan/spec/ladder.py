"""Which chain of command a spec has. It belongs to the spec: declared at its top, or one its format is known for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

Ladder = tuple[str, ...]
"""Levels of authority, strongest first."""

MODEL_SPEC_LADDERS: tuple[Ladder, ...] = (
    ("root", "system", "developer", "user", "guideline"),  # since 2025-09-12
    ("platform", "developer", "user", "guideline"),
)
"""The chains of command that the published Model Spec has had, newest first."""


def derive(levels: Iterable[str], known: Iterable[Ladder] = MODEL_SPEC_LADDERS) -> Ladder:
    """The known ladder that accounts for most of the ``levels`` a document uses; the newest where several do.

    A level outside it is the reader's to refuse: it is never guessed where it would stand.
    """
    used = Counter(levels)
    return max(known, key=lambda ladder: sum(used[level] for level in ladder))
