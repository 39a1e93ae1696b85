"""A spec and its clauses, as every reader gives them and everything else takes them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import PurePath

from specspan.decision import SpecRef


@dataclass(frozen=True, slots=True)
class Turn:
    """One element of an example conversation."""

    role: str
    """``system``, ``developer``, ``user``, ``assistant``, ``tool``, ``untrusted`` or whatever the document names.

    Empty for text between the elements, such as ``[...]`` where turns are left out.
    """
    content: str
    """Its text, entities decoded; the elements of `inner` stand in it as they are written."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """Attributes of the element, such as ``recipient`` and ``end_turn``."""
    inner: tuple[Turn, ...] = ()
    """Elements inside it: ``untrusted`` text that is quoted, ``settings`` that hold for the conversation."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the document says of one answer in an example."""

    label: str
    """``GOOD``, ``BAD`` or ``OK``."""
    reason: str | None = None
    condition: str | None = None
    """When the verdict holds, where it depends on something."""
    charged: str | None = None
    """Id of another clause that the answer is charged against."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer among those an example compares."""

    turns: tuple[Turn, ...]
    verdict: Verdict | None = None
    """None where the document gives none."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Answers to one conversation, side by side."""

    answers: tuple[Answer, ...]
    turn: int
    """How many of the example's turns come before it."""


@dataclass(frozen=True, slots=True)
class Example:
    """An example conversation of a clause."""

    title: str
    turns: tuple[Turn, ...]
    """The conversation, without the answers compared."""
    comparisons: tuple[Comparison, ...] = ()
    line: int = 0
    """Line of its title in the document, counted from 1."""


@dataclass(frozen=True, slots=True)
class Clause:
    """One addressable section of a spec."""

    id: str
    title: str
    text: str
    """Normative text: without commentary and without examples."""
    authority: str | None
    """Its level, one of the spec's ladder; None for a section that carries no label and so binds nobody."""
    parent: str | None = None
    """Id of the section it stands in; None at the top."""
    level: int = 1
    """Depth of its heading, 1 to 6."""
    tags: tuple[str, ...] = ()
    commentary: str = ""
    """What the document itself marks as not normative."""
    references: tuple[str, ...] = ()
    """Ids it refers to, in order of first mention, each once."""
    examples: tuple[Example, ...] = ()
    line: int = 0
    """Line of its heading, counted from 1."""


@dataclass(frozen=True, slots=True)
class Spec:
    """A versioned document of clauses."""

    id: str
    version: str | None
    digest: str
    """``sha256:`` and the hex digest of the file's bytes. It decides which text this is."""
    ladder: tuple[str, ...]
    """Levels of its chain of command, strongest first."""
    clauses: Mapping[str, Clause]
    """By id, in the order of the document. Sections without a level are among them."""
    source: str = ""
    """Where it was read from."""

    @property
    def ref(self) -> SpecRef:
        """Its identity, as it stands in decisions."""
        return SpecRef(self.id, self.version, self.digest)

    @property
    def binding(self) -> Iterator[Clause]:
        """The clauses with a level: those a call can comply with or violate."""
        return (clause for clause in self.clauses.values() if clause.authority is not None)

    def rank(self, authority: str) -> int:
        """How far down the ladder a level stands: 0 is the strongest.

        Raises:
            ValueError: the ladder has no such level.
        """
        try:
            return self.ladder.index(authority)
        except ValueError:
            raise ValueError(
                f"{authority!r} is no level of {self.id}; its ladder is {', '.join(self.ladder)}"
            ) from None


# MERGED ladder: Which chain of command a spec has. It belongs to the spec: declared at its top, or one its format
# is known for.


Ladder = tuple[str, ...]
"""Levels of authority, strongest first."""

MODEL_SPEC_LADDERS: tuple[Ladder, ...] = (
    ("root", "system", "developer", "user", "guideline"),  # since 2025-09-12
    ("platform", "developer", "user", "guideline"),
)
"""The chains of command that the published Model Spec has had, newest first."""


def derive_ladder(levels: Iterable[str], known: Iterable[Ladder] = MODEL_SPEC_LADDERS) -> Ladder:
    """The known ladder that accounts for most of the ``levels`` a document uses; the newest where several do.

    A level outside it is the reader's to refuse: it is never guessed where it would stand.
    """
    used = Counter(levels)
    return max(known, key=lambda ladder: sum(used[level] for level in ladder))


# MERGED identity: What a spec is called where it does not say so itself.


_DATE = re.compile(r"(?<!\d)\d{4}-\d{2}-\d{2}(?!\d)")


def slug(text: str) -> str:
    """``text`` as an id: lower case, words joined by ``_``; empty where it has no letter or digit."""
    return "_".join(re.findall(r"[a-z0-9]+", text.lower()))


def default_version(source: str) -> str | None:
    """The date in a file's name; None where there is none. Two texts may share it: the digest tells them apart."""
    date = _DATE.search(PurePath(source).stem)
    return date[0] if date else None


def default_id(source: str, first_clause: str) -> str:
    """The file's name without its date, else the id of the document's first clause."""
    return slug(_DATE.sub("", PurePath(source).stem)).replace("_", "-") or first_clause
