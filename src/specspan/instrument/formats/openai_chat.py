"""Messages and stream chunks in the shape of OpenAI's chat completions, as dicts or as a client's objects.

Requests and responses have this shape, and other providers use it as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from types import SimpleNamespace
from typing import Any

from specspan.call import Media, Message, Part, Reasoning, Refusal, Request, Text, ToolCall, ToolCallResponse
from specspan.instrument.adapter import Edits
from specspan.instrument.formats.choices import EndedChoices
from specspan.instrument.formats.fields import (
    Fields,
    ReplaceText,
    as_list,
    as_mapping,
    as_str,
    cleared,
    copy_with,
    media_reference,
    parse_arguments,
    replace_in_list,
    replace_texts,
    to_plain_data,
    unknown_part,
)

_MODALITIES = {
    "image_url": "image",
    "input_audio": "audio",
    "audio": "audio",
    "file": "file",
    "document_url": "file",
    "video_url": "video",
}
_CITATION_TYPES = ("reference",)
"""Content items that name the source of the text beside them."""
_REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking")
"""Fields in which services other than OpenAI send reasoning; some send two with the same text."""


def read_message(message: Any, finish_reason: str | None = None) -> Message:
    """Return the message in a dict or a client's object."""
    fields = as_mapping(message)
    parts = tuple([part for part, _ in _message_parts(fields)])
    return Message(as_str(fields.get("role")) or "assistant", parts, as_str(fields.get("name")), finish_reason)


def read_reasoning(fields: Fields) -> Any:
    """Return the reasoning in a message or a delta, or None."""
    return fields.get("reasoning_content") or fields.get("reasoning") or fields.get("thinking")


def edit_messages(messages: Iterable[Any], side: str, edits: Edits) -> list[Any]:
    """Return the messages with the texts that ``edits`` has for one ``side`` of the call."""
    return [
        replace_texts(message, _message_parts, (edits.get(f"/{side}/{i}/parts/{j}") for j in count()))
        for i, message in enumerate(messages)
    ]


def _message_parts(fields: Fields) -> Iterator[tuple[Part, ReplaceText | None]]:
    """Yield the parts of a message, each with the function that replaces its text."""
    if reasoning := read_reasoning(fields):
        yield Reasoning(reasoning), _replace_reasoning
    if plan := fields.get("tool_plan"):
        yield Reasoning(plan), None
    content = fields.get("content")
    if isinstance(content, str):
        if content:
            yield _text_part(fields, content), _replace_content
    else:
        for index, item in enumerate(map(as_mapping, as_list(content))):
            if item.get("type") not in _CITATION_TYPES:
                yield _content_part(fields, index, item)
    if refusal := fields.get("refusal"):
        yield Refusal(refusal), _replace_refusal
    for call in as_list(fields.get("tool_calls")):
        yield _read_tool_call(as_mapping(call)), None
    if function := fields.get("function_call"):
        yield _read_function_call(as_mapping(function)), None


def _text_part(message: Fields, text: str) -> Part:
    return (
        ToolCallResponse(text, message.get("tool_call_id"))
        if message.get("role") in ("tool", "function")
        else Text(text)
    )


def _content_part(message: Fields, index: int, item: Fields) -> tuple[Part, ReplaceText | None]:
    """Return one item of a content list."""
    kind = str(item.get("type"))
    text = item.get("text")
    if isinstance(text, str):
        return _text_part(message, text), replace_in_list("content", index, "text")
    if kind == "refusal":
        return Refusal(item.get("refusal") or ""), replace_in_list("content", index, "refusal")
    if kind == "document":
        document = as_mapping(item.get(kind))
        return ToolCallResponse(to_plain_data(document.get("data")), message.get("tool_call_id")), _replace_document(
            index, document
        )
    if kind == "thinking":
        return Reasoning(_join_thinking(item.get(kind))), None
    return (_media_part(kind, item) if kind in _MODALITIES else unknown_part(kind)), None


def _replace_document(index: int, document: Fields) -> ReplaceText:
    replace: Any = replace_in_list("content", index, "document")
    return lambda message, text: replace(message, {**document, "data": {"text": text}})


def _join_thinking(thinking: Any) -> str:
    """Return the reasoning text of a thinking item, which holds a text or a list of texts."""
    if isinstance(thinking, str):
        return thinking
    return "".join(as_str(as_mapping(each).get("text")) or "" for each in as_list(thinking))


def _media_part(kind: str, item: Fields) -> Media:
    """Return a medium by reference.

    Some services write the address, or the bytes as text, in place of an object.
    """
    medium = item.get(kind)
    if isinstance(medium, str):
        return Media(_MODALITIES[kind], *media_reference(medium if kind.endswith("_url") else None))
    fields = as_mapping(medium)
    return Media(_MODALITIES[kind], *media_reference(fields.get("url") or fields.get("file_id") or item.get("file_id")))


def _replace_content(message: Any, text: str) -> Any:
    return copy_with(message, content=text)


def _replace_reasoning(message: Any, text: str) -> Any:
    return copy_with(message, **{name: text for name in _REASONING_FIELDS if as_mapping(message).get(name)})


def _replace_refusal(message: Any, text: str) -> Any:
    return copy_with(message, refusal=text)


def _read_tool_call(call: Fields) -> ToolCall:
    if custom := call.get("custom"):
        fields = as_mapping(custom)
        return ToolCall(str(fields.get("name")), fields.get("input"), call.get("id"))
    return _read_function_call(as_mapping(call.get("function")), call.get("id"))


