"""A YAML file of which every value knows its line.

Built from PyYAML's events, one after another: no tag ever constructs an object, and what is too deep or repeats itself
beyond measure is refused while it is read, before it takes memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from specspan.errors import PolicyError, Problem
from specspan.policy.paths import PathTo, key_of
from specspan.policy.scalars import resolve
from specspan.policy.syntax import syntax_problem
from specspan.problems import Problems
from specspan.textfile import TextFile, read_text_file

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
"""Mappings and lists inside one another."""
MAX_WEIGHT = 4_000_000
"""What all values may weigh with every alias written out: their characters, and 40 for each value."""
_VALUE_WEIGHT = 40

_Event: TypeAlias = Any
"""A parser event; PyYAML's stubs leave out most of its attributes."""
_CONTROL = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufffe\uffff]")
_LOADER: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


@dataclass(frozen=True, slots=True)
class Node:
    """One value of the file."""

    value: Any
    """Plain: a mapping, a list, text, a number, a boolean or None."""
    line: int
    """Where its key stands, or in a list the value itself; counted from 1."""
    children: Mapping[str | int, Node] = field(default_factory=dict)
    """By key, or by index; empty for a scalar."""
    height: int = 0
    """Mappings and lists inside one another; 0 for a scalar."""

    def at(self, path: PathTo) -> Node:
        """The node at ``path`` or, where the file says nothing there, the nearest above it."""
        node = self
        for step in path:
            if step not in node.children:
                break
            node = node.children[step]
        return node


@dataclass(frozen=True, slots=True)
class Document:
    """A file that was read."""

    root: Node
    """A mapping."""
    digest: str
    """``sha256:`` and the hex digest of the file's bytes."""
    source: str


def read_document(path: Path) -> Document:
    """Read a YAML file whose top is a mapping.

    Raises:
        PolicyError: it cannot be opened, is no UTF-8 text or no YAML, or uses what is not read here.
    """
    file = read_text_file(path, what="policy", max_bytes=MAX_BYTES, error=PolicyError)
    _refuse_control_characters(file)
    return Document(_Reader(file.source, file.text).read(), file.digest, file.source)


def _refuse_control_characters(file: TextFile) -> None:
    control = _CONTROL.search(file.text)
    if control:
        problem = Problem(
            f"holds the control character U+{ord(control[0]):04X}",
            "Remove it; inside double quotes it can be written as \\x and two hexadecimal digits.",
            file.text.count("\n", 0, control.start()) + 1,
        )
        raise PolicyError(file.source, problem)


