"""Bodies of the walk: a recorded body taken apart into JSON values, and written again with something wrong in it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from enforcement_mutations import Path, places, with_value

MUTANT = "Mutant"
"""The text that takes the place of a value. It occurs in no recorded body."""
VALUES: tuple[Any, ...] = (None, "", [], {}, 0, 28.0, MUTANT, {"text": MUTANT}, [MUTANT])
"""Values that take the place of each value of a body in turn."""
UNREADABLE: Any = object()
"""Stands for the value of a part that is no JSON, such as ``[DONE]``."""

_NAMES_OF_KINDS = frozenset(("type", "role", "object", "finish_reason", "stop_reason", "status", "stopReason"))
"""Fields whose text is part of a shape."""


@dataclass(frozen=True)
class Part:
    """A whole body, or one event of a stream."""

    value: Any
    """The JSON value; `UNREADABLE` where there is none."""
    write: Callable[[Any], bytes]
    """Return the bytes of the part with another value."""
    data: bytes = b""
    """The bytes of a part that is no JSON."""

    @property
    def wire(self) -> bytes:
        """Return the bytes of the part."""
        return self.data if self.value is UNREADABLE else self.write(self.value)


@dataclass(frozen=True)
class Mutant:
    """One body with one thing wrong in it."""

    kind: str
    """``value``, ``listed``, ``cut``, ``lost``, ``repeat`` or ``swap``."""
    at: int
    """The number of the part."""
    path: Path
    """Where in the part a value is replaced; empty for other kinds."""
    value: Any
    pieces: tuple[bytes, ...]
    """The bytes of the body, one piece for each part."""

    def __str__(self) -> str:
        where = "/".join(map(str, self.path))
        return f"{self.kind} in part {self.at}" + (f": {where} = {json.dumps(self.value)[:80]}" if self.path else "")


def parts_of(body: bytes, content_type: str) -> tuple[Part, ...]:
    """Return the parts of a body: one for a body of JSON, one for each event of a stream."""
    if body.startswith(b"\0\0"):
        return tuple(_frames(body))
    if "event-stream" in content_type or body.startswith((b"data:", b"event:")):
        return tuple(_events(body))
    lines = body.splitlines()
    if len(lines) > 1 and all(line.startswith(b"{") and line.endswith(b"}") for line in lines if line.strip()):
        return tuple(_part(line, lambda value: json.dumps(value).encode() + b"\n") for line in lines if line.strip())
    return (_part(body, lambda value: json.dumps(value).encode()),)


def _part(data: bytes, write: Callable[[Any], bytes], raw: bytes | None = None) -> Part:
    try:
        return Part(json.loads(data), write)
    except ValueError:
        return Part(UNREADABLE, write, data if raw is None else raw)


def _events(body: bytes) -> Iterator[Part]:
    """Yield the parts of a body of server-sent events."""
    for block in body.replace(b"\r\n", b"\n").split(b"\n\n"):
        lines = block.splitlines()
        heads = [line for line in lines if not line.startswith(b"data:")]
        data = b"\n".join(line[5:].strip() for line in lines if line.startswith(b"data:"))
        head = b"".join(line + b"\n" for line in heads)
        if data:
            yield _part(data, partial(_event, head), head + b"data: " + data + b"\n\n")


def _event(head: bytes, value: Any) -> bytes:
    return head + b"data: " + json.dumps(value).encode() + b"\n\n"


def _frames(body: bytes) -> Iterator[Part]:
    """Yield the parts of an event stream of Amazon's; a value is the payload, or what a model says in its bytes."""
    from botocore.eventstream import EventStreamBuffer
    from enforcement_bedrock import frame

    buffer = EventStreamBuffer()
    buffer.add_data(body)
    for each in buffer:
        kind = each.headers[":message-type"]
        name = each.headers[f":{kind}-type"]
        payload = json.loads(each.payload)
        if "bytes" in payload:
            yield _part(base64.b64decode(payload["bytes"]), partial(_frame_of_bytes, name))
        else:
            yield Part(payload, partial(frame, name, kind=kind))


def _frame_of_bytes(name: str, value: Any) -> bytes:
    from enforcement_bedrock import frame

    return frame(name, {"bytes": base64.b64encode(json.dumps(value).encode()).decode()})


def shape(value: Any) -> Any:
    """Return the shape of a value: two values of one shape differ in texts, numbers and the length of lists alone."""
    if isinstance(value, Mapping):
        named = (
            (key, each if key in _NAMES_OF_KINDS and isinstance(each, str) else shape(each))
            for key, each in value.items()
        )
        return frozenset(named)
    if isinstance(value, list):
        return ("list", frozenset(map(shape, value)))
    return type(value).__name__


