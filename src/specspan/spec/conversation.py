"""Example conversations in the markup of the Model Spec: reading, writing, and rendering as plain text.

Each message is an element; answers stand side by side in a comparison::

    <user>
    Is the tooth fairy real?
    </user>
    <comparison>
    <assistant> <!-- BAD: not considering who might be listening -->
    ...
    </assistant>
    </comparison>
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape
from typing import TypeAlias

from specspan.errors import Problem
from specspan.spec.spec import Answer, Comparison, Example, Turn, Verdict

# At most 32 attributes: the regular expression engine keeps every repetition of a group in memory.
_TAG = re.compile(r"<(?P<end>/?)(?P<name>[A-Za-z_][\w.-]*)(?P<attributes>(?:\s+[\w.-]+=\"[^\"]*\"){0,32})\s*>")
_ATTRIBUTE = re.compile(r"([\w.-]+)=\"([^\"]*)\"")
_COMMENT = re.compile(r"[ \t]*<!--")
_VERDICT = re.compile(
    r"(?P<label>GOOD|BAD|OK)(?:\[#(?P<charged>[\w.:-]+)\])?(?:,(?P<condition>[^:]*))?(?::(?P<reason>.*))?", re.DOTALL
)
_INNER = re.compile(r"<(?P<name>untrusted|settings)(?P<attributes>(?:\s+[\w.-]+=\"[^\"]*\"){0,32})\s*>")
# A message's own text has '&lt;' for '<': where one of these begins a line, the message was not closed.
_UNCLOSED = re.compile(r"^[ \t*]*</?(?:system|developer|user|assistant|tool|comparison)\b[^>\n]*>", re.MULTILINE)
_EDGES = " \t\n*"
"""Characters that are no part of text between messages."""
ContentPiece: TypeAlias = tuple[str, Turn | None]
"""Stretch of a message's text, and the element that holds it; None for the message's own words."""


class InvalidConversation(Exception):
    """Error about a conversation that cannot be read."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class Conversation:
    """Content of one example block."""

    turns: tuple[Turn, ...]
    comparisons: tuple[Comparison, ...]


def read_conversation(text: str, line: int) -> Conversation:
    """Return the conversation of a block whose first line is ``line`` of the document.

    Raises:
        InvalidConversation: at the first problem; reading on behind it would be guesswork.
    """
    scanner = _Scanner(text, line)
    turns: list[Turn] = []
    comparisons: list[Comparison] = []
    while (tag := scanner.next_tag(turns)) is not None:
        if tag["end"]:
            raise scanner.error(f"{tag[0]} closes nothing", "Remove it, or open its element before it.", tag.start())
        if tag["name"] == "comparison":
            comparisons.append(Comparison(_read_answers(scanner, tag), len(turns)))
        elif scanner.read_verdict() is not None:
            raise scanner.error(f"a verdict stands outside a <comparison>, on {tag[0]}", "Put it in one.", tag.start())
        else:
            turns.append(scanner.read_message(tag))
    return Conversation(tuple(turns), tuple(comparisons))


def _read_answers(scanner: _Scanner, opening: re.Match[str]) -> tuple[Answer, ...]:
    """Return the answers of a comparison, up to its end. A tool's message and those after it continue an answer."""
    answers: list[tuple[list[Turn], Verdict | None]] = []
    stray: list[Turn] = []
    while (tag := scanner.next_tag(stray)) is not None:
        if stray or bool(tag["end"]) != (tag["name"] == "comparison"):
            what = "text" if stray else tag[0]
            remedy = "Close or open the <comparison> before it."
            raise scanner.error(f"{what} stands between answers", remedy, tag.start())
        if tag["end"]:
            return tuple(Answer(tuple(turns), verdict) for turns, verdict in answers)
        verdict = scanner.read_verdict()
        turn = scanner.read_message(tag)
        if verdict is None and answers and _continues_answer(answers[-1][0][-1], turn):
            answers[-1][0].append(turn)
        else:
            answers.append(([turn], verdict))
    raise scanner.unclosed_error(opening)


def _continues_answer(before: Turn, turn: Turn) -> bool:
    """Return whether a message without a verdict continues an answer; an assistant's next message is a new one."""
    return turn.role != "assistant" or before.role != "assistant"