class _Reader:
    """Turns the events of one text into nodes."""

    def __init__(self, source: str, text: str) -> None:
        self._text = text
        self._problems = Problems(source, PolicyError)
        self._events: Iterator[_Event] = yaml.parse(text, Loader=_LOADER)
        self._anchors: dict[str, tuple[Node, int]] = {}
        self._weight = 0

    def read(self) -> Node:
        try:
            root = self._document()
        except yaml.YAMLError as error:
            raise self._problems.error(syntax_problem(error, self._text)) from error
        self._problems.refuse()
        return root

    def _document(self) -> Node:
        """The one document; what follows it is refused."""
        next(self._events)  # StreamStart
        if isinstance(next(self._events), yaml.StreamEndEvent):
            raise self._problems.error(
                Problem("is empty", "Write a policy; `specspan policy init SPEC` gives a first one.")
            )
        root = self._node(next(self._events), ())
        next(self._events)  # DocumentEnd
        following = next(self._events)
        if not isinstance(following, yaml.StreamEndEvent):
            raise self._problems.error(
                Problem("a second document starts", "Keep one document a file: remove this '---'.", _line(following))
            )
        if not isinstance(root.value, dict):
            raise self._problems.error(
                Problem("the top is no mapping", "Start with 'spec:' and 'clauses:'.", root.line)
            )
        return root

    def _node(self, event: _Event, path: PathTo) -> Node:
        """The value that starts with ``event``."""
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, path)
        if event.tag is not None:
            self._note("a tag has no meaning here", f"Remove {event.tag!r}; quotes make text of a value.", event, path)
        before = self._weight
        self._weigh(_VALUE_WEIGHT, event)
        node = self._value(event, path)
        if event.anchor is not None:
            self._anchors[event.anchor] = (node, self._weight - before)
        return node

    def _value(self, event: _Event, path: PathTo) -> Node:
        if isinstance(event, yaml.ScalarEvent):
            self._weigh(len(event.value), event)
            return Node(resolve(event.value) if event.implicit[0] else event.value, _line(event))
        self._descend(len(path) + 1, event)
        return self._mapping(event, path) if isinstance(event, yaml.MappingStartEvent) else self._list(event, path)

    def _alias(self, event: _Event, path: PathTo) -> Node:
        """What the anchor marked, at the line of the alias; its weight counts again."""
        if event.anchor not in self._anchors:
            remedy = f"Write '&{event.anchor}' before a value above it, outside of it."
            self._note(f"the alias '*{event.anchor}' stands for nothing", remedy, event, path)
            return Node(None, _line(event))
        node, weight = self._anchors[event.anchor]
        self._weigh(weight, event)
        self._descend(len(path) + node.height, event)
        return replace(node, line=_line(event))

    def _mapping(self, start: _Event, path: PathTo) -> Node:
        children: dict[str | int, Node] = {}
        for event in self._until(yaml.MappingEndEvent):
            key = self._key(event, path)
            node = replace(self._node(next(self._events), (*path, key)), line=_line(event))
            if key in children:
                message = f"{key!r} stands here a second time, first on line {children[key].line}"
                self._note(message, "Keep one of the two.", event, (*path, key))
            else:
                children[key] = node
        return Node({key: node.value for key, node in children.items()}, _line(start), children, _height(children))

    def _list(self, start: _Event, path: PathTo) -> Node:
        children: dict[str | int, Node] = {}
        for event in self._until(yaml.SequenceEndEvent):
            children[len(children)] = self._node(event, (*path, len(children)))
        return Node([node.value for node in children.values()], _line(start), children, _height(children))

    def _key(self, event: _Event, path: PathTo) -> str:
        """A key as it is written: ``no``, ``1`` and ``null`` are names like any other."""
        if not isinstance(event, yaml.ScalarEvent):
            self._node(event, (*path, "?"))
            self._note("a key is no plain word", "Write a name before the colon.", event, path)
            return "?"
        key = str(event.value)
        self._weigh(len(key), event)
        if key == "<<" and event.implicit[0]:
            self._note("merge keys are not read", "Write the keys out, or alias the whole value.", event, path)
        if event.tag is not None:
            self._note("a tag has no meaning here", f"Remove {event.tag!r}.", event, path)
        if event.anchor is not None:
            self._note("an anchor marks a key", f"Remove '&{event.anchor}' or mark a value.", event, path)
        return key

    def _until(self, end: type[yaml.Event]) -> Iterator[_Event]:
        for event in self._events:
            if isinstance(event, end):
                return
            yield event

    def _weigh(self, weight: int, event: _Event) -> None:
        self._weight += weight
        if self._weight > MAX_WEIGHT:
            message = "the values come to more than 100,000, or to more than 4 MB with every alias written out"
            raise self._problems.error(Problem(message, "Write less, and alias less.", _line(event)))

    def _descend(self, depth: int, event: _Event) -> None:
        if depth > MAX_DEPTH:
            message = f"is nested deeper than {MAX_DEPTH} levels"
            raise self._problems.error(Problem(message, "Write it flatter.", _line(event)))

    def _note(self, message: str, remedy: str, event: _Event, path: PathTo) -> None:
        self._problems.add(Problem(message, remedy, _line(event), key_of(path)))


def _height(children: Mapping[str | int, Node]) -> int:
    return 1 + max((node.height for node in children.values()), default=0)


def _line(event: _Event) -> int:
    return int(event.start_mark.line) + 1
