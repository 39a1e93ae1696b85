"""Markdown of specs, split into front matter and blocks: the part of CommonMark that tells a heading from other text.

Only structure is read: ATX headings, fences, HTML comments, admonitions (``!!! meta "Commentary"``) and paragraphs.
Everything inside a paragraph stays as it is written. Front matter is YAML between two ``---`` lines at the very top,
with id, version and ladder of the spec.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import Enum
from typing import Any

import yaml

from specspan._support.messages import Problems
from specspan.errors import Problem
from specspan.spec.spec import Ladder

MAX_BLOCKS = 200_000
MAX_HEADINGS = 50_000
"""Number of headings beyond which a document is refused before it takes memory; the published Model Spec has eighty."""
# CommonMark 0.31: up to three spaces before a heading or a fence; four are indented code.
_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]|$)")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)$")
_COMMENT = re.compile(r" {0,3}<!--")
_COMMENT_BEHIND = re.compile(r"[ \t]*<!--")
_ADMONITION = re.compile(r"!!![ \t]+([\w-]+)")
_EXAMPLE = re.compile(r" {0,3}\*\*Example(?:\*\*:|:\*\*)")
_FRONT_MATTER_KEYS = ("id", "version", "ladder")
"""Keys that every document may have."""
_MEANINGFUL_KEYS = (*_FRONT_MATTER_KEYS, "authority")
"""Keys that mean something in some document, and are never somebody else's."""
_MAX_CHARS = 65_536
MAX_METADATA_VALUES = 10_000
_MAX_METADATA_DEPTH = 20
_MAX_KEY_CHARS = 100
_MISSPELT = 0.85
"""Likeness of an unknown key to a known one above which it is refused: "autority" is, "author" is not."""
_OPENS = re.compile(r"---[ \t]*\n")
_CLOSES = re.compile(r"^(?:---|\.\.\.)[ \t]*$", re.MULTILINE)
_WORD = re.compile(r"[A-Za-z0-9][\w.:+-]*")


class BlockKind(Enum):
    """Kind of a block."""

    HEADING = "heading"
    FENCE = "fence"
    ADMONITION = "admonition"
    EXAMPLE = "example"
    """Paragraph that announces an example."""
    PARAGRAPH = "paragraph"


@dataclass(frozen=True, slots=True)
class Block:
    """Block of a document."""

    kind: BlockKind
    line: int
    """First line of the block, counted from 1."""
    lines: tuple[str, ...]
    """Lines as written, with the marks of heading, fence or admonition."""
    info: str = ""
    """Words of a fence behind its marks, or an admonition's type; empty for other blocks."""

    @property
    def text(self) -> str:
        """Return the lines as written."""
        return "\n".join(self.lines)

    @property
    def body(self) -> str:
        """Return the text inside a fence or an admonition."""
        if self.kind is BlockKind.FENCE:
            return "\n".join(self.lines[1:-1])
        return "\n".join(_dedent(line) for line in self.lines[1:]).strip("\n")