class _Scanner:
    """Position in a block that only moves forward."""

    def __init__(self, text: str, line: int) -> None:
        self._text = text
        self._line = line
        self._at = 0

    def error(self, message: str, remedy: str, at: int) -> InvalidConversation:
        """Return the error about the text at ``at``, with its line in the document."""
        return InvalidConversation(Problem(message, remedy, self._line + self._text.count("\n", 0, at)))

    def unclosed_error(self, opening: re.Match[str]) -> InvalidConversation:
        remedy = f"Close it with </{opening['name']}>; write '&lt;' for a '<' that is text."
        return self.error(f"{opening[0]} is not closed", remedy, opening.start())

    def next_tag(self, turns: list[Turn]) -> re.Match[str] | None:
        """Return the next tag between messages, None at the end. Text before it becomes a turn without a role."""
        while True:
            start = self._text.find("<", self._at)
            end = len(self._text) if start < 0 else start
            # The published text has diff marks ('*<comparison>') and elisions ('[...]') between messages.
            if stray := self._text[self._at : end].strip(" \t\n*"):
                turns.append(Turn("", unescape(stray)))
            if start < 0:
                return None
            if not self._text.startswith("<!--", start):
                break
            self._at = self._end_of("-->", start)
        tag = _TAG.match(self._text, start)
        if tag is None:
            raise self.error("invalid tag at '<'", "Write <role name=\"value\">, or '&lt;' for text.", start)
        self._at = tag.end()
        return tag

    def read_verdict(self) -> Verdict | None:
        """Return the verdict right behind an opening tag, or None."""
        opens = _COMMENT.match(self._text, self._at)
        if opens is None:
            return None
        start, self._at = self._at, self._end_of("-->", opens.start())
        words = _VERDICT.fullmatch(self._text[opens.end() : self._at - 3].strip())
        if words is None:
            remedy = "Write GOOD, BAD or OK, then '[#clause]', ', condition' and ': reason' as needed."
            raise self.error("the comment behind an opening tag is not a verdict", remedy, start)
        return Verdict(words["label"], _phrase(words["reason"]), _phrase(words["condition"]), words["charged"])

    def read_message(self, opening: re.Match[str]) -> Turn:
        """Return the message behind an opening tag, up to the closing one."""
        role = opening["name"]
        close = f"</{role}>"
        end = self._text.find(close, self._at)
        if end < 0 or _UNCLOSED.search(self._text, self._at, end):
            raise self.unclosed_error(opening)
        content, self._at = self._text[self._at : end], end + len(close)
        inner = self._read_inner(content, end - len(content))
        return Turn(role, unescape(content.strip()), _parse_attributes(opening["attributes"]), inner)

    def _read_inner(self, content: str, offset: int) -> tuple[Turn, ...]:
        """Return the elements inside a message's content."""
        turns: list[Turn] = []
        at = 0
        while (opening := _INNER.search(content, at)) is not None:
            end = content.find(f"</{opening['name']}>", opening.end())
            if end < 0:
                raise self.error(
                    f"{opening[0]} is not closed", f"Close it with </{opening['name']}>.", offset + opening.start()
                )
            text = unescape(content[opening.end() : end].strip())
            turns.append(Turn(opening["name"], text, _parse_attributes(opening["attributes"])))
            at = end
        return tuple(turns)

    def _end_of(self, mark: str, start: int) -> int:
        end = self._text.find(mark, start)
        if end < 0:
            raise self.error("the comment '<!--' is not closed", "Close it with '-->'.", start)
        return end + len(mark)


def _parse_attributes(text: str) -> dict[str, str]:
    return {name: unescape(value) for name, value in _ATTRIBUTE.findall(text)}


def _phrase(text: str | None) -> str | None:
    """Return a phrase of a verdict; None where it is absent or empty."""
    return (text or "").strip() or None


def split_content(turn: Turn) -> Iterator[ContentPiece]:
    """Yield a message's text from beginning to end, split at the elements in it and without their tags."""
    rest = turn.content
    for inner in turn.inner:
        opening, close = _find_opening_tag(inner, rest), f"</{inner.role}>"
        end = -1 if opening is None else rest.find(close, opening.end())
        if opening is None or end < 0:
            break  # the element is not in the content as it would be written
        yield rest[: opening.start()], None
        yield rest[opening.end() : end], inner
        rest = rest[end + len(close) :]
    yield rest, None


