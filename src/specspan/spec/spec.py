"""Spec and its clauses, the model that every reader returns and every other room takes.

A spec declares its own chain of command, the ladder. Where a document does not say ladder, id or version, the functions
below the model derive them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from specspan.decision import SpecRef

Ladder = tuple[str, ...]
"""Levels of authority, strongest first."""


@dataclass(frozen=True, slots=True)
class Turn:
    """Element of an example conversation."""

    role: str
    """``system``, ``developer``, ``user``, ``assistant``, ``tool``, ``untrusted`` or whatever the document names.

    Empty for text between the elements, such as ``[...]`` where turns are left out.
    """
    content: str
    """Text of the element, entities decoded; the elements of `inner` stand in it as they are written."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Attributes of the element, such as ``recipient`` and ``end_turn``."""
    inner: tuple[Turn, ...] = ()
    """Elements inside the text: ``untrusted`` text that is quoted, ``settings`` that hold for the conversation."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Judgement of the document on one answer in an example."""

    label: str
    """``GOOD``, ``BAD`` or ``OK``."""
    reason: str | None = None
    condition: str | None = None
    """Circumstances under which the verdict holds; None where it always does."""
    charged: str | None = None
    """Id of another clause that the answer is charged against."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer among those an example compares."""

    turns: tuple[Turn, ...]
    verdict: Verdict | None = None
    """None where the document gives no verdict."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Answers to one conversation, side by side."""

    answers: tuple[Answer, ...]
    turn: int
    """Number of the example's turns before the comparison."""


@dataclass(frozen=True, slots=True)
class Example:
    """Example conversation of a clause."""

    title: str
    turns: tuple[Turn, ...]
    """The conversation, without the answers compared."""
    comparisons: tuple[Comparison, ...] = ()
    line: int = 0
    """Line of the title in the document, counted from 1."""


@dataclass(frozen=True, slots=True)
class Clause:
    """Addressable section of a spec."""

    id: str
    title: str
    text: str
    """Normative text: without commentary and without examples."""
    authority: str | None
    """Level of the spec's ladder; None for a section that carries no label and so binds nobody."""
    parent: str | None = None
    """Id of the section around the clause; None at the top."""
    level: int = 1
    """Depth of the heading, 1 to 6."""
    tags: tuple[str, ...] = ()
    commentary: str = ""
    """Text that the document itself marks as not normative."""
    references: tuple[str, ...] = ()
    """Ids that the clause refers to, in order of first mention, each once."""
    examples: tuple[Example, ...] = ()
    line: int = 0
    """Line of the heading, counted from 1."""


@dataclass(frozen=True, slots=True)
class Spec:
    """Versioned document of clauses."""

    id: str
    version: str | None
    digest: str
    """``sha256:`` and the hex digest of the file's bytes, which identify the text."""
    ladder: tuple[str, ...]
    """Levels of the chain of command, strongest first."""
    clauses: Mapping[str, Clause]
    """Clauses by id, in the order of the document; sections without a level are among them."""
    source: str = ""
    """Path that the spec was read from."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """What else the document says of itself, such as its title, date or tags: kept, and of no meaning here."""

    @property
    def ref(self) -> SpecRef:
        """Return the identity of the spec as decisions record it."""
        return SpecRef(self.id, self.version, self.digest)

    @property
    def binding(self) -> Iterator[Clause]:
        """Return the clauses with a level: those a call can comply with or violate."""
        return (clause for clause in self.clauses.values() if clause.authority is not None)

    def rank(self, authority: str) -> int:
        """Return how far down the ladder a level stands: 0 is the strongest.

        Raises:
            ValueError: the ladder has no such level.
        """
        try:
            return self.ladder.index(authority)
        except ValueError:
            raise ValueError(
                f"unknown level {authority!r} of {self.id}; its ladder is {', '.join(self.ladder)}"
            ) from None


MODEL_SPEC_LADDERS: tuple[Ladder, ...] = (
    ("root", "system", "developer", "user", "guideline"),  # since 2025-09-12
    ("platform", "developer", "user", "guideline"),
)
"""Chains of command that the published Model Spec has had, newest first."""


def derive_ladder(levels: Iterable[str], known: Iterable[Ladder] = MODEL_SPEC_LADDERS) -> Ladder:
    """Return the known ladder that accounts for most of the ``levels`` a document uses; the newest where several do.

    A level outside the ladder is left to the reader to refuse: its place is never guessed.
    """
    used = Counter(levels)
    return max(known, key=lambda ladder: sum(used[level] for level in ladder))


_DATE = re.compile(r"(?<!\d)\d{4}-\d{2}-\d{2}(?!\d)")


def slug(text: str) -> str:
    """Return ``text`` as an id: lower case, words joined by ``_``; empty where it has no letter or digit."""
    return "_".join(re.findall(r"[a-z0-9]+", text.lower()))


def default_version(source: str) -> str | None:
    """Return the date in a file's name, or None. Two texts may share a date: the digest tells them apart."""
    date = _DATE.search(PurePath(source).stem)
    return date[0] if date else None


def default_id(source: str, first_clause: str) -> str:
    """Return the file's name without its date or, where nothing is left, the id of the document's first clause."""
    return slug(_DATE.sub("", PurePath(source).stem)).replace("_", "-") or first_clause
