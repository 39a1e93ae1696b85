"""One side of a call, what was asked or what was answered, while it is read: what is missing of it, and why."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from specspan._support import drop_counts
from specspan.bridges.dialect import Recorded
from specspan.call import (
    NOT_TOLD,
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
"""The other side left it out, as it does unless it is told otherwise."""
TRUNCATED = "content_truncated"
"""It is as long as its provider lets an attribute be, or attributes were dropped."""
WITHHELD = "content_withheld"
"""The other side took it out and said so."""
NOT_UNDERSTOOD = "content_not_understood"
"""It is no JSON, or not of a shape that is known."""
TOO_LARGE = "content_too_large"
"""It is longer than what is read here."""

MAX_CHARS = 4_000_000
"""Of one attribute; of the whole a trace backend takes far less."""
_COUNTED = {TRUNCATED: "truncated", NOT_UNDERSTOOD: "not_understood", TOO_LARGE: "too_large"}
_MARKS = ("__REDACTED__", "[Scrubbed due to ")
"""What OpenInference and Logfire write in place of what they took out."""


class Side:
    """What is missing of one side: of its texts, of its tool calls, of their arguments."""

    __slots__ = ("_longest", "arguments", "text", "tool_calls")

    def __init__(self, recorded: Recorded) -> None:
        self.text: str | None = None
        self.tool_calls: str | None = None
        self.arguments: str | None = None
        self._longest = recorded.longest
        if recorded.dropped:
            self.missed(TRUNCATED)

    def missed(self, reason: str, *what: str) -> None:
        """Note why ``what`` (all of it, unless said) is not whole. The first reason stays; faults are counted."""
        if reason in _COUNTED:
            drop_counts.count("bridged_content", _COUNTED[reason])
        for each in what or ("text", "tool_calls", "arguments"):
            if getattr(self, each) is None:
                setattr(self, each, reason)

    @property
    def any(self) -> str | None:
        """The first reason for which something is missing."""
        return self.text or self.tool_calls or self.arguments

    def told(self, value: Any, what: str = "text") -> str:
        """A text; what is missing of it is noted."""
        if not isinstance(value, str):
            self.missed(NOT_RECORDED if value is None else NOT_UNDERSTOOD, what)
            return ""
        if value.startswith(_MARKS):
            self.missed(WITHHELD, what)
            return ""
        if self._cut(value):
            self.missed(TRUNCATED, what)
        return value

    def json(self, value: Any) -> Any:
        """What an attribute holds as JSON, or as it is where it is no text; None, noted, where it cannot be read."""
        if not isinstance(value, str):
            return value
        if len(value) > MAX_CHARS:
            self.missed(TOO_LARGE)
            return None
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            self.missed(WITHHELD if value.startswith(_MARKS) else TRUNCATED if self._cut(value) else NOT_UNDERSTOOD)
            return None

    def arguments_of(self, value: Any) -> Any:
        """Arguments of a tool call: from JSON where they are that, else the text, or `NOT_TOLD`."""
        if value is None or (isinstance(value, str) and value.startswith(_MARKS)):
            self.missed(NOT_RECORDED if value is None else WITHHELD, "arguments")
            return NOT_TOLD
        if not isinstance(value, str):
            return value
        if self._cut(value):
            self.missed(TRUNCATED, "arguments")
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value

    def looked_over(self, message: Message) -> Message:
        """A message that another reader made, with what is missing of it noted."""
        return Message(message.role, tuple(map(self._part, message.parts)), message.name, message.finish_reason)

    def _part(self, part: Part) -> Part:
        if isinstance(part, ToolCall):
            return ToolCall(part.name, self.arguments_of(part.arguments), part.id)
        if isinstance(part, Unknown):
            self.missed(NOT_UNDERSTOOD)
        elif isinstance(part, (Text, Refusal, Reasoning)):
            return type(part)(self.told(part.content))
        elif isinstance(part, ToolCallResponse) and isinstance(part.response, str):
            return ToolCallResponse(self.told(part.response), part.id)
        return part

    def _cut(self, value: str) -> bool:
        return self._longest is not None and len(value) >= self._longest


def gaps(asked: Side, answered: Side, response: Response | None) -> Gaps:
    """What is missing of a call; of one without a response, nothing of an answer."""
    if response is None:
        return Gaps(asked.any)
    return Gaps(asked.any, answered.text, answered.tool_calls, answered.arguments)


def finish_reasons(messages: Iterable[Message], said: Sequence[str] = ()) -> tuple[str, ...]:
    """Why the model stopped: as it was recorded for the call, else as its messages say."""
    return tuple(said) or tuple(message.finish_reason for message in messages if message.finish_reason)
