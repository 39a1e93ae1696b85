"""Content of a recorded call as a page shows it: messages with the evidence of findings marked in their texts."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from specspan.console.inert_text import Evidence, ShownText, shown_text
from specspan.record import conventions as names
from specspan.sqlite.model import StoredSpan

Record = Mapping[str, Any]

_MOST_PARTS = 200
"""Parts of one call's messages that a page shows, the last ones."""
_TEXTS = ("text", "reasoning")


@dataclass(frozen=True, slots=True)
class ShownPart:
    """Part of a message."""

    kind: str
    """Type of the part, such as ``text`` or ``tool_call``."""
    heading: str | None
    """Name of a tool, where the part is about one."""
    shown: ShownText
    is_redacted: bool = False


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """Message of a call."""

    side: str
    """``system``, ``input`` or ``output``."""
    role: str
    parts: Sequence[ShownPart]


@dataclass(frozen=True, slots=True)
class CallContent:
    """Messages of one call, as far as they were recorded."""

    messages: Sequence[ShownMessage]
    left_out_parts: int
    """Number of earlier parts that the page leaves out."""

    @property
    def is_recorded(self) -> bool:
        """Return whether any message was recorded."""
        return bool(self.messages)


def read_content(span: StoredSpan, decision: Record | None) -> CallContent:
    """Return the messages that a span holds, with the evidence of a decision marked in them."""
    evidence = _evidence_by_pointer(decision or {})
    redacted = set((decision or {}).get("redacted") or ())
    found: list[ShownMessage] = []
    seen = left_out = 0
    for side, attribute in (("output", names.OUTPUT_MESSAGES), ("input", names.INPUT_MESSAGES)):
        messages = list(enumerate(_parse(span.attributes.get(attribute))))
        for number, message in reversed(messages):
            parts = message.get("parts")
            listed = parts if isinstance(parts, list) else [{"type": "text", "content": message.get("content", "")}]
            if seen >= _MOST_PARTS:
                left_out += len(listed)
                continue
            seen += len(listed)
            pointer = f"/{side}/{number}/parts"
            shown = [_part(part, f"{pointer}/{at}", evidence, redacted) for at, part in enumerate(listed)]
            found.insert(0, ShownMessage(side, str(message.get("role") or side), shown))
    instructions = _parse(span.attributes.get(names.SYSTEM_INSTRUCTIONS))
    if instructions:
        parts_shown = [_part(part, "", {}, set()) for part in instructions]
        found.insert(0, ShownMessage("system", "system", parts_shown))
    return CallContent(found, left_out)


def _part(part: Any, pointer: str, evidence: Mapping[str, list[Evidence]], redacted: set[Any]) -> ShownPart:
    if not isinstance(part, Mapping):
        return ShownPart("text", None, shown_text(_as_text(part), evidence.get(pointer, ())))
    kind = str(part.get("type") or "part")
    is_redacted = pointer in redacted  # the evidence was in the text before
    marks = () if is_redacted else evidence.get(pointer, ())
    if kind in _TEXTS:
        return ShownPart(kind, None, shown_text(_as_text(part.get("content")), marks), is_redacted)
    if kind == "tool_call":
        return ShownPart(kind, str(part.get("name")), shown_text(_as_text(part.get("arguments")), marks), is_redacted)
    if kind == "tool_call_response":
        return ShownPart(kind, None, shown_text(_as_text(part.get("response", part.get("result"))), marks), is_redacted)
    rest = {key: value for key, value in part.items() if key != "type"}
    return ShownPart(kind, None, shown_text(_as_text(rest)), is_redacted)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1, default=str)


def _evidence_by_pointer(decision: Record) -> dict[str, list[Evidence]]:
    found: defaultdict[str, list[Evidence]] = defaultdict(list)
    for finding in decision.get("findings") or ():
        for place in _places(finding):
            start, end = place.get("start"), place.get("end")
            if isinstance(start, int) and isinstance(end, int):
                found[str(place.get("pointer"))].append(Evidence(start, end, str(finding.get("clause"))))
    return found


def _places(finding: Any) -> Iterator[Record]:
    if isinstance(finding, Mapping) and finding.get("outcome") != "complied":
        yield from (place for place in finding.get("evidence") or () if isinstance(place, Mapping))


def _parse(value: Any) -> list[Any]:
    """Return the messages of an attribute; a value that is no list of them, as the text of one."""
    if value is None:
        return []
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return [{"role": "unreadable", "content": value}]
    listed = value if isinstance(value, list) else [value]
    return [each if isinstance(each, Mapping) else {"role": "unreadable", "content": _as_text(each)} for each in listed]