def _read_function_call(function: Fields, call_id: str | None = None) -> ToolCall:
    return ToolCall(function.get("name") or "", parse_arguments(function.get("arguments")), call_id)


class ChatAccumulator:
    """Accumulator that builds a chat completion from the chunks of a stream."""

    __slots__ = ("_choices", "_ended", "_id", "_model", "_usage")

    def __init__(self, request: Request) -> None:
        self._ended = EndedChoices(request)
        self._choices: dict[int, _StreamedChoice] = {}
        self._id = self._model = self._usage = None

    @property
    def finished(self) -> bool:
        return bool(self._ended.indexes) and self._ended.are_all_of(len(self._choices))

    def add(self, chunk: Any) -> None:
        if not self._id:  # the first chunk may come from a filter in front of the model
            self._id, self._model = chunk.id, chunk.model
        usage = getattr(chunk, "usage", None)  # chunks of some clients lack the attribute until the last one
        if usage is not None:
            self._usage = usage
        for choice in chunk.choices or ():
            streamed = self._choices.get(choice.index)
            if streamed is None:
                streamed = self._choices[choice.index] = _StreamedChoice()
            delta, has_grown = choice.delta, False
            if delta is not None:
                fields, extra = _delta_fields(delta), delta.__pydantic_extra__
                if content := fields.get("content"):
                    streamed.content.append(content)
                    has_grown = True
                if extra or fields.get("tool_calls") or fields.get("refusal") or read_reasoning(fields):
                    has_grown = _append_rare_fields(streamed, fields, extra or {}) or has_grown
            if choice.finish_reason or self._ended.indexes:
                self._note_end(choice, streamed, has_grown=has_grown)

    def _note_end(self, choice: Any, streamed: _StreamedChoice, *, has_grown: bool) -> None:
        if choice.finish_reason:  # some servers say "" until they know
            if self._ended.end(choice.index):
                streamed.finish_reason = choice.finish_reason
        elif has_grown:
            self._ended.reopen(choice.index)

    def result(self) -> Any:
        choices = [self._choices[index].to_choice() for index in sorted(self._choices)]
        return SimpleNamespace(id=self._id, model=self._model, usage=self._usage, choices=choices)


def _delta_fields(delta: Any) -> Fields:
    """Return the fields of a delta.

    Some clients lack fields that OpenAI has, and keep them among the extra ones.
    """
    if isinstance(delta, dict):
        return delta
    attributes: Fields = delta.__dict__
    return attributes if "content" in attributes else as_mapping(delta)


def _append_rare_fields(streamed: _StreamedChoice, fields: Fields, extra: Fields) -> bool:
    """Append refusal, reasoning and tool calls, which few chunks have. Returns whether there were any."""
    refusal, calls = fields.get("refusal") or "", fields.get("tool_calls") or ()
    reasoning = read_reasoning(extra) or read_reasoning(fields) or ""
    streamed.refusal.append(refusal)
    streamed.reasoning.append(reasoning)
    for piece in calls:
        call = streamed.calls.setdefault(piece.index, _StreamedToolCall())
        call.id = piece.id or call.id
        if piece.function is not None:
            call.name += piece.function.name or ""
            call.arguments.append(piece.function.arguments or "")
    return bool(refusal or reasoning or calls)


class _StreamedChoice:
    """Accumulated pieces of one choice."""

    __slots__ = ("calls", "content", "finish_reason", "reasoning", "refusal")

    def __init__(self) -> None:
        self.content: list[str] = []
        self.refusal: list[str] = []
        self.reasoning: list[str] = []
        self.finish_reason: str | None = None
        self.calls: dict[int, _StreamedToolCall] = {}

    def to_choice(self) -> Any:
        """Return the choice as an unstreamed chat completion has it."""
        message = {
            "role": "assistant",
            "content": "".join(self.content),
            "refusal": "".join(self.refusal),
            "reasoning_content": "".join(self.reasoning),
            "tool_calls": [call.to_tool_call() for _, call in sorted(self.calls.items())],
        }
        return SimpleNamespace(message=message, finish_reason=self.finish_reason)


class _StreamedToolCall:
    """Accumulated pieces of one tool call."""

    __slots__ = ("arguments", "id", "name")

    def __init__(self) -> None:
        self.id: str | None = None
        self.name = ""
        self.arguments: list[str] = []

    def to_tool_call(self) -> dict[str, Any]:
        """Return the tool call as an unstreamed message has it."""
        return {"id": self.id, "function": {"name": self.name, "arguments": "".join(self.arguments)}}


def deltas(chunk: Any) -> Iterator[tuple[int, str]]:
    """Yield the text in a chunk by choice: answers and refusals, without reasoning."""
    for choice in chunk.choices or ():
        if choice.delta is not None:
            fields = _delta_fields(choice.delta)
            for text in (fields.get("content"), fields.get("refusal")):
                if text:
                    yield choice.index, text


def cut(chunk: Any, choice: int, text: str) -> Any:
    """Return the last chunk of a cut stream, with ``text`` and the finish reason ``content_filter``."""
    (cut_off,) = [each for each in chunk.choices if each.index == choice]
    delta = copy_with(cut_off.delta, content=text, **cleared(cut_off.delta, "refusal", "tool_calls"))
    repeated_text = {"text": text} if as_mapping(cut_off).get("text") else {}  # some services repeat the text here
    last = copy_with(
        cut_off, delta=delta, finish_reason="content_filter", **repeated_text, **cleared(cut_off, "logprobs")
    )
    return chunk.model_copy(update={"choices": [last]})
