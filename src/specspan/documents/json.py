"""Reader of JSON texts that keeps the line of every value, with the limits of the YAML reader.

https://www.rfc-editor.org/rfc/rfc8259. Also refused are a name that stands twice in one object, numbers of more than a
hundred characters, and half of a surrogate pair.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from json import decoder

from specspan._support.messages import Problems
from specspan.documents.node import VALUE_WEIGHT, Limits, Node, PathTo, height, key_of
from specspan.errors import ConfigurationError, Problem

_SPACE = re.compile(r"[ \t\n\r]*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?P<fraction>\.[0-9]+)?(?P<exponent>[eE][-+]?[0-9]+)?")
_MAX_DIGITS = 100
_WORDS: tuple[tuple[str, bool | None], ...] = (("true", True), ("false", False), ("null", None))
_scanstring: Callable[[str, int, bool], tuple[str, int]] = getattr(decoder, "scanstring")  # noqa: B009  no stub has it
_SURROGATE = re.compile("[\ud800-\udfff]")


def read_json(source: str, text: str, *, error: type[ConfigurationError], limits: Limits) -> Node:
    """Return the value of a JSON text.

    Args:
        source: name of the text in messages.
        text: decoded text, without a byte order mark.
        error: type of the error that is raised.
        limits: largest size and depth that are read.

    Raises:
        ConfigurationError: of the type given; the text is not JSON, or is refused for one of the reasons above.
    """
    return _Reader(text, Problems(source, error), limits).read()


def read_json_lines(source: str, text: str, *, error: type[ConfigurationError], limits: Limits) -> Iterator[Node]:
    """Yield the value of every line that is not blank; the limits hold for all lines together.

    Raises:
        ConfigurationError: as `read_json` does, at the first line that is refused.
    """
    problems, weight = Problems(source, error), 0
    for number, line in enumerate(io.StringIO(text), 1):
        if line.strip():
            reader = _Reader(line, problems, limits, number, weight)
            yield reader.read()
            weight = reader.weight


class _Reader:
    """Recursive-descent parser of one JSON text."""

    def __init__(self, text: str, problems: Problems, limits: Limits, line: int = 1, weight: int = 0) -> None:
        self._text = text
        self._problems = problems
        self._limits = limits
        self._at = 0
        self._line, self._counted_to = line, 0
        self.weight = weight

    def read(self) -> Node:
        self._skip_space()
        root = self._value((), self._current_line())
        if self._at < len(self._text):
            raise self._error("text stands behind the value", "Remove it: one value a file, or one a line in JSONL.")
        self._problems.raise_if_any()
        return root

    def _value(self, path: PathTo, line: int) -> Node:
        """Read the value at the current position and the space behind it."""
        self._weigh(VALUE_WEIGHT)
        first = self._text[self._at : self._at + 1]
        if first == "{":
            return self._object(path, line)
        if first == "[":
            return self._array(path, line)
        node = Node(self._string() if first == '"' else self._scalar(), line)
        self._skip_space()
        return node

    def _object(self, path: PathTo, line: int) -> Node:
        self._open(path)
        children: dict[str | int, Node] = {}
        while not self._take_end("}", first=not children):
            if self._text[self._at : self._at + 1] != '"':
                raise self._error("a name is missing", "Write names in double quotes, and no comma behind the last.")
            line_of_key, key = self._current_line(), self._string()
            self._skip_space()
            self._take(":")
            node = self._value((*path, key), line_of_key)
            if key in children:
                message = f"{key!r} stands here a second time, first on line {children[key].line}"
                self._problems.add(Problem(message, "Keep one of the two.", line_of_key, key_of((*path, key))))
            children[key] = node
        return Node({key: node.value for key, node in children.items()}, line, children, height(children))

    def _array(self, path: PathTo, line: int) -> Node:
        self._open(path)
        children: dict[str | int, Node] = {}
        while not self._take_end("]", first=not children):
            children[len(children)] = self._value((*path, len(children)), self._current_line())
        return Node([node.value for node in children.values()], line, children, height(children))

    def _open(self, path: PathTo) -> None:
        if len(path) >= self._limits.max_depth:
            raise self._error(self._limits.depth_message, "Write it flatter.")
        self._at += 1
        self._skip_space()

    def _take_end(self, mark: str, *, first: bool) -> bool:
        """Consume the closing bracket and return True, or consume the comma before the next value and return False."""
        if self._text.startswith(mark, self._at):
            self._at += 1
            self._skip_space()
            return True
        if not first:
            self._take(",")
        return False

    def _take(self, mark: str) -> None:
        if not self._text.startswith(mark, self._at):
            raise self._error(f"{mark!r} is missing", "Correct the JSON there.")
        self._at += 1
        self._skip_space()

    def _string(self) -> str:
        try:
            text, end = _scanstring(self._text, self._at + 1, True)  # noqa: FBT003  its third parameter has no name in C
        except json.JSONDecodeError as error:
            self._at = error.pos
            raise self._error(
                f"text that cannot be read: {error.msg}", "Write \\n for a line break, and close it."
            ) from error
        if "\\u" in self._text[self._at : end] and _SURROGATE.search(text):
            raise self._error("text holds half of a surrogate pair", "Write the character itself.")
        self._weigh(len(text))
        self._at = end
        return text

    def _scalar(self) -> bool | int | float | None:
        for word, value in _WORDS:
            if self._text.startswith(word, self._at):
                self._at += len(word)
                return value
        number = _NUMBER.match(self._text, self._at)
        if number is None or len(number[0]) > _MAX_DIGITS:
            raise self._error("no JSON value stands here", "Correct the JSON there.")
        self._at = number.end()
        return float(number[0]) if number["fraction"] or number["exponent"] else int(number[0])

    def _skip_space(self) -> None:
        space = _SPACE.match(self._text, self._at)
        self._at = space.end() if space else self._at

    def _current_line(self) -> int:
        self._line += self._text.count("\n", self._counted_to, self._at)
        self._counted_to = max(self._counted_to, self._at)
        return self._line

    def _weigh(self, weight: int) -> None:
        self.weight += weight
        if self.weight > self._limits.max_weight:
            raise self._error(self._limits.weight_message, "Write less.")

    def _error(self, message: str, remedy: str) -> ConfigurationError:
        return self._problems.error(Problem(message, remedy, self._current_line()))
