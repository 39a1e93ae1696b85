"""Reader of the recorded content of one direction of a call, input or output, that notes what is missing and why."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from specspan._support import drop_counts
from specspan.bridges.dialect import RecordedSpan
from specspan.call import (
    UNKNOWN_ARGUMENTS,
    Gaps,
    Message,
    Part,
    Reasoning,
    Refusal,
    Response,
    Text,
    ToolCall,
    ToolCallResponse,
    Unknown,
)

NOT_RECORDED = "content_not_recorded"
"""The instrumentation left the content out, as most do by default."""
TRUNCATED = "content_truncated"
"""The content is as long as its provider allows, or attributes were dropped."""
WITHHELD = "content_withheld"
"""The instrumentation removed the content and left a mark."""
NOT_UNDERSTOOD = "content_not_understood"
"""The content is not JSON, or has an unknown shape."""
TOO_LARGE = "content_too_large"
"""The content is longer than `MAX_CHARS`."""

MAX_CHARS = 4_000_000
"""Maximum length of an attribute that is read; trace backends accept far less for a whole trace."""
_DROP_REASONS = {TRUNCATED: "truncated", NOT_UNDERSTOOD: "not_understood", TOO_LARGE: "too_large"}
_REDACTION_MARKS = ("__REDACTED__", "[Scrubbed due to ")
"""Marks of OpenInference and Logfire in place of removed content."""


class ContentReader:
    """Reader of one direction's content, with the reasons why texts, tool calls or arguments are missing."""

    __slots__ = ("_max_chars", "missing_arguments", "missing_text", "missing_tool_calls")

    def __init__(self, span: RecordedSpan) -> None:
        self.missing_text: str | None = None
        self.missing_tool_calls: str | None = None
        self.missing_arguments: str | None = None
        self._max_chars = span.max_chars
        if span.dropped:
            self.note_missing(TRUNCATED)

    def note_missing(self, reason: str, *what: str) -> None:
        """Note why ``what``, by default everything, is incomplete.

        The first reason stays; unexpected content is counted as well.
        """
        if reason in _DROP_REASONS:
            drop_counts.count("bridged_content", _DROP_REASONS[reason])
        for each in what or ("text", "tool_calls", "arguments"):
            if getattr(self, f"missing_{each}") is None:
                setattr(self, f"missing_{each}", reason)

    @property
    def missing(self) -> str | None:
        """Return the first reason why something is missing, or None."""
        return self.missing_text or self.missing_tool_calls or self.missing_arguments

    def read_text(self, value: Any, what: str = "text") -> str:
        """Return a text, and note what is missing of it."""
        if not isinstance(value, str):
            self.note_missing(NOT_RECORDED if value is None else NOT_UNDERSTOOD, what)
            return ""
        if value.startswith(_REDACTION_MARKS):
            self.note_missing(WITHHELD, what)
            return ""
        if self._is_truncated(value):
            self.note_missing(TRUNCATED, what)
        return value

    def parse_json(self, value: Any) -> Any:
        """Return the value of a JSON text, or a value that is not a text; note and return None if it cannot be read."""
        if not isinstance(value, str):
            return value
        if len(value) > MAX_CHARS:
            self.note_missing(TOO_LARGE)
            return None
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            reason = TRUNCATED if self._is_truncated(value) else NOT_UNDERSTOOD
            self.note_missing(WITHHELD if value.startswith(_REDACTION_MARKS) else reason)
            return None

    def read_arguments(self, value: Any) -> Any:
        """Return the arguments of a tool call: parsed JSON, the text, or `UNKNOWN_ARGUMENTS`."""
        if value is None or (isinstance(value, str) and value.startswith(_REDACTION_MARKS)):
            self.note_missing(NOT_RECORDED if value is None else WITHHELD, "arguments")
            return UNKNOWN_ARGUMENTS
        if not isinstance(value, str):
            return value
        if self._is_truncated(value):
            self.note_missing(TRUNCATED, "arguments")
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value

    def check_message(self, message: Message) -> Message:
        """Return a message from another reader, and note what is missing of it."""
        return Message(message.role, tuple(map(self._check_part, message.parts)), message.name, message.finish_reason)

    def _check_part(self, part: Part) -> Part:
        if isinstance(part, ToolCall):
            return ToolCall(part.name, self.read_arguments(part.arguments), part.id)
        if isinstance(part, Unknown):
            self.note_missing(NOT_UNDERSTOOD)
        elif isinstance(part, (Text, Refusal, Reasoning)):
            return type(part)(self.read_text(part.content))
        elif isinstance(part, ToolCallResponse) and isinstance(part.response, str):
            return ToolCallResponse(self.read_text(part.response), part.id)
        return part

    def _is_truncated(self, value: str) -> bool:
        return self._max_chars is not None and len(value) >= self._max_chars


def content_gaps(input_reader: ContentReader, output_reader: ContentReader, response: Response | None) -> Gaps:
    """Return the gaps of a call; without a response, only those of its input."""
    if response is None:
        return Gaps(input_reader.missing)
    return Gaps(
        input_reader.missing,
        output_reader.missing_text,
        output_reader.missing_tool_calls,
        output_reader.missing_arguments,
    )


def finish_reasons(messages: Iterable[Message], recorded_reasons: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the finish reasons recorded for the call, or those of its messages."""
    return tuple(recorded_reasons) or tuple(message.finish_reason for message in messages if message.finish_reason)
