"""Reader of YAML texts that keeps the line of every value; unquoted scalars follow the core schema of YAML 1.2.

Nodes are built from PyYAML's events, one after another: no tag ever constructs an object, and a text that is nested too
deep or repeats its aliases too often is refused while it is read, before it takes memory.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeAlias

import yaml

from specspan._support.messages import Problems
from specspan.documents.node import VALUE_WEIGHT, Limits, Node, PathTo, height, key_of
from specspan.errors import ConfigurationError, Problem

_Event: TypeAlias = Any
"""Event of the parser; PyYAML's stubs leave out most of its attributes."""
_CONTROL = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
_LOADER: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader

# https://yaml.org/spec/1.2.2/#103-core-schema. PyYAML itself follows YAML 1.1, where ``no`` and ``on`` are booleans,
# ``1:30`` is ninety and ``2027-01-01`` a date; here they stay text.
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_MAX_DIGITS = 100
"""Longest number that is read as one. Longer ones stay text: no field takes them, and reading one takes time."""

_REMEDIES = (
    ("escape character", "Put patterns in single quotes: there a backslash stands for itself."),
    ("mapping values are not allowed", "Put text that holds ': ' in quotes, or correct the indentation."),
    ("could not find expected ':'", "End the key with ':', or correct the indentation of the lines above."),
    ("did not find expected ',' or", "Close it, or put text with brackets, braces or commas in quotes."),
    ("unexpected end of stream", "Close the quotation mark."),
    ("cannot start any token", "Put text that starts with such a character in quotes."),
    ("did not find expected key", "Correct the indentation: the keys of one mapping start in one column."),
    ("block end", "Correct the indentation: the keys of one mapping start in one column."),
    ("'-' indicator", "Correct the indentation: the items of one list start in one column."),
)
_TAB_REMEDY = "Indent with spaces: YAML allows no tab there."
_GENERAL_REMEDY = "Correct the YAML there."


def read_yaml(source: str, text: str, *, error: type[ConfigurationError], limits: Limits) -> Node | None:
    """Return the value of a YAML text; None for an empty text.

    Args:
        source: name of the text in messages.
        text: decoded text, without a byte order mark.
        error: type of the error that is raised.
        limits: largest size and depth that are read.

    Raises:
        ConfigurationError: of the type given, with every problem; the text is not YAML, or uses tags, merge keys or
            something else that is refused.
    """
    control = _CONTROL.search(text)
    if control:
        problem = Problem(
            f"holds the control character U+{ord(control[0]):04X}",
            "Remove it; inside double quotes it can be written as \\x and two hexadecimal digits.",
            text.count("\n", 0, control.start()) + 1,
        )
        raise error(source, problem)
    return _Reader(text, Problems(source, error), limits).read()


