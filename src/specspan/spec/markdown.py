"""Markdown as specs use it, cut into blocks: the part of CommonMark that says where a heading is and where none is.

Only what decides about structure is read: ATX headings, fences, HTML comments, admonitions (``!!! meta "Commentary"``)
and paragraphs. Everything inside a paragraph stays as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from specspan.errors import Problem
from specspan.problems import Problems

# CommonMark 0.31: up to three spaces before a heading or a fence; four are indented code.
_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]|$)")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)$")
_COMMENT = re.compile(r" {0,3}<!--")
_COMMENT_BEHIND = re.compile(r"[ \t]*<!--")
_ADMONITION = re.compile(r"!!![ \t]+([\w-]+)")
_EXAMPLE = re.compile(r" {0,3}\*\*Example(?:\*\*:|:\*\*)")


MAX_BLOCKS = 200_000
MAX_HEADINGS = 50_000
"""A document with more is refused before it takes memory; the published Model Spec has eighty headings."""


class BlockKind(Enum):
    """What a block is."""

    HEADING = "heading"
    FENCE = "fence"
    ADMONITION = "admonition"
    EXAMPLE = "example"
    """The paragraph that announces an example."""
    PARAGRAPH = "paragraph"


@dataclass(frozen=True, slots=True)
class Block:
    """One block of a document."""

    kind: BlockKind
    line: int
    """Its first line, counted from 1."""
    lines: tuple[str, ...]
    """As written, with the marks of heading, fence or admonition."""
    info: str = ""
    """What a fence says after its marks, or an admonition's type; empty for other blocks."""

    @property
    def text(self) -> str:
        """As written."""
        return "\n".join(self.lines)

    @property
    def body(self) -> str:
        """What stands inside a fence or an admonition."""
        if self.kind is BlockKind.FENCE:
            return "\n".join(self.lines[1:-1])
        return "\n".join(_dedent(line) for line in self.lines[1:]).strip("\n")


def blocks(text: str, problems: Problems, *, first_line: int = 1) -> Iterator[Block]:
    """Every block of ``text`` in order, HTML comments left out; what is broken is added to ``problems``."""
    lines = text.split("\n")
    at = found = headings = 0
    while at < len(lines):
        if not lines[at].strip():
            at += 1
            continue
        block, end = _block(lines, at, first_line, problems)
        if block is not None:
            found, headings = found + 1, headings + (block.kind is BlockKind.HEADING)
            if found > MAX_BLOCKS or headings > MAX_HEADINGS:
                message = f"there are more than {MAX_HEADINGS:,} headings or {MAX_BLOCKS:,} paragraphs"
                raise problems.error(Problem(message, "Write several specs.", block.line))
            yield block
        at = end


def _block(lines: list[str], at: int, first_line: int, problems: Problems) -> tuple[Block | None, int]:
    """The block that begins at line ``at`` (None for a comment), and the line after it."""
    line, number = lines[at], at + first_line
    if _HEADING.match(line):
        return Block(BlockKind.HEADING, number, (line,)), at + 1
    if fence := _opening(line):
        return _fence(lines, at, number, fence, problems)
    if _COMMENT.match(line):
        return None, _after_comment(lines, at, number, problems)
    if admonition := _ADMONITION.match(line):
        end = _indented_until(lines, at + 1)
        return Block(BlockKind.ADMONITION, number, tuple(lines[at:end]), admonition[1]), end
    end = at + 1
    while end < len(lines) and lines[end].strip() and not _interrupts(lines[end]):
        end += 1
    kind = BlockKind.EXAMPLE if _EXAMPLE.match(line) else BlockKind.PARAGRAPH
    return Block(kind, number, tuple(lines[at:end])), end


def _interrupts(line: str) -> bool:
    """Whether a paragraph ends before this line."""
    return bool(
        _HEADING.match(line)
        or _opening(line)
        or _COMMENT.match(line)
        or _ADMONITION.match(line)
        or _EXAMPLE.match(line)
    )


def _opening(line: str) -> re.Match[str] | None:
    """The fence that opens on this line. A backtick fence has no backtick behind it: that is inline code."""
    fence = _FENCE.match(line)
    return None if fence is None or (fence[1][0] == "`" and "`" in fence[2]) else fence


def _fence(lines: list[str], at: int, number: int, opening: re.Match[str], problems: Problems) -> tuple[Block, int]:
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
            # everything up to the end of the next one, headings included, and nobody would be told.
            problems.add(_unclosed(mark, number, f"before the next one opens on line {number + end - at}"))
            return empty, end
    problems.add(_unclosed(mark, number, "before the document ends"))
    return empty, len(lines)


def _unclosed(mark: str, number: int, where: str) -> Problem:
    return Problem(f"the fence {mark!r} is not closed {where}", f"Close it with a line {mark!r}.", number)


def _after_comment(lines: list[str], at: int, number: int, problems: Problems) -> int:
    """The line after the comment that opens at ``at``; text behind its end stays, as a line of its own."""
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


def _indented_until(lines: Sequence[str], at: int) -> int:
    """One past the last line of the indented run at ``at``; blank lines belong to it when more of it follows."""
    end = at
    for index in range(at, len(lines)):
        if lines[index].startswith(("    ", "\t")) and lines[index].strip():
            end = index + 1
        elif lines[index].strip():
            break
    return end


def _dedent(line: str) -> str:
    return line[1:] if line.startswith("\t") else line.removeprefix("    ")
