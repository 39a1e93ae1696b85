"""Messages in the shape of OpenAI's chat completions, as dicts or as a client's objects, both ways.

Requests and answers share it, and so do other providers that speak it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from types import SimpleNamespace
from typing import Any

from specspan.call import Media, Message, Part, Reasoning, Refusal, Request, Text, ToolCall, ToolCallResponse
from specspan.instrument.adapter import Edits
from specspan.instrument.formats.anthropic_messages import to_plain_data
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
"""Items of content that tell where the text beside them comes from."""
_REASONING_FIELDS = ("reasoning_content", "reasoning", "thinking")
"""Not OpenAI's own, but common among those who speak its language; some have both, which say the same."""


def read_message(message: Any, finish_reason: str | None = None) -> Message:
    """One message."""
    said = as_mapping(message)
    parts = tuple([part for part, _ in _message_parts(said)])
    return Message(as_str(said.get("role")) or "assistant", parts, as_str(said.get("name")), finish_reason)


def read_reasoning(said: Fields) -> Any:
    """What a model thought, in a message or a delta; None where nothing is said of it."""
    return said.get("reasoning_content") or said.get("reasoning") or said.get("thinking")


def edit_messages(messages: Iterable[Any], side: str, edits: Edits) -> list[Any]:
    """``messages`` with the texts that ``edits`` has for the ``side`` of the call in which they stand."""
    return [
        replace_texts(message, _message_parts, (edits.get(f"/{side}/{i}/parts/{j}") for j in count()))
        for i, message in enumerate(messages)
    ]


def _message_parts(said: Fields) -> Iterator[tuple[Part, ReplaceText | None]]:
    """The parts of a message, each with how to put another text in its place."""
    if reasoning := read_reasoning(said):
        yield Reasoning(reasoning), _replace_reasoning
    if plan := said.get("tool_plan"):
        yield Reasoning(plan), None
    content = said.get("content")
    if isinstance(content, str):
        if content:
            yield _text_part(said, content), _replace_content
    else:
        for index, item in enumerate(map(as_mapping, as_list(content))):
            if item.get("type") not in _CITATION_TYPES:
                yield _content_part(said, index, item)
    if refusal := said.get("refusal"):
        yield Refusal(refusal), _replace_refusal
    for call in as_list(said.get("tool_calls")):
        yield _read_tool_call(as_mapping(call)), None
    if function := said.get("function_call"):
        yield _read_function_call(as_mapping(function)), None


def _text_part(said: Fields, text: str) -> Part:
    return ToolCallResponse(text, said.get("tool_call_id")) if said.get("role") in ("tool", "function") else Text(text)


def _content_part(said: Fields, index: int, item: Fields) -> tuple[Part, ReplaceText | None]:
    """One item of a list of content."""
    kind = str(item.get("type"))
    text = item.get("text")
    if isinstance(text, str):
        return _text_part(said, text), replace_in_list("content", index, "text")
    if kind == "refusal":
        return Refusal(item.get("refusal") or ""), replace_in_list("content", index, "refusal")
    if kind == "document":
        document = as_mapping(item.get(kind))
        return ToolCallResponse(to_plain_data(document.get("data")), said.get("tool_call_id")), _replace_document(
            index, document
        )
    if kind == "thinking":
        return Reasoning(_join_thinking(item.get(kind))), None
    return (_media_part(kind, item) if kind in _MODALITIES else unknown_part(kind)), None


def _replace_document(index: int, document: Fields) -> ReplaceText:
    put: Any = replace_in_list("content", index, "document")
    return lambda message, text: put(message, {**document, "data": {"text": text}})


def _join_thinking(thinking: Any) -> str:
    """What was thought: a text, or a list of them."""
    if isinstance(thinking, str):
        return thinking
    return "".join(as_str(as_mapping(each).get("text")) or "" for each in as_list(thinking))


def _media_part(kind: str, item: Fields) -> Media:
    """A medium, where it is referred to; some write the address itself in its place, or the bytes as a text."""
    medium = item.get(kind)
    if isinstance(medium, str):
        return Media(_MODALITIES[kind], *media_reference(medium if kind.endswith("_url") else None))
    said = as_mapping(medium)
    return Media(_MODALITIES[kind], *media_reference(said.get("url") or said.get("file_id") or item.get("file_id")))


def _replace_content(message: Any, text: str) -> Any:
    return copy_with(message, content=text)


def _replace_reasoning(message: Any, text: str) -> Any:
    return copy_with(message, **{name: text for name in _REASONING_FIELDS if as_mapping(message).get(name)})


def _replace_refusal(message: Any, text: str) -> Any:
    return copy_with(message, refusal=text)


def _read_tool_call(call: Fields) -> ToolCall:
    if custom := call.get("custom"):
        made = as_mapping(custom)
        return ToolCall(str(made.get("name")), made.get("input"), call.get("id"))
    return _read_function_call(as_mapping(call.get("function")), call.get("id"))