@dataclass(frozen=True, slots=True)
class FrontMatter:
    """Declarations at the top of a document; None for each that is missing."""

    id: str | None = None
    version: str | None = None
    ladder: Ladder | None = None
    authority: str | None = None
    """Level of sections that do not say otherwise, in formats that have such a default."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """Values of all other keys, each a text, a list or a mapping of such."""
    end: int = 0
    """Offset in the text at which the document itself begins."""
    lines: int = 0
    """Number of lines before that offset."""


def split_blocks(text: str, problems: Problems, *, first_line: int = 1) -> Iterator[Block]:
    """Yield every block of ``text`` in order, HTML comments left out; errors are added to ``problems``."""
    lines = text.split("\n")
    at = count = headings = 0
    while at < len(lines):
        if not lines[at].strip():
            at += 1
            continue
        block, end = _read_block(lines, at, first_line, problems)
        if block is not None:
            count, headings = count + 1, headings + (block.kind is BlockKind.HEADING)
            if count > MAX_BLOCKS or headings > MAX_HEADINGS:
                message = f"there are more than {MAX_HEADINGS:,} headings or {MAX_BLOCKS:,} paragraphs"
                raise problems.error(Problem(message, "Write several specs.", block.line))
            yield block
        at = end


def read_front_matter(text: str, problems: Problems, *, extra_keys: tuple[str, ...] = ()) -> FrontMatter:
    """Return the front matter of a document, empty where it has none; errors are added to ``problems``.

    ``extra_keys`` are keys that the format has beside those of every format. Any further key is somebody else's, a site
    generator's for example, and kept as metadata, unless it is one of these misspelt.
    """
    opens = _OPENS.match(text)
    if opens is None:
        return FrontMatter()
    closes = _CLOSES.search(text, opens.end())
    if closes is None or closes.start() > _MAX_CHARS:
        remedy = "Close it with a line '---'; a rule at the very top needs an empty line before it."
        problems.add(Problem(f"the front matter is not closed within {_MAX_CHARS} characters", remedy, 1))
        return FrontMatter()
    declared: dict[str, Ladder] = {}
    metadata: dict[str, Any] = {}
    known = (*_FRONT_MATTER_KEYS, *extra_keys)
    for key, node, line in _front_matter_entries(text[opens.end() : closes.start()], problems):
        words = _words(node)
        if problem := _key_problem(key, line, {*declared, *metadata}, known):
            problems.add(problem)
        elif key not in known:
            metadata[key] = _plain_value(node, problems, line)
        elif problem := _value_problem(key, words, line):
            problems.add(problem)
        else:
            declared[key] = words
    (id_,), (version,) = declared.get("id", (None,)), declared.get("version", (None,))
    (authority,) = declared.get("authority", (None,))
    end = min(closes.end() + 1, len(text))
    return FrontMatter(id_, version, declared.get("ladder"), authority, metadata, end, text.count("\n", 0, end))


def _read_block(lines: list[str], at: int, first_line: int, problems: Problems) -> tuple[Block | None, int]:
    """Return the block that begins at line ``at`` (None for a comment), and the index of the line after it."""
    line, number = lines[at], at + first_line
    if _HEADING.match(line):
        return Block(BlockKind.HEADING, number, (line,)), at + 1
    if fence := _opening_fence(line):
        return _read_fence(lines, at, number, fence, problems)
    if _COMMENT.match(line):
        return None, _skip_comment(lines, at, number, problems)
    if admonition := _ADMONITION.match(line):
        end = _end_of_indented(lines, at + 1)
        return Block(BlockKind.ADMONITION, number, tuple(lines[at:end]), admonition[1]), end
    end = at + 1
    while end < len(lines) and lines[end].strip() and not _ends_paragraph(lines[end]):
        end += 1
    kind = BlockKind.EXAMPLE if _EXAMPLE.match(line) else BlockKind.PARAGRAPH
    return Block(kind, number, tuple(lines[at:end])), end


def _ends_paragraph(line: str) -> bool:
    """Return whether a paragraph ends before this line."""
    return bool(
        _HEADING.match(line)
        or _opening_fence(line)
        or _COMMENT.match(line)
        or _ADMONITION.match(line)
        or _EXAMPLE.match(line)
    )


def _opening_fence(line: str) -> re.Match[str] | None:
    """Return the fence that opens on this line. A backtick fence has no backtick behind it: that is inline code."""
    fence = _FENCE.match(line)
    return None if fence is None or (fence[1][0] == "`" and "`" in fence[2]) else fence


def _read_fence(
    lines: list[str], at: int, number: int, opening: re.Match[str], problems: Problems
) -> tuple[Block, int]:
    mark, info = opening[1], opening[2].strip()
    empty = Block(BlockKind.FENCE, number, (lines[at], mark), info)
    for end in range(at + 1, len(lines)):
        inner = _FENCE.match(lines[end])
        if inner is None or inner[1][0] != mark[0] or len(inner[1]) < len(mark):
            continue
        if not inner[2].strip():
            return Block(BlockKind.FENCE, number, tuple(lines[at : end + 1]), info), end + 1
        if mark[0] == "~" and inner[2].strip() == info:
            # To CommonMark this line is content. Then a fence that somebody forgot to close would swallow
            # everything up to the end of the next one, headings included, and nobody would know.
            problems.add(_unclosed_fence(mark, number, f"before the next one opens on line {number + end - at}"))
            return empty, end
    problems.add(_unclosed_fence(mark, number, "before the document ends"))
    return empty, len(lines)


def _unclosed_fence(mark: str, number: int, where: str) -> Problem:
    return Problem(f"the fence {mark!r} is not closed {where}", f"Close it with a line {mark!r}.", number)


def _skip_comment(lines: list[str], at: int, number: int, problems: Problems) -> int:
    """Return the line after the comment that opens at ``at``; text behind its end stays, as a line of its own."""
    start = lines[at].index("<!--") + 4
    for end in range(at, len(lines)):
        line = lines[end]
        while (close := line.find("-->", start)) >= 0:
            another = _COMMENT_BEHIND.match(line, close + 3)
            if another is None:
                lines[end] = line[close + 3 :].strip()
                return end
            start = another.end()
        start = 0
    problems.add(Problem("the comment '<!--' is not closed before the document ends", "Close it with '-->'.", number))
    return len(lines)


def _end_of_indented(lines: Sequence[str], at: int) -> int:
    """Return the index after the indented run at ``at``; blank lines belong to the run when more of it follows."""
    end = at
    for index in range(at, len(lines)):
        if lines[index].startswith(("    ", "\t")) and lines[index].strip():
            end = index + 1
        elif lines[index].strip():
            break
    return end


def _dedent(line: str) -> str:
    return line[1:] if line.startswith("\t") else line.removeprefix("    ")


def _front_matter_entries(yaml_text: str, problems: Problems) -> Iterator[tuple[str, yaml.Node, int]]:
    """Yield key, value and line of each entry."""
    try:
        top = yaml.compose(yaml_text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        what = getattr(error, "problem", None) or "it cannot be parsed"
        line = 1 if mark is None else mark.line + 2
        problems.add(Problem(f"the front matter is not YAML: {what}", "Write one 'key: value' a line.", line))
        return
    if top is None:
        return
    if not isinstance(top, yaml.MappingNode):
        remedy = "Write one 'key: value' a line; a rule at the very top needs an empty line before it."
        problems.add(Problem("the front matter has no keys", remedy, 1))
        return
    for key, value in top.value:
        yield str(key.value), value, key.start_mark.line + 2


def _words(value: yaml.Node) -> Ladder:
    """Return the words of a value as they are written: a version ``1.10`` is text, and so is a date."""
    nodes = value.value if isinstance(value, yaml.SequenceNode) else [value]
    return tuple(node.value if isinstance(node, yaml.ScalarNode) else "" for node in nodes)


def _plain_value(value: yaml.Node, problems: Problems, line: int) -> Any:
    """Return a value with all of its words as they are written; one that grows without bounds is refused."""
    left = MAX_METADATA_VALUES

    def plain(node: yaml.Node, depth: int) -> Any:
        nonlocal left
        left -= 1
        if left < 0 or depth > _MAX_METADATA_DEPTH:
            raise OverflowError
        if isinstance(node, yaml.MappingNode):
            return {str(_words(key)[0]): plain(below, depth + 1) for key, below in node.value}
        if isinstance(node, yaml.SequenceNode):
            return [plain(below, depth + 1) for below in node.value]
        return str(node.value)

    try:
        return plain(value, 0)
    except OverflowError:  # aliases may repeat a value without end
        message = f"a value of the front matter has more than {MAX_METADATA_VALUES:,} parts"
        problems.add(Problem(message, "Leave it out, or write less.", line))
        return None


def _key_problem(key: str, line: int, seen: Container[str], known: tuple[str, ...]) -> Problem | None:
    """Return the error of a key, or None: it stands twice, or is near enough to a known one to be meant for it."""
    if key in seen:
        return Problem(f"duplicate key {key!r} in the front matter", "Keep one of them.", line)
    if key in known:
        return None
    meant = get_close_matches(key.lower()[:_MAX_KEY_CHARS], _MEANINGFUL_KEYS, n=1, cutoff=_MISSPELT)
    if not meant:
        return None
    remedy = f"Did you mean {meant[0]!r}?" if meant[0] in known else f"Known are {', '.join(known)}."
    return Problem(f"unknown key {key!r} in the front matter", remedy, line)


def _value_problem(key: str, words: Ladder, line: int) -> Problem | None:
    """Return the error of a value, or None."""
    if not words or not all(_WORD.fullmatch(word) for word in words):
        return Problem(
            f"{key!r} has a value that cannot be used", "Give words of letters, digits and '_.:+-'.", line, key
        )
    if key != "ladder" and len(words) > 1:
        return Problem(f"{key!r} has more than one value", "Give one.", line, key)
    if len(set(words)) < len(words):
        return Problem("the ladder names a level twice", "Name each level once, the strongest first.", line, key)
    return None
