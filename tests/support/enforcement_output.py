"""Everything that a client handed to the application, by the place where each text stood."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

Place = tuple[Any, ...]
Texts = list[tuple[Place, str]]

_INDEXES = ("index", "output_index", "content_index", "contentBlockIndex", "summary_index", "annotation_index")
_MAX_DEPTH = 24


@dataclass
class Output:
    """Texts that came out of one call, chunk by chunk, and the error that ended it."""

    chunks: list[Texts] = field(default_factory=list)
    error: BaseException | None = None
    kinds: list[str] = field(default_factory=list)
    """The type of each object that was handed over."""

    def take(self, value: Any) -> None:
        """Add one chunk, answer or piece of bytes."""
        self.kinds.append(type(value).__name__)
        self.chunks.append(list(texts(value)))

    def take_bytes(self, pieces: Iterable[bytes | str]) -> None:
        """Add bytes as one body, read as events or as JSON; an error keeps the bytes before it."""
        body = b""
        try:
            for piece in pieces:
                body += piece.encode() + b"\n" if isinstance(piece, str) else piece
        finally:
            self.take(body)

    @property
    def places(self) -> dict[Place, str]:
        """Return the text at each place, joined over the chunks."""
        return _joined(self.chunks, lambda place: place)

    @property
    def loose_places(self) -> dict[Place, str]:
        """Return the text under each name, joined over neighbouring parts."""
        return _joined(self.chunks, lambda place: tuple(key for key in place if isinstance(key, str))[-1:])

    def has(self, text: str, *, is_spread: bool = False) -> bool:
        """Return whether a text came out at any place, also in the error that ended the call."""
        places = list(self.places.values()) + (list(self.loose_places.values()) if is_spread else [])
        return any(text in each for each in places) or any(text in each for _, each in error_texts(self.error))


def texts(value: Any, place: Place = (), depth: int = 0) -> Iterator[tuple[Place, str]]:
    """Yield each text in a value with the place where it stands."""
    if depth > _MAX_DEPTH:
        return
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, (bytes, bytearray)):
        yield from _byte_texts(bytes(value), place, depth)
    elif isinstance(value, Mapping):
        yield from _mapping_texts(value, place, depth)
    elif isinstance(value, Sequence):
        for position, each in enumerate(value):
            yield from texts(each, (*place, position), depth + 1)
    else:
        mapping = _as_mapping(value)
        if mapping is not None:
            yield from _mapping_texts(mapping, place, depth)


def error_texts(error: BaseException | None) -> Iterator[tuple[Place, str]]:
    """Yield each text that an error carries to the application."""
    if error is not None:
        yield ("error",), str(error)
        yield from texts(dict(vars(error)), ("error",))


def _mapping_texts(value: Mapping[Any, Any], place: Place, depth: int) -> Iterator[tuple[Place, str]]:
    kind = value.get("type")
    marks = tuple(("#", value[name]) for name in _INDEXES if isinstance(value.get(name), (int, float)))
    inner = (*place, *([("type", kind)] if isinstance(kind, str) else []), *marks)
    for key, each in value.items():
        yield from texts(each, (*inner, str(key)), depth + 1)


def _byte_texts(value: bytes, place: Place, depth: int) -> Iterator[tuple[Place, str]]:
    body = value.decode("utf-8", "replace")
    yield (*place, "bytes"), body
    data = [line.partition(":")[2].strip() for line in body.splitlines() if line.startswith("data:")]
    for piece in data or [body, *body.splitlines()]:
        try:
            read = json.loads(piece)
        except ValueError:
            continue
        if not isinstance(read, str):
            yield from texts(read, (*place, "json"), depth + 1)


def _as_mapping(value: Any) -> Mapping[Any, Any] | None:
    if hasattr(type(value), "model_fields"):  # a pydantic model
        return {**vars(value), **(getattr(value, "__pydantic_extra__", None) or {})}
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: getattr(value, each.name, None) for each in fields(value)}
    return None


def _joined(chunks: Iterable[Texts], key: Any) -> dict[Place, str]:
    joined: dict[Place, str] = {}
    for chunk in chunks:
        for place, text in chunk:
            joined[key(place)] = joined.get(key(place), "") + text
    return joined