def _read_function_call(function: Fields, call_id: str | None = None) -> ToolCall:
    return ToolCall(function.get("name") or "", parse_arguments(function.get("arguments")), call_id)


# MERGED _chat_stream: Chunks in the shape of OpenAI's chat completions, folded into an answer of the same shape.


class _StreamedChoice:
    """One choice, as far as it was seen."""

    __slots__ = ("calls", "content", "finish_reason", "reasoning", "refusal")

    def __init__(self) -> None:
        self.content: list[str] = []
        self.refusal: list[str] = []
        self.reasoning: list[str] = []
        self.finish_reason: str | None = None
        self.calls: dict[int, _StreamedToolCall] = {}

    def answered(self) -> Any:
        """What stands for the choice of a plain answer."""
        message = {
            "role": "assistant",
            "content": "".join(self.content),
            "refusal": "".join(self.refusal),
            "reasoning_content": "".join(self.reasoning),
            "tool_calls": [call.answered() for _, call in sorted(self.calls.items())],
        }
        return SimpleNamespace(message=message, finish_reason=self.finish_reason)


class _StreamedToolCall:
    """One tool call, as far as it was seen."""

    __slots__ = ("arguments", "id", "name")

    def __init__(self) -> None:
        self.id: str | None = None
        self.name = ""
        self.arguments: list[str] = []

    def answered(self) -> dict[str, Any]:
        return {"id": self.id, "function": {"name": self.name, "arguments": "".join(self.arguments)}}


class ChatAccumulator:
    """Folds chunks into what stands for a chat completion."""

    __slots__ = ("_choices", "_id", "_model", "_unfinished", "_usage")

    def __init__(self, request: Request) -> None:
        count = request.parameters.get("choice.count", 1)
        self._unfinished = count if isinstance(count, int) else 1
        self._choices: dict[int, _StreamedChoice] = {}
        self._id = self._model = self._usage = None

    @property
    def finished(self) -> bool:
        return self._unfinished <= 0

    def add(self, chunk: Any) -> None:
        if not self._id:  # the first chunk may come from a filter in front of the model
            self._id, self._model = chunk.id, chunk.model
        usage = getattr(chunk, "usage", None)  # some clients' have none until it is known
        if usage is not None:
            self._usage = usage
        for choice in chunk.choices or ():
            seen = self._choices.get(choice.index)
            if seen is None:
                seen = self._choices[choice.index] = _StreamedChoice()
            delta = choice.delta
            if delta is not None:
                said, extra = _delta_fields(delta), delta.__pydantic_extra__
                if content := said.get("content"):
                    seen.content.append(content)
                if extra or said.get("tool_calls") or said.get("refusal") or read_reasoning(said):
                    _append_rare_fields(seen, said, extra or {})
            if choice.finish_reason is not None and seen.finish_reason is None:
                seen.finish_reason = choice.finish_reason
                self._unfinished -= 1

    def result(self) -> Any:
        choices = [self._choices[index].answered() for index in sorted(self._choices)]
        return SimpleNamespace(id=self._id, model=self._model, usage=self._usage, choices=choices)


def _delta_fields(delta: Any) -> Fields:
    """What a delta says: not every client has all of OpenAI's fields, and some have them among the extra ones."""
    if isinstance(delta, dict):
        return delta
    found: Fields = delta.__dict__
    return found if "content" in found else as_mapping(delta)


def _append_rare_fields(seen: _StreamedChoice, said: Fields, extra: Fields) -> None:
    """What few chunks have."""
    seen.refusal.append(said.get("refusal") or "")
    seen.reasoning.append(read_reasoning(extra) or read_reasoning(said) or "")
    for piece in said.get("tool_calls") or ():
        call = seen.calls.setdefault(piece.index, _StreamedToolCall())
        call.id = piece.id or call.id
        if piece.function is not None:
            call.name += piece.function.name or ""
            call.arguments.append(piece.function.arguments or "")


def deltas(chunk: Any) -> Iterator[tuple[int, str]]:
    """The text in a chunk, by choice: answers and refusals, not reasoning."""
    for choice in chunk.choices or ():
        if choice.delta is not None:
            said = _delta_fields(choice.delta)
            for text in (said.get("content"), said.get("refusal")):
                if text:
                    yield choice.index, text


def cut(chunk: Any, choice: int, text: str) -> Any:
    """The last chunk of a stream that is cut: ``text``, and the reason that a client knows for it."""
    (cut_off,) = [each for each in chunk.choices if each.index == choice]
    delta = copy_with(cut_off.delta, content=text, **cleared(cut_off.delta, "refusal", "tool_calls"))
    beside = {"text": text} if as_mapping(cut_off).get("text") else {}  # the text again, as some services have it
    last = copy_with(cut_off, delta=delta, finish_reason="content_filter", **beside, **cleared(cut_off, "logprobs"))
    return chunk.model_copy(update={"choices": [last]})