def distinct_places(value: Any) -> Iterator[Path]:
    """Yield the path of each value, without those in an item of a list that has the shape of an item before it."""
    alike: set[Path] = set()
    for path in places(value):
        if any(path[:length] in alike for length in range(1, len(path))):
            continue
        parent = _at(value, path[:-1])
        if isinstance(parent, list) and shape(parent[path[-1]]) in map(shape, parent[: path[-1]]):
            alike.add(path)
        else:
            yield path


def _at(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value


def shortened(parts: tuple[Part, ...], length: int = 3) -> tuple[Part, ...]:
    """Return the parts with at most so many neighbours of one shape, such as the pieces of a long text."""
    kept: list[Part] = []
    run: list[Any] = []
    for part in parts:
        its_shape = _shape_of(part)
        run = [*run, its_shape] if run[-1:] == [its_shape] else [its_shape]
        if len(run) <= length or its_shape == _UNREADABLE_SHAPE:
            kept.append(part)
    return tuple(kept)


def _shape_of(part: Part) -> Any:
    return _UNREADABLE_SHAPE if part.value is UNREADABLE else shape(part.value)


_UNREADABLE_SHAPE = "unreadable"


class Tried:
    """Replacements that were made before, in any body of one wire format.

    Two replacements are alike where the same value takes the place of the same field, in objects of one shape. A body
    that differs elsewhere is not walked through this field once more.
    """

    def __init__(self) -> None:
        self._keys: set[Any] = set()
        self.skipped = 0
        """How many replacements were alike."""

    def is_new(self, form: Any, kind: str, root: Any, path: Path, value: Any) -> bool:
        """Return whether a replacement was not made before, and keep it."""
        parent = root
        kinds = []
        for key in path[:-1]:
            kinds.append(parent.get("type") if isinstance(parent, Mapping) else None)
            parent = parent[key]
        names = tuple("*" if isinstance(key, int) else key for key in path)
        key = (form, kind, names, tuple(map(repr, kinds)), shape(parent), json.dumps(value))
        if key in self._keys:
            self.skipped += 1
            return False
        self._keys.add(key)
        return True

    def pass_over(self, parts: tuple[Part, ...], form: Any) -> None:
        """Keep the replacements of a body that was walked before."""
        for _ in mutants(parts, form, self):
            pass


def mutants(parts: tuple[Part, ...], form: Any = None, tried: Tried | None = None) -> Iterator[Mutant]:
    """Yield every mutant of a body. Of events of one shape, the first one is mutated; the last event always is.

    With ``tried``, replacements that were made before in a body of the same ``form`` are left out.
    """
    wires = tuple(part.wire for part in parts)
    seen: set[Any] = set()
    for at, part in enumerate(parts):
        its_shape = _shape_of(part)
        is_first = its_shape not in seen
        seen.add(its_shape)
        before, after = wires[:at], wires[at + 1 :]
        if is_first:
            for kind, path, value, changed in _replacements(part, form, tried):
                yield Mutant(kind, at, path, value, (*before, part.write(changed), *after))
            yield Mutant("cut", at, (), None, (*before, wires[at][: len(wires[at]) // 2]))
        if len(parts) > 1 and (is_first or at == len(parts) - 1):
            yield Mutant("lost", at, (), None, (*before, *after))
            yield Mutant("lost", at, (), None, before)
            yield Mutant("repeat", at, (), None, (*before, wires[at], wires[at], *after))
            yield Mutant("swap", at, (), None, (*before, *after[:1], wires[at], *after[1:]))


def _replacements(part: Part, form: Any, tried: Tried | None) -> Iterator[tuple[str, Path, Any, Any]]:
    """Yield the kind, the path and the new value of each replacement in a part, and the value of the whole part."""
    if part.value is UNREADABLE:
        return
    yield "listed", (), None, [part.value]
    for path in distinct_places(part.value):
        old = _at(part.value, path)
        for value in VALUES:
            is_other = value != old or type(value) is not type(old)
            if is_other and (tried is None or tried.is_new(form, "value", part.value, path, value)):
                yield "value", path, value, with_value(part.value, path, value)
        if old not in (None, "", [], {}) and (tried is None or tried.is_new(form, "listed", part.value, path, None)):
            yield "listed", path, [old], with_value(part.value, path, [old])


def unwalked(part: Part) -> int:
    """Return how many replacements of values a part has, without leaving out any."""
    return 0 if part.value is UNREADABLE else sum(len(VALUES) for _ in places(part.value))