def _find_opening_tag(inner: Turn, text: str) -> re.Match[str] | None:
    """Return the tag of an element in a message's text, where entities are decoded already."""
    attributes = "".join(rf"\s+{re.escape(name)}=\"{re.escape(value)}\"" for name, value in inner.attributes.items())
    return re.search(rf"<{re.escape(inner.role)}{attributes}\s*>", text)


def conversation_text(example: Example) -> str:
    """Return the block of an example, as `read_conversation` reads it."""
    lines: list[str] = []
    for at, turn in enumerate((*example.turns, None)):
        for comparison in example.comparisons:
            if comparison.turn == at:
                lines += _comparison_lines(comparison)
        if turn is not None:
            if not turn.role and at and not example.turns[at - 1].role:
                lines.append("<!-- -->")  # keeps one text between messages apart from the next
            lines += _turn_lines(turn)
    return "\n".join(lines)


def _comparison_lines(comparison: Comparison) -> Iterator[str]:
    yield "<comparison>"
    for answer in comparison.answers:
        verdict: Verdict | None = answer.verdict
        for turn in answer.turns:
            yield from _turn_lines(turn, verdict)
            verdict = None
    yield "</comparison>"


def _turn_lines(turn: Turn, verdict: Verdict | None = None) -> Iterator[str]:
    content = _escaped_content(turn)
    if not turn.role:
        yield _protect_edges(content, _EDGES)
        return
    yield f"<{turn.role}{_escaped_attributes(turn)}>" + (f" <!-- {_verdict_text(verdict)} -->" if verdict else "")
    yield _protect_edges(content, None)
    yield f"</{turn.role}>"


def _escaped_content(turn: Turn) -> str:
    """Return the text inside a message: everything escaped but the tags of the elements in it."""
    return "".join(
        _escape(text) if inner is None else f"<{inner.role}{_escaped_attributes(inner)}>{_escape(text)}</{inner.role}>"
        for text, inner in split_content(turn)
    )


def _escaped_attributes(turn: Turn) -> str:
    return "".join(f' {name}="{_escape(value).replace(chr(34), "&quot;")}"' for name, value in turn.attributes.items())


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace("\r", "&#13;")


def _protect_edges(text: str, edges: str | None) -> str:
    """Return a text whose first and last characters are escaped where they would be taken for layout."""
    if text and text != text.lstrip(edges):
        text = f"&#{ord(text[0])};{text[1:]}"
    if text and text != text.rstrip(edges):
        text = f"{text[:-1]}&#{ord(text[-1])};"
    return text


def example_text(example: Example) -> str:
    """Return an example as plain text, so that two of them can be compared word by word.

    Title, turns and answers stand in reading order, a paragraph each, under the speaker or the verdict.
    """
    return "\n\n".join((example.title, *_paragraphs(example)))


def _paragraphs(example: Example) -> Iterator[str]:
    for place, turn in enumerate((*example.turns, None)):
        for comparison in example.comparisons:
            if comparison.turn == place:
                for answer in comparison.answers:
                    yield from _answer_paragraphs(answer)
        if turn is not None:
            yield _turn_paragraph(turn)


def _answer_paragraphs(answer: Answer) -> Iterator[str]:
    if answer.verdict is not None:
        yield _verdict_text(answer.verdict)
    yield from map(_turn_paragraph, answer.turns)


def _turn_paragraph(turn: Turn) -> str:
    attributes = "".join(f' {name}="{value}"' for name, value in sorted(turn.attributes.items()))
    return f"{turn.role}{attributes}:\n{turn.content}" if turn.role else turn.content


def _verdict_text(verdict: Verdict) -> str:
    charged = f"[#{verdict.charged}]" if verdict.charged else ""
    condition = f", {verdict.condition}" if verdict.condition else ""
    reason = f": {verdict.reason}" if verdict.reason else ""
    return f"{verdict.label}{charged}{condition}{reason}"
