"""Sections of a Markdown document: built from its blocks, and turned into clauses.

A heading carries the attributes of its section: ``## Title {#id authority=root tags=under_18,teens}``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from specspan._support.messages import Problems, did_you_mean
from specspan.errors import Problem
from specspan.spec.conversation import Conversation, InvalidConversation, read_conversation
from specspan.spec.markdown import Block, BlockKind
from specspan.spec.spec import Clause, Example, slug

MAX_TAGS = 300_000
"""Number of tags in conversations beyond which a document is refused; the Model Spec has two thousand."""
_REFERENCE_LINK = re.compile(r"\]\(#([\w.:-]+)\)")
_ID = re.compile(r"[\w.:-]+")  # no space: ids stand side by side in one attribute of a span
_PAIR = re.compile(r"([\w-]+)=(?:\"([^\"]*)\"|([^\"\s]+))")
_TOKEN = re.compile(r"[^\s\"]*\"[^\"]*\"|\S+")
_KEYS = ("authority", "tags", "references")


@dataclass(frozen=True, slots=True)
class Heading:
    """Title and attributes of a section."""

    level: int
    title: str
    line: int
    id: str
    authority: str | None = None
    tags: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    """Ids that the section refers to beside those that its text names."""


@dataclass(slots=True)
class Section:
    """Section that is still being read."""

    heading: Heading
    text: list[str] = field(default_factory=list)
    commentary: list[str] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)
    references: list[str] = field(default_factory=list)

    def add_block(self, block: Block) -> None:
        """Add a block of prose."""
        if block.kind is BlockKind.ADMONITION and block.info == "meta":
            self.commentary.append(block.body)
        else:
            self.text.append(block.text)
        if block.kind is not BlockKind.FENCE:
            self.references += _REFERENCE_LINK.findall(block.text)

    def add_example(self, title: Block, fence: Block, problems: Problems) -> None:
        """Add an example: the paragraph that announces it, and its conversation."""
        try:
            conversation = read_conversation(fence.body, fence.line + 1)
        except InvalidConversation as error:
            problems.add(error.problem)
            return
        words = " ".join(title.text.split()).removeprefix("**Example**:").removeprefix("**Example:**").strip()
        self.examples.append(Example(words, conversation.turns, conversation.comparisons, title.line))
        self.references += _REFERENCE_LINK.findall(title.text)
        self.references += _clauses_in_verdicts(conversation)


def build_sections(
    blocks: list[Block], heading: Callable[[str, int, Problems], Heading], problems: Problems
) -> list[Section]:
    """Return every section with its content, up to the next heading. Text before the first heading belongs to none.

    ``heading`` reads a heading's line.
    """
    _refuse_too_many_tags(blocks, problems)
    sections: list[Section] = []
    conversation: Block | None = None
    for block, after in zip_longest(blocks, blocks[1:]):
        if block.kind is BlockKind.HEADING:
            sections.append(Section(heading(block.text, block.line, problems)))
        elif not sections or block is conversation:
            continue
        elif block.kind is not BlockKind.EXAMPLE:
            sections[-1].add_block(block)
        elif after is not None and after.kind is BlockKind.FENCE and after.info == "xml":
            sections[-1].add_example(block, after, problems)
            conversation = after
        else:
            remedy = "Put a '~~~xml' block with its conversation behind it."
            problems.add(Problem("an example has no conversation", remedy, block.line))
    return sections


def build_clauses(sections: Iterable[Section]) -> Iterator[Clause]:
    """Yield the finished clauses; a section's parent is the nearest one above it with a higher heading."""
    above: list[Heading] = []
    for section in sections:
        heading = section.heading
        while above and above[-1].level >= heading.level:
            above.pop()
        yield Clause(
            id=heading.id,
            title=heading.title,
            text="\n\n".join(section.text),
            authority=heading.authority,
            parent=above[-1].id if above else None,
            level=heading.level,
            tags=heading.tags,
            commentary="\n\n".join(section.commentary),
            references=tuple(dict.fromkeys((*heading.references, *section.references))),
            examples=tuple(section.examples),
            line=heading.line,
        )
        above.append(heading)


