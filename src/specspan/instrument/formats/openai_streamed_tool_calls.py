"""Accumulator of the tool calls of a streamed choice of a chat completion, which come in pieces."""

from __future__ import annotations

import json
from typing import Any

from specspan._support.interruption import raise_interruption
from specspan._support.text_pieces import TextPieces
from specspan.instrument.formats.fields import Fields, all_fields_of, as_index, as_mapping, read_text, to_plain_data

_TOOL_TYPES = (None, "function", "custom")


class StreamedToolCalls:
    """Accumulated tool calls of one choice.

    A call is known by its id. Its index tells to which call a piece without an id belongs: to the latest with that
    index. Some services number all calls alike, and some send no number.
    """

    __slots__ = ("_by_id", "_calls", "_latest")

    def __init__(self) -> None:
        self._calls: list[tuple[int, StreamedToolCall]] = []
        self._by_id: dict[str, StreamedToolCall] = {}
        self._latest: dict[int | None, StreamedToolCall] = {}

    def add(self, piece: Any) -> None:
        fields = all_fields_of(piece)
        call_id, index = fields.get("id"), fields.get("index")
        call_id = call_id if call_id and isinstance(call_id, str) and call_id != "null" else None
        self._call(call_id, index if index.__class__ is int else as_index(index), fields).add(fields, piece)

    def _call(self, call_id: str | None, index: int | None, piece: Fields) -> StreamedToolCall:
        """Return the call that a piece belongs to, which may be a new one."""
        call = self._by_id.get(call_id) if call_id else None
        if call is None:
            call = self._latest.get(index)
            if call is None or (call_id and call.id) or (not call_id and call.is_followed_by(piece)):
                call = StreamedToolCall()
                self._calls.append((len(self._calls) if index is None else index, call))
            if call_id:
                call.id = call_id
                self._by_id[call_id] = call
        self._latest[index] = self._latest[None] = call
        return call

    def to_list(self) -> list[Any]:
        """Return the calls as an unstreamed message has them."""
        return [call.to_tool_call() for _, call in sorted(self._calls, key=lambda each: each[0])]


class StreamedToolCall:
    """Accumulated pieces of one tool call."""

    __slots__ = ("arguments", "id", "kind", "name", "raw")

    def __init__(self) -> None:
        self.id: str | None = None
        self.kind: str | None = None
        self.name = ""
        self.arguments = TextPieces()
        self.raw: Any = None
        """A piece of a kind that is not known."""

    def is_followed_by(self, piece: Fields) -> bool:
        """Return whether a piece without an id starts the next call: it has a name, and this call is whole."""
        name = read_text(as_mapping(piece.get("function")).get("name"))
        return bool(name and self.arguments) and (name != self.name or _is_json(self.arguments.getvalue()))

    def add(self, fields: Fields, piece: Any) -> None:
        """Append a piece, with the ``fields`` that it has."""
        kind, function, custom = fields.get("type"), fields.get("function"), fields.get("custom")
        if custom and (kind == "custom" or (kind is None and not function)):
            self.kind = "custom"
            self._append(as_mapping(custom), "input")
        elif function:
            named = {"name": function} if isinstance(function, str) else as_mapping(function)
            self.add_function(named)
            self.raw = self.raw if named else {"type": type(function).__name__}
        elif not fields or kind not in _TOOL_TYPES:
            self.raw = {"type": kind or type(piece).__name__}

    def add_function(self, function: Fields) -> None:
        """Append a piece of a call of a function; one that a service fills without a call is none."""
        if function.get("name") or function.get("arguments"):
            self.kind = "function"
            self._append(function, "arguments")

    def _append(self, fields: Fields, field: str) -> None:
        name = read_text(fields.get("name"))
        if name and not (self.arguments and name == self.name):  # some services repeat it
            self.name += name
        arguments = fields.get(field)
        if isinstance(arguments, str):
            if arguments:
                self.arguments.write(arguments)
        elif arguments is not None:
            self.arguments.write(json.dumps(to_plain_data(arguments), default=str))

    def to_function(self) -> dict[str, Any]:
        """Return name and arguments of a function."""
        return {"name": self.name, "arguments": self.arguments.getvalue()}

    def to_tool_call(self) -> dict[str, Any]:
        """Return the tool call as an unstreamed message has it."""
        if self.raw is not None and self.kind is None:
            return {"id": self.id, **self.raw}
        if self.kind == "custom":
            custom = {"name": self.name, "input": self.arguments.getvalue()}
            return {"id": self.id, "type": "custom", "custom": custom}
        return {"id": self.id, "function": self.to_function()}


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError) as error:
        raise_interruption(error)
        return False
    return True