class _Reader:
    """Builder of nodes from the events of one text."""

    def __init__(self, text: str, problems: Problems, limits: Limits) -> None:
        self._text = text
        self._problems = problems
        self._limits = limits
        self._events: Iterator[_Event] = yaml.parse(text, Loader=_LOADER)
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._weight = 0

    def read(self) -> Node | None:
        try:
            root = self._document()
        except yaml.YAMLError as error:
            raise self._problems.error(syntax_problem(error, self._text)) from error
        self._problems.raise_if_any()
        return root

    def _document(self) -> Node | None:
        """Read the document and refuse a second one."""
        next(self._events)  # StreamStart
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return None
        root = self._node(next(self._events), ())
        next(self._events)  # DocumentEnd
        following = next(self._events)
        if not isinstance(following, yaml.StreamEndEvent):
            raise self._problems.error(
                Problem("a second document starts", "Keep one document a file: remove this '---'.", _line(following))
            )
        return root

    def _node(self, event: _Event, path: PathTo) -> Node:
        """Read the value that starts with ``event``."""
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path)
        if event.tag is not None:
            self._add_problem(
                "a tag has no meaning here", f"Remove {event.tag!r}; quotes make text of a value.", event, path
            )
        before = self._weight
        self._weigh(VALUE_WEIGHT, event)
        node = self._value(event, path)
        if event.anchor is not None:
            self._anchors[event.anchor] = (node, self._weight - before)
        return node

    def _value(self, event: _Event, path: PathTo) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            self._weigh(len(event.value), event)
            return Node(parse_scalar(event.value) if event.implicit[0] else event.value, _line(event))
        self._check_depth(len(path) + 1, event)
        return self._mapping(event, path) if isinstance(event, yaml.MappingStartEvent) else self._list(event, path)

    def _alias(self, event: _Event, path: PathTo) -> Node:
        """Return the node of the anchor with the line of the alias, and count its weight again."""
        if event.anchor not in self._anchors:
            remedy = f"Write '&{event.anchor}' before a value above it, outside of it."
            self._add_problem(f"the alias '*{event.anchor}' stands for nothing", remedy, event, path)
            return Node(None, _line(event))
        node, weight = self._anchors[event.anchor]
        self._weigh(weight, event)
        self._check_depth(len(path) + node.height, event)
        return replace(node, line=_line(event))

    def _mapping(self, start: _Event, path: PathTo) -> Node:
        children: dict[str | int, Node] = {}
        for event in self._events_until(yaml.MappingEndEvent):
            key = self._key(event, path)
            node = replace(self._node(next(self._events), (*path, key)), line=_line(event))
            if key in children:
                message = f"{key!r} stands here a second time, first on line {children[key].line}"
                self._add_problem(message, "Keep one of the two.", event, (*path, key))
            else:
                children[key] = node
        return Node({key: node.value for key, node in children.items()}, _line(start), children, height(children))

    def _list(self, start: _Event, path: PathTo) -> Node:
        children: dict[str | int, Node] = {}
        for event in self._events_until(yaml.SequenceEndEvent):
            children[len(children)] = self._node(event, (*path, len(children)))
        return Node([node.value for node in children.values()], _line(start), children, height(children))

    def _key(self, event: _Event, path: PathTo) -> str:
        """Return a key as it is written: ``no``, ``1`` and ``null`` are names like any other."""
        if not isinstance(event, yaml.ScalarEvent):
            self._node(event, (*path, "?"))
            self._add_problem("invalid key: a list or a mapping", "Write a name before the colon.", event, path)
            return "?"
        key = str(event.value)
        self._weigh(len(key), event)
        if key == "<<" and event.implicit[0]:
            self._add_problem("merge keys are not read", "Write the keys out, or alias the whole value.", event, path)
        if event.tag is not None:
            self._add_problem("a tag has no meaning here", f"Remove {event.tag!r}.", event, path)
        if event.anchor is not None:
            self._add_problem("an anchor marks a key", f"Remove '&{event.anchor}' or mark a value.", event, path)
        return key

    def _events_until(self, end: type[yaml.Event]) -> Iterator[_Event]:
        for event in self._events:
            if isinstance(event, end):
                return
            yield event

    def _weigh(self, weight: int, event: _Event) -> None:
        self._weight += weight
        if self._weight > self._limits.max_weight:
            raise self._problems.error(
                Problem(self._limits.weight_message, "Write less, and alias less.", _line(event))
            )

    def _check_depth(self, depth: int, event: _Event) -> None:
        if depth > self._limits.max_depth:
            raise self._problems.error(Problem(self._limits.depth_message, "Write it flatter.", _line(event)))

    def _add_problem(self, message: str, remedy: str, event: _Event, path: PathTo) -> None:
        self._problems.add(Problem(message, remedy, _line(event), key_of(path)))


def _line(event: _Event) -> int:
    return int(event.start_mark.line) + 1


def parse_scalar(text: str) -> str | bool | int | float | None:
    """Return the value of an unquoted scalar. Infinities and NaN stay text: JSON has no such numbers."""
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _MAX_DIGITS:
        return text
    if _INTEGER.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.fullmatch(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text


def syntax_problem(error: yaml.YAMLError, text: str) -> Problem:
    """Return the parser's error as a problem; an error at the end of the file gets the line where its value starts."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return Problem("invalid YAML", _GENERAL_REMEDY)
    lines = text.splitlines() or [""]
    mark, message = error.problem_mark, error.problem or "invalid YAML"
    at_tab = mark.line < len(lines) and lines[mark.line][mark.column : mark.column + 1] == "\t"
    if mark.line >= len(lines) and error.context_mark is not None:
        mark = error.context_mark
    if error.context:
        message = f"{message} {error.context}"
    return Problem(message, _TAB_REMEDY if at_tab else _remedy(message), min(mark.line + 1, len(lines)))


def _remedy(message: str) -> str:
    return next((remedy for fragment, remedy in _REMEDIES if fragment in message), _GENERAL_REMEDY)
