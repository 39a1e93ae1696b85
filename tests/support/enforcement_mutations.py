"""Streams that go wrong: values of a wrong type, repeated events, events in another order, a stream that ends early."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

VALUES: tuple[Any, ...] = (None, "", [], {}, 0, 28.0, "x", {"text": "x"}, ["x"])
"""Values that take the place of each value of an event in turn."""

Path = tuple[Any, ...]


@dataclass(frozen=True)
class Mutation:
    """One thing that goes wrong in a stream."""

    kind: str
    """``value``, ``repeat``, ``swap``, ``drop`` or ``end``."""
    at: int
    """Chooses the event, modulo the number of events."""
    path: int = 0
    """Chooses the value in the event, modulo the number of values."""
    value: int = 0
    """Chooses the value that takes its place."""


def mutated(events: tuple[Any, ...], mutation: Mutation) -> tuple[Any, ...]:
    """Return the events with one mutation."""
    at = mutation.at % len(events)
    before, event, after = events[:at], events[at], events[at + 1 :]
    if mutation.kind == "repeat":
        return (*before, event, event, *after)
    if mutation.kind == "swap":
        return (*before, *after[:1], event, *after[1:])
    if mutation.kind == "drop":
        return (*before, *after)
    if mutation.kind == "end":
        return (*before, event)
    paths = list(places(event))
    if not paths:
        return events
    return (*before, with_value(event, paths[mutation.path % len(paths)], VALUES[mutation.value % len(VALUES)]), *after)


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """Yield the path of each value in a JSON value."""
    items: Any = ()
    if isinstance(value, Mapping):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, each in items:
        yield (*path, key)
        yield from places(each, (*path, key))


def with_value(event: Any, path: Path, value: Any) -> Any:
    """Return a copy of an event with another value at a path."""
    made = copy.deepcopy(event)
    parent = made
    for key in path[:-1]:
        parent = parent[key]
    parent[path[-1]] = copy.deepcopy(value)
    return made