def _refuse_too_many_tags(blocks: Iterable[Block], problems: Problems) -> None:
    tags = 0
    for block in blocks:
        if block.kind is BlockKind.FENCE and block.info == "xml":
            tags += sum(line.count("<") for line in block.lines)
            if tags > MAX_TAGS:
                message = f"there are more than {MAX_TAGS:,} tags in conversations"
                raise problems.error(Problem(message, "Write several specs.", block.line))


def _clauses_in_verdicts(conversation: Conversation) -> Iterator[str]:
    """Yield the ids of the clauses that the verdicts of a conversation name."""
    for comparison in conversation.comparisons:
        for answer in comparison.answers:
            if answer.verdict is not None:
                yield from filter(None, [answer.verdict.charged])
                yield from _REFERENCE_LINK.findall(answer.verdict.reason or "")


def read_heading(written: str, line: int, problems: Problems) -> Heading:
    """Return the heading on a line. Its errors are added to ``problems``, and a stand-in id replaces a missing one."""
    level, text = split_marks(written)
    title, block = _split_attributes(text)
    attributes: dict[str, str] = {}
    for token in _TOKEN.finditer(block or ""):  # one after another: a line may have a million
        key, value, problem = _read_attribute(token[0])
        if problem is None and key in attributes:
            problem = Problem(f"{title!r} has {key} twice", "Keep one of them.")
        if problem is not None:
            problems.add(replace(problem, line=line))
        if key:
            attributes.setdefault(key, value)
    if "id" not in attributes:
        problems.add(_missing_id(title, block, line))
    tags, references = (tuple(filter(None, attributes.get(key, "").split(","))) for key in ("tags", "references"))
    return Heading(
        level, title, line, attributes.get("id", f"line {line}"), attributes.get("authority"), tags, references
    )


def split_marks(written: str) -> tuple[int, str]:
    """Return the level of a heading's line, and the text behind its opening marks."""
    marks = written.lstrip(" ")
    level = len(marks) - len(marks.lstrip("#"))
    return level, marks[level:].strip()


def strip_closing_marks(title: str) -> str:
    """Return a title without the marks behind a space at its end, which CommonMark does not count as text."""
    bare = title.rstrip("#")
    return bare.rstrip() if bare.endswith((" ", "\t")) or not bare else title


def _split_attributes(text: str) -> tuple[str, str | None]:
    """Return the title and the text in the braces at its end; None without braces."""
    block = None
    if text.endswith("}") and "{" in text:
        text, _, block = text[:-1].rpartition("{")
        text = text.rstrip()
    return strip_closing_marks(text), block


def _read_attribute(token: str) -> tuple[str, str, Problem | None]:
    """Return key, value and problem of one attribute; the key is empty where it is unknown."""
    if token.startswith("#"):
        if _ID.fullmatch(token, 1):
            return "id", token[1:], None
        return "id", token, Problem(f"invalid id {token!r}", "Ids have letters, digits and '_.:-'.")
    pair = _PAIR.fullmatch(token)
    if pair is None:
        return "", "", Problem(f"invalid attribute {token!r}", "Write '#id', 'authority=level' or 'tags=one,two'.")
    key = pair[1]
    if key in _KEYS:
        return key, pair[2] if pair[3] is None else pair[3], None
    remedy = did_you_mean(key, _KEYS, f"Known are {', '.join(_KEYS)}.")
    return "", "", Problem(f"unknown attribute {key!r}", remedy)


def _missing_id(title: str, block: str | None, line: int) -> Problem:
    if block is None and "{" in title:
        return Problem(
            f"the attributes of {title!r} do not end the line",
            "End the heading with '{#id ...}' and nothing else.",
            line,
        )
    return Problem(f"section {title!r} has no id", f"Write {{#{slug(title) or 'its_id'}}} behind its title.", line)
