"""Prompts, answers and tool calls in the shape of the GenAI conventions, recorded only where that is switched on.

What an application hands to a model may hold anything: cycles, lone surrogates, objects whose ``repr`` raises, 10 MB
of text. Everything made here is plain, finite and encodable.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from specspan._support import drop_counts
from specspan._support.interruption import raise_interruption
from specspan.call import (
    Media,
    Message,
    ModelCall,
    Part,
    Reasoning,
    Refusal,
    Text,
    ToolCall,
    ToolCallResponse,
)
from specspan.record import conventions as names
from specspan.record.attributes import safe_text
from specspan.record.call_facts import call_facts

MAX_CHARS = 65_536
"""Length of one attribute's JSON."""
MAX_DEPTH = 16
MAX_ITEMS = 512
"""Length of one list or mapping."""
MAX_VALUES = 20_000
"""Number of values in one attribute, counted through all its levels, which bounds a cycle."""
_TEXT_CHARS = (MAX_CHARS, 4_096, 256, 32)


@dataclass(frozen=True, slots=True)
class CapturedContent:
    """Content of one call by attribute name, without what the call does not have."""

    structures: Mapping[str, list[Any]]
    """Values for log records."""
    texts: Mapping[str, str]
    """Values as JSON, for spans."""
    truncated: bool
    """True where any of it was cut to size."""


def capture_content(call: ModelCall) -> CapturedContent:
    """Return the content of a call, each attribute within `MAX_CHARS`."""
    request = call.request
    structures: dict[str, list[Any]] = {}
    texts: dict[str, str] = {}
    is_whole = True
    for name, items in (
        (names.SYSTEM_INSTRUCTIONS, [part_as_json(item) for item in request.system_instructions]),
        (names.INPUT_MESSAGES, [message_as_json(item) for item in request.input]),
        (names.OUTPUT_MESSAGES, [message_as_json(item) for item in call.output]),
        (names.TOOL_DEFINITIONS, list(request.tools)),
        (names.CALL_FACTS, [facts] if (facts := call_facts(call)) else []),
    ):
        if items:
            structures[name], texts[name], fits = _fit(items)
            is_whole = is_whole and fits
    if not is_whole:
        drop_counts.count("content", "too_large")
    return CapturedContent(structures, texts, not is_whole)


def content_attributes(call: ModelCall) -> dict[str, Any]:
    """Return the attributes of a span that hold the content of a call."""
    captured = capture_content(call)
    values: dict[str, Any] = dict(captured.texts)
    if captured.truncated:
        values[names.CONTENT_TRUNCATED] = True
    return values


def message_as_json(value: Message) -> dict[str, Any]:
    """Return a message as ``{role, parts[]}``."""
    values: dict[str, Any] = {"role": value.role, "parts": [part_as_json(item) for item in value.parts]}
    return values | _without_none(name=value.name, finish_reason=value.finish_reason)


def part_as_json(value: Part) -> dict[str, Any]:
    """Return a part of a message, its type named as in the conventions."""
    values: dict[str, Any] = {"type": value.type}
    if isinstance(value, (Text, Reasoning, Refusal)):
        values["content"] = value.content
    elif isinstance(value, ToolCall):
        values |= _without_none(id=value.id, name=value.name, arguments=value.arguments)
    elif isinstance(value, ToolCallResponse):
        values |= _without_none(id=value.id, response=value.response)
    elif isinstance(value, Media):
        values |= _without_none(modality=value.modality, mime_type=value.mime_type, uri=value.uri)
    return values


def as_json_value(value: Any) -> Any:
    """Return any value as plain, finite and encodable JSON values."""
    return _JsonConverter(MAX_CHARS).convert(value)


def _without_none(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _fit(items: Sequence[Any]) -> tuple[list[Any], str, bool]:
    """Return ``items`` and their JSON within `MAX_CHARS`, and whether they are whole.

    Longer texts are cut first; where that does not do, the oldest items are left out.
    """
    kept: list[Any] = []
    whole = False
    for text_chars in _TEXT_CHARS:
        kept, whole = _newest_that_fit(items, text_chars)
        if len(kept) == len(items):
            break
    return kept, _json(kept), whole


def _newest_that_fit(items: Sequence[Any], text_chars: int) -> tuple[list[Any], bool]:
    """Return as many of ``items`` as fit, counted from the last."""
    converter = _JsonConverter(text_chars)
    kept: list[Any] = []
    left = MAX_CHARS - 2
    for item in reversed(items):
        converted = converter.convert(item)
        left -= len(_json(converted)) + 2
        if left < 0:
            break
        kept.append(converted)
    kept.reverse()
    return kept, len(kept) == len(items) and not converter.cut


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


class _JsonConverter:
    """Converter of values to plain JSON values, which remembers whether anything was cut."""

    def __init__(self, text_chars: int) -> None:
        self.cut = False
        self._text_chars = text_chars
        self._values_left = MAX_VALUES

    def convert(self, value: Any, depth: int = MAX_DEPTH) -> Any:
        try:
            return self._convert(value, depth)
        except Exception as error:  # somebody's `items`, `__iter__` or `__len__`
            raise_interruption(error)
            self.cut = True
            return _type_name(value)

    def _convert(self, value: Any, depth: int) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, (int, float)):
            return _number(value)
        if not isinstance(value, (Mapping, Sequence, set, frozenset)) or isinstance(value, (bytes, bytearray)):
            return _type_name(value)
        self._values_left -= len(value)
        if depth == 0 or self._values_left < 0:
            self.cut = True
            return "…"
        self.cut = self.cut or len(value) > MAX_ITEMS
        if isinstance(value, Mapping):
            return {self._key(key): self.convert(item, depth - 1) for key, item in islice(value.items(), MAX_ITEMS)}
        return [self.convert(item, depth - 1) for item in islice(value, MAX_ITEMS)]

    def _key(self, key: Any) -> str:
        return self._text(key) if isinstance(key, str) else str(self.convert(key, 0))

    def _text(self, text: str) -> str:
        self.cut = self.cut or len(text) > self._text_chars
        return safe_text(str.__str__(text), self._text_chars)


def _number(value: float) -> float | str:
    if isinstance(value, int):
        return value if value.bit_length() <= 64 else f"<{value.bit_length()}-bit int>"
    return value if math.isfinite(value) else str(value)


def _type_name(value: Any) -> str:
    return f"<{type(value).__qualname__}>"
