"""Content: prompts, answers and tool calls in the shape of the GenAI conventions. Recorded only when asked for.

What an application hands to a model may hold anything: cycles, lone surrogates, objects whose ``repr`` raises, 10 MB
of text. What leaves here is plain, finite and encodable.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from specspan._support import drop_counts
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

MAX_CHARS = 65_536
"""Of one attribute's JSON."""
MAX_DEPTH = 16
MAX_ITEMS = 512
"""Of one list or mapping."""
MAX_VALUES = 20_000
"""Of one attribute, counted through all its levels: what bounds a cycle."""
_TEXT_CHARS = (MAX_CHARS, 4_096, 256, 32)


@dataclass(frozen=True, slots=True)
class CapturedContent:
    """The content of one call by attribute name; what is absent from the call is absent here."""

    structures: Mapping[str, list[Any]]
    """For log records."""
    texts: Mapping[str, str]
    """The same as JSON, for spans."""
    truncated: bool
    """Whether any of it was cut to size."""


def capture_content(call: ModelCall) -> CapturedContent:
    """The content of a call, each attribute within `MAX_CHARS`."""
    request = call.request
    structures: dict[str, list[Any]] = {}
    texts: dict[str, str] = {}
    whole = True
    for name, items in (
        (names.SYSTEM_INSTRUCTIONS, [part_as_json(item) for item in request.system_instructions]),
        (names.INPUT_MESSAGES, [message_as_json(item) for item in request.input]),
        (names.OUTPUT_MESSAGES, [message_as_json(item) for item in call.output]),
        (names.TOOL_DEFINITIONS, list(request.tools)),
    ):
        if items:
            structures[name], texts[name], fits = _fitting(items)
            whole = whole and fits
    if not whole:
        drop_counts.count("content", "too_large")
    return CapturedContent(structures, texts, not whole)


def message_as_json(value: Message) -> dict[str, Any]:
    """A message as ``{role, parts[]}``."""
    found: dict[str, Any] = {"role": value.role, "parts": [part_as_json(item) for item in value.parts]}
    return found | _given(name=value.name, finish_reason=value.finish_reason)


def part_as_json(value: Part) -> dict[str, Any]:
    """A part of a message, by the conventions' name for its kind."""
    found: dict[str, Any] = {"type": value.type}
    if isinstance(value, (Text, Reasoning, Refusal)):
        found["content"] = value.content
    elif isinstance(value, ToolCall):
        found |= _given(id=value.id, name=value.name, arguments=value.arguments)
    elif isinstance(value, ToolCallResponse):
        found |= _given(id=value.id, response=value.response)
    elif isinstance(value, Media):
        found |= _given(modality=value.modality, mime_type=value.mime_type, uri=value.uri)
    return found


def as_json_value(value: Any) -> Any:
    """``value`` made of what JSON knows, whatever it was, finite and encodable."""
    return _Plain(MAX_CHARS).of(value)


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _fitting(items: Sequence[Any]) -> tuple[list[Any], str, bool]:
    """``items`` and their JSON within `MAX_CHARS`, and whether they are whole.

    Longer texts are cut first; where that does not do, the oldest items are left out.
    """
    kept: list[Any] = []
    whole = False
    for text_chars in _TEXT_CHARS:
        kept, whole = _newest(items, text_chars)
        if len(kept) == len(items):
            break
    return kept, _json(kept), whole


def _newest(items: Sequence[Any], text_chars: int) -> tuple[list[Any], bool]:
    """As many of ``items`` as fit, counted from the last."""
    form = _Plain(text_chars)
    kept: list[Any] = []
    left = MAX_CHARS - 2
    for item in reversed(items):
        made = form.of(item)
        left -= len(_json(made)) + 2
        if left < 0:
            break
        kept.append(made)
    kept.reverse()
    return kept, len(kept) == len(items) and not form.cut


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


class _Plain:
    """Makes values plain, and remembers whether anything was cut."""

    def __init__(self, text_chars: int) -> None:
        self.cut = False
        self._text_chars = text_chars
        self._values_left = MAX_VALUES

    def of(self, value: Any, depth: int = MAX_DEPTH) -> Any:
        try:
            return self._of(value, depth)
        except Exception:  # somebody's `items`, `__iter__` or `__len__`
            self.cut = True
            return _named(value)

    def _of(self, value: Any, depth: int) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, (int, float)):
            return _number(value)
        if not isinstance(value, (Mapping, Sequence, set, frozenset)) or isinstance(value, (bytes, bytearray)):
            return _named(value)
        self._values_left -= len(value)
        if depth == 0 or self._values_left < 0:
            self.cut = True
            return "…"
        self.cut = self.cut or len(value) > MAX_ITEMS
        if isinstance(value, Mapping):
            return {self._key(key): self.of(item, depth - 1) for key, item in islice(value.items(), MAX_ITEMS)}
        return [self.of(item, depth - 1) for item in islice(value, MAX_ITEMS)]

    def _key(self, key: Any) -> str:
        return self._text(key) if isinstance(key, str) else str(self.of(key, 0))

    def _text(self, text: str) -> str:
        self.cut = self.cut or len(text) > self._text_chars
        return safe_text(str.__str__(text), self._text_chars)


def _number(value: float) -> float | str:
    if isinstance(value, int):
        return value if value.bit_length() <= 64 else f"<{value.bit_length()}-bit int>"
    return value if math.isfinite(value) else str(value)


def _named(value: Any) -> str:
    return f"<{type(value).__qualname__}>"
