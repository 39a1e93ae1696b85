"""InvokeModel bodies in the shape of OpenAI's chat completions: gpt-oss, DeepSeek, Mistral's chat models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from specspan.call import Message, Response
from specspan.instrument.adapter import Delta, Edits
from specspan.instrument.formats import openai_chat_stream
from specspan.instrument.formats.fields import (
    Fields,
    as_finish_reason,
    as_list,
    as_mapping,
    as_str,
    count_not_understood,
    read_text,
)
from specspan.instrument.formats.known_chat import MESSAGE_FIELDS, chat_of, choice_of
from specspan.instrument.formats.known_fields import WHOLE, Known, by_fields, known, single
from specspan.instrument.formats.openai_chat import REASONING_FIELDS, edit_messages, read_answer, with_odd_part
from specspan.instrument.providers.openai.client import read_usage


def read_response(body: Fields) -> Response:
    """Read a response body."""
    choices = as_list(body.get("choices"))
    reasons = [_read_finish_reason(as_mapping(choice)) for choice in choices]
    return Response(
        id=as_str(body.get("id")),
        model=as_str(body.get("model")),
        output=tuple([_read_choice(each, reason) for each, reason in zip(choices, reasons, strict=True)]),
        finish_reasons=tuple([reason for reason in reasons if reason]),
        usage=read_usage(body.get("usage"), "prompt", "completion"),
    )


def edit_response(body: Any, edits: Edits) -> Any:
    """Return a copy of a response body with edited texts."""
    edited = edit_messages([_choice_message(as_mapping(choice)) for choice in body["choices"]], "output", edits)
    return {
        **body,
        "choices": [_with_message(choice, message) for choice, message in zip(body["choices"], edited, strict=True)],
    }


def _read_choice(choice: Any, finish_reason: str | None) -> Message:
    message = _choice_message(as_mapping(choice))
    return with_odd_part(read_answer(message, finish_reason), choice, message)


def _choice_message(choice: Fields) -> Any:
    """Return the message of a choice; DeepSeek's choices hold just a text."""
    return {"content": choice["text"]} if "text" in choice else choice.get("message")


def _with_message(choice: Any, message: Any) -> Any:
    if not isinstance(choice, dict):
        return choice
    return {**choice, "text": message["content"]} if "text" in choice else {**choice, "message": message}


def _read_finish_reason(choice: Fields) -> str | None:
    return as_finish_reason(choice.get("finish_reason") or choice.get("stop_reason"))


def _known_choice(fields: Fields) -> Known:
    """Return what is known of a choice of a body, by the field that holds its text."""
    return _TEXT_CHOICE if "text" in fields else _MESSAGE_CHOICE


def _known_piece(fields: Fields) -> Known:
    """Return what is known of a choice of a piece, by the field that holds its text."""
    return _DELTA_CHOICE if fields.get("delta") else _known_choice(fields)


_HELD = {name: MESSAGE_FIELDS[name] for name in ("content", "tool_calls", "function_call", *REASONING_FIELDS)}
_TEXT_CHOICE = choice_of(text=WHOLE)
_MESSAGE_CHOICE = choice_of(message=single(known("role", **_HELD)))
_DELTA_CHOICE = choice_of(delta=known("role", **_HELD))
BODY = chat_of(by_fields(_known_choice))
"""What is known of the fields of a body."""
PIECE = chat_of(by_fields(_known_piece))
"""What is known of the fields of a piece of a stream."""


class ChatBodyAccumulator(openai_chat_stream.ChatAccumulator):
    """Accumulator that builds a response body from the pieces of a stream."""

    def add(self, chunk: Any) -> None:
        super().add(_as_openai_chunk(chunk))


def _as_openai_chunk(chunk: Fields) -> Any:
    """Return a chunk with OpenAI's field names and types."""
    choices = [
        _AttributeDict(
            index=_read_index(choice),
            delta=_as_openai_delta(as_mapping(choice.get("delta") or _choice_message(choice))),
            finish_reason=reason,
        )
        for choice in map(as_mapping, as_list(chunk.get("choices")))
        for reason in [choice.get("finish_reason") or choice.get("stop_reason")]
    ]
    return _AttributeDict(
        id=as_str(chunk.get("id")), model=as_str(chunk.get("model")), usage=chunk.get("usage"), choices=choices
    )


def _as_openai_delta(message: Fields) -> _AttributeDict:
    calls = [
        _AttributeDict(
            index=_read_index(call),
            id=as_str(call.get("id")),
            function=_AttributeDict({name: as_str(function.get(name)) for name in function}),
        )
        for call in map(as_mapping, as_list(message.get("tool_calls")))
        for function in [as_mapping(call.get("function"))]
    ]
    more = {name: message.get(name) for name in REASONING_FIELDS}
    delta = _AttributeDict(content=read_text(message.get("content")), tool_calls=calls, __pydantic_extra__=more)
    if function := message.get("function_call"):
        delta["function_call"] = _AttributeDict(as_mapping(function))
    return delta


def _read_index(fields: Fields) -> int:
    index = fields.get("index", 0)
    if isinstance(index, int):
        return index
    count_not_understood()
    return 0


class _AttributeDict(dict[str, Any]):
    """JSON object with attribute access; missing fields are None."""

    __getattr__ = dict.get


def deltas(chunk: Fields) -> Iterator[Delta]:
    """Yield the text in a chunk by choice."""
    return openai_chat_stream.deltas(_as_openai_chunk(chunk))


def cut(chunk: Any, choice: int, text: str) -> Any:
    """Return the last chunk of a cut stream, with ``text`` and the reason ``content_filter``."""
    (last,) = [each for each in chunk["choices"] if _read_index(as_mapping(each)) == choice]
    delta = {"text": text} if "text" in last else {"delta": {"role": "assistant", "content": text}}
    reason = "stop_reason" if "stop_reason" in last else "finish_reason"
    head = {name: last[name] for name in ("index",) if name in last}
    holder = {"message": delta["delta"]} if "message" in last else delta
    return {**chunk, "choices": [{**head, **holder, reason: "content_filter"}]}
