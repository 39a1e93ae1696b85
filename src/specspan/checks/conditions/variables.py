"""Variables of a condition: their types, and their values for a call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from specspan.call import Message, ModelCall, Refusal, Text, ToolCall
from specspan.checks.conditions.protocol_buffers import Fields
from specspan.checks.conversations.turns import EarlierTurns, earlier_turns, text_of, texts_of

PACKAGE = "specspan"
TYPES: Mapping[str, Fields] = {
    "Call": {
        "provider": "string",
        "model": "string",
        "operation": "string",
        "streaming": "bool",
        "parameters": "Struct",
        "tools": "string*",
    },
    "Context": {"conversation": "string", "user": "string", "facts": "Struct"},
    "ToolCall": {"name": "string", "arguments": "Value"},
    "EarlierToolCall": {"name": "string", "arguments": "Value", "answered": "bool", "response": "Value"},
    "Message": {"role": "string", "text": "string", "tools": "ToolCall*"},
    "Input": {"text": "string", "instructions": "string", "messages": "Message*"},
    "Output": {"text": "string", "refused": "bool", "messages": "Message*"},
    "History": {"user": "string*", "assistant": "string*", "tools": "EarlierToolCall*"},
}
"""Types of the variables, by name, with their fields."""
VARIABLES = {
    "call": "Call",
    "context": "Context",
    "input": "Input",
    "output": "Output",
    "history": "History",
    "tools": "ToolCall*",
}
"""Variables, with their types."""

MAX_DEPTH = 64
"""Depth of the JSON that a condition can look at."""
MAX_VALUES = 100_000
"""Number of values in it."""
_MAX_INT = 2**63


class UnreadableValue(ValueError):
    """Value of a call that a condition cannot look at: too deep, too large, or no JSON."""


def declared_tools(call: ModelCall) -> list[str]:
    """Return the names of the tools that a request declares, where providers usually write them."""
    names = []
    for tool in call.request.tools:
        inner = tool.get("function")
        name = inner.get("name") if isinstance(inner, Mapping) else tool.get("name")
        if isinstance(name, str):
            names.append(_text(name))
    return names


class Values:
    """Values of the variables for one call; each is read when it is asked for."""

    def __init__(self, call: ModelCall) -> None:
        self._call = call
        self._left = iter(range(MAX_VALUES))
        self._turns: EarlierTurns | None = None

    @property
    def turns(self) -> EarlierTurns:
        """Earlier turns of the conversation."""
        if self._turns is None:  # no cached_property: before Python 3.12 that locks out other threads
            self._turns = earlier_turns(self._call)
        return self._turns

    def of(self, name: str) -> Any:
        """Return the value of a variable.

        Raises:
            UnreadableValue: a tool's arguments or answer, or a fact, cannot be looked at.
        """
        read: Callable[[], Any] = getattr(self, f"_read_{name}")
        return read()

    def _read_call(self) -> Any:
        request = self._call.request
        return {
            "provider": _text(request.provider),
            "model": _text(request.model),
            "operation": _text(request.operation),
            "streaming": request.streaming,
            "parameters": self._json(request.parameters),
            "tools": declared_tools(self._call),
        }

    def _read_context(self) -> Any:
        context = self._call.context
        conversation = context.conversation or self._call.request.conversation
        facts = self._json(context.attributes)
        return {"conversation": _text(conversation), "user": _text(context.user), "facts": facts}

    def _read_input(self) -> Any:
        request = self._call.request
        asked = texts_of(request.input, "user")
        return {
            "text": _text(asked[-1] if asked else ""),
            "instructions": _text(text_of(Message("system", request.system_instructions))),
            "messages": [self._message(message) for message in self.turns.messages],
        }

    def _read_output(self) -> Any:
        messages = self._call.output
        refused = any(isinstance(part, Refusal) for message in messages for part in message.parts)
        read = [self._message(message) for message in messages]
        return {"text": _text(self._call.output_text), "refused": refused, "messages": read}

    def _read_history(self) -> Any:
        turns = self.turns
        return {
            "user": [_text(text) for text in texts_of(turns.messages, "user")[:-1]],
            "assistant": [_text(text) for text in texts_of(turns.messages, "assistant")],
            "tools": [
                {**self._tool(each.call), "answered": each.is_answered, "response": self._json(each.response)}
                for each in turns.tool_calls
            ],
        }

    def _read_tools(self) -> Any:
        return [self._tool(tool) for tool in self._call.tool_calls]

    def _message(self, message: Message) -> Any:
        tools = [self._tool(part) for part in message.parts if isinstance(part, ToolCall)]
        is_text = any(isinstance(part, (Text, Refusal)) for part in message.parts)
        return {"role": _text(message.role), "text": _text(text_of(message)) if is_text else "", "tools": tools}

    def _tool(self, tool: ToolCall) -> dict[str, Any]:
        return {"name": _text(tool.name), "arguments": self._json(tool.arguments)}

    def _json(self, value: Any, depth: int = 0) -> Any:
        if depth > MAX_DEPTH or next(self._left, None) is None:
            raise UnreadableValue("too deep or too large")
        if value is None or isinstance(value, (bool, float)):
            return value
        if isinstance(value, str):
            return _text(value)
        if isinstance(value, int):
            return int(value) if -_MAX_INT <= value < _MAX_INT else _as_float(value)
        if isinstance(value, Mapping):
            return {_text(str(key)): self._json(each, depth + 1) for key, each in value.items()}
        if isinstance(value, (list, tuple)):
            return [self._json(each, depth + 1) for each in islice(value, MAX_VALUES + 1)]
        return None  # such as arguments that were not told


def _text(value: str | None) -> str:
    """Return a text as CEL takes it: lone surrogates, which it cannot hold, become question marks.

    It ends a text at a zero character, behind which anything could hide: such characters become U+FFFD.
    """
    if not value:
        return ""
    text = value.replace("\0", "\ufffd") if "\0" in value else value
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _as_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf") if value > 0 else float("-inf")
