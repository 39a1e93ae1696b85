"""Stream chunks in the shape of OpenAI's chat completions: their deltas, what they add up to, and where they are cut.

A choice of a chunk has a ``delta`` with pieces of a message's fields. Other providers use this shape as well.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any, TypeAlias

from specspan._support.interruption import raise_interruption
from specspan._support.text_pieces import TextPieces
from specspan.call import Request
from specspan.instrument.adapter import Delta
from specspan.instrument.formats.choices import EndedChoices
from specspan.instrument.formats.fields import (
    Fields,
    all_fields_of,
    as_index,
    as_mapping,
    attributes_of,
    cleared,
    copy_with,
    list_or_item,
    read_text,
)
from specspan.instrument.formats.openai_chat import (
    REASONING_FIELDS,
    citation_texts,
)
from specspan.instrument.formats.openai_streamed_tool_calls import StreamedToolCall, StreamedToolCalls

_UNREAD_AFTER_A_CUT = ("refusal", "tool_calls", "function_call", "audio", "annotations")
_RARE_FIELDS = (*_UNREAD_AFTER_A_CUT, *REASONING_FIELDS, "reasoning_details")


class ChatAccumulator:
    """Accumulator that builds a chat completion from the chunks of a stream."""

    __slots__ = ("_choices", "_ended", "_id", "_model", "_usage")

    def __init__(self, request: Request) -> None:
        self._ended = EndedChoices(request)
        self._choices: defaultdict[int, _StreamedChoice] = defaultdict(_StreamedChoice)
        self._id = self._model = self._usage = None

    @property
    def finished(self) -> bool:
        return bool(self._ended.indexes) and self._ended.are_all_of(len(self._choices))

    def add(self, chunk: Any) -> None:
        try:  # most chunks: an object of a client with one choice, which has a text and nothing else
            fields = chunk.__dict__
            (choice,) = fields["choices"]
            choice = choice.__dict__
            delta, index = choice["delta"], choice["index"]
            values = delta.__dict__
            text = values["content"]
            if (
                text.__class__ is str
                and choice["finish_reason"] is fields["usage"] is None
                and [*values.values()].count(None) == len(values) - 1
                and index in self._choices  # the first chunk of each is looked at whole
                and not (delta.__pydantic_extra__ or self._ended.indexes)
            ):
                self._choices[index].text.write(text)
                return
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise_interruption(error)
        self._add_any(chunk)

    def add_text(self, index: int, text: str) -> None:
        """Take in a chunk that has a text of one choice, and nothing else."""
        self._choices[index].text.write(text)
        if self._ended.indexes and text:
            self._ended.reopen(index)

    def _add_any(self, chunk: Any) -> None:
        fields = getattr(chunk, "__dict__", None) or attributes_of(chunk)
        if not self._id:  # the first chunk may come from a filter in front of the model
            self._id, self._model = fields.get("id"), fields.get("model")
        usage = fields.get("usage")
        if usage is not None or "usage" not in fields:  # some clients keep it elsewhere
            self._usage = getattr(chunk, "usage", None) or usage or self._usage
        for choice, delta in _pieces(chunk):
            index = choice_index(choice)
            streamed = self._choices[index]
            has_grown = streamed.add(delta)
            reason = choice.get("finish_reason")
            if reason and isinstance(reason, str):  # some servers say "" until they know
                if self._ended.end(index):
                    streamed.finish_reason = reason
            elif has_grown and self._ended.indexes:
                self._ended.reopen(index)

    def result(self) -> Any:
        choices = [self._choices[index].to_choice() for index in sorted(self._choices)]
        return SimpleNamespace(id=self._id, model=self._model, usage=self._usage, choices=choices)


_Pieces: TypeAlias = Sequence[tuple[Fields, Fields]]
"""Fields of each choice of a chunk, and those of its delta."""


def _pieces(chunk: Any) -> _Pieces:
    try:  # most chunks: an object of a client with one choice, whose fields are all declared
        (choice,) = chunk.__dict__["choices"]
        fields = choice.__dict__
        delta = fields["delta"]
        if not delta.__pydantic_extra__:
            return ((fields, delta.__dict__),)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise_interruption(error)
    return [(choice, delta_fields(choice)) for choice in choices_of(attributes_of(chunk))]


def choice_with_text_alone(chunk: Any) -> int | None:
    """Return the index of the one choice of a chunk, where that has a text and nothing else; None for other chunks."""
    pieces = _pieces(chunk)
    if len(pieces) != 1 or attributes_of(chunk).get("usage") is not None:
        return None
    ((choice, delta),) = pieces
    is_text = delta.get("content").__class__ is str and not any(map(delta.get, _RARE_FIELDS))
    return choice_index(choice) if is_text and not choice.get("finish_reason") else None


def choices_of(chunk: Fields) -> Iterable[Fields]:
    """Return the choices of a chunk that have fields."""
    choices = chunk.get("choices")
    if not choices:
        return ()
    if choices.__class__ is list and len(choices) == 1:  # most chunks
        fields = attributes_of(choices[0])
        if fields.get("delta") is None:  # some clients declare no field of a choice
            fields = all_fields_of(choices[0])
        return (fields,) if fields else ()
    return [
        fields for each in list_or_item(choices) for fields in (attributes_of(each) or all_fields_of(each),) if fields
    ]


def choice_index(choice: Fields) -> int:
    """Return the index of a choice; 0 where there is none that can be read."""
    index = choice.get("index")
    return index if index.__class__ is int else as_index(index) or 0


def delta_fields(choice: Fields) -> Fields:
    """Return the fields of a choice's delta, including those that a client does not declare."""
    delta = choice.get("delta")
    if fields := all_fields_of(delta):
        return fields
    return {"content": delta} if isinstance(delta, (str, list)) else {}


def deltas(chunk: Any) -> Iterator[Delta]:
    """Yield the text in a chunk by choice and field: what a person sees or hears, without reasoning and tool calls.

    Titles of sources stand beside the text that cites them.
    """
    for choice, fields in _pieces(chunk):
        content = fields.get("content")
        if content.__class__ is str:
            if content:
                yield choice_index(choice), content, "content"
        elif content:
            yield from _content_deltas(choice_index(choice), content)
        if fields.get("refusal") or fields.get("audio") or fields.get("annotations"):
            yield from _rare_deltas(choice_index(choice), fields)


def _content_deltas(choice: int, content: Any) -> Iterator[Delta]:
    for item in list_or_item(content):
        text = read_text(item) or read_text(as_mapping(item).get("refusal"))
        if text is None:
            yield choice, "", "content"  # what follows is another text
        elif text:
            yield choice, text, "content"


def _rare_deltas(choice: int, fields: Fields) -> Iterator[Delta]:
    spoken = as_mapping(fields.get("audio")).get("transcript")
    for part, text in (("refusal", read_text(fields.get("refusal"))), ("audio", read_text(spoken))):
        if text:
            yield choice, text, part
    for title in citation_texts(fields.get("annotations") or ""):
        if title:
            yield ~choice, f"{title}\n\n"


def cut(chunk: Any, choice: int, text: str) -> Any:
    """Return the last chunk of a cut stream, with ``text`` and the finish reason ``content_filter``."""
    choices, number = list_or_item(attributes_of(chunk).get("choices")), choice if choice >= 0 else ~choice
    cut_off, fields = next(
        (each, fields)
        for each in choices
        if (fields := attributes_of(each) or all_fields_of(each)) and choice_index(fields) == number
    )
    delta = fields.get("delta")
    if attributes_of(delta):
        delta = copy_with(delta, content=text, **cleared(delta, *_UNREAD_AFTER_A_CUT))
    else:
        delta = {"content": text}
    repeated_text = {"text": text} if as_mapping(cut_off).get("text") else {}  # some services repeat the text here
    last = copy_with(
        cut_off, delta=delta, finish_reason="content_filter", **repeated_text, **cleared(cut_off, "logprobs")
    )
    return copy_with(chunk, choices=[last])


class StreamedReasoning:
    """Reasoning of a streamed message, in each of the fields that services send it in."""

    __slots__ = ("_texts",)

    def __init__(self) -> None:
        self._texts: dict[str, TextPieces] = {}

    def add(self, fields: Fields, read: Callable[[Any], str | None] = read_text) -> bool:
        """Append what a delta or a message has, by default its texts. Returns whether it has any."""
        has_any = False
        for name in REASONING_FIELDS:
            if text := fields.get(name) and read(fields[name]):
                self._texts.setdefault(name, TextPieces()).write(text)
                has_any = True
        return has_any

    def to_fields(self) -> dict[str, str]:
        """Return the fields as an unstreamed message has them."""
        return {name: text.getvalue() for name, text in self._texts.items()}


class _StreamedChoice:
    """Accumulated pieces of one choice."""

    __slots__ = ("annotations", "calls", "content", "details", "finish_reason", "function_call", "reasoning", "refusal",
                 "sound", "text", "transcript", "unread")  # fmt: skip

    def __init__(self) -> None:
        self.content: list[Any] = []
        self.text = TextPieces()
        """The text after it."""
        self.refusal = TextPieces()
        self.reasoning = StreamedReasoning()
        self.transcript = TextPieces()
        self.sound: Any = None
        """The latest piece of a sound."""
        self.annotations: list[Any] = []
        self.details: list[Any] = []
        self.finish_reason: str | None = None
        self.calls = StreamedToolCalls()
        self.function_call = StreamedToolCall()
        self.unread: list[Any] = []

    def add(self, fields: Fields) -> bool:
        """Append a delta. Returns whether it holds anything."""
        content = fields.get("content")
        if content.__class__ is str:
            self.text.write(content)
        elif content:
            self._add_items(content)
        has_more = any(map(fields.get, _RARE_FIELDS))
        if has_more:
            self._add_rare(fields)
        return has_more or bool(content)

    def _add_items(self, content: Any) -> None:
        """Append content that is no text, after the text so far."""
        if text := self.text.getvalue():
            self.content.append(text)
            self.text = TextPieces()
        self.content.append(content)

    def _add_rare(self, fields: Fields) -> None:
        """Append what few chunks have."""
        self.reasoning.add(fields, lambda value: self._text_of(value, "reasoning"))
        self.refusal.write(self._text_of(fields.get("refusal"), "refusal"))
        audio = as_mapping(fields.get("audio"))
        self.transcript.write(self._text_of(audio.get("transcript"), "audio"))
        self.sound = audio.get("data") or self.sound
        self.annotations.extend(list_or_item(fields.get("annotations") or ()))
        self.details.extend(list_or_item(fields.get("reasoning_details") or ()))
        for piece in list_or_item(fields.get("tool_calls") or ()):
            if piece is not None:
                self.calls.add(piece)
        if function := fields.get("function_call"):
            self.function_call.add_function(as_mapping(function))

    def _text_of(self, value: Any, kind: str) -> str:
        text = read_text(value) if value else ""
        if text is None:
            self.unread.append({"type": kind})
        return text or ""

    def to_choice(self) -> Any:
        """Return the choice as an unstreamed chat completion has it."""
        message: dict[str, Any] = {
            "role": "assistant",
            "content": _join_content([each for each in (*self.content, self.text.getvalue(), self.unread) if each]),
            "refusal": self.refusal.getvalue(),
            **self.reasoning.to_fields(),
            "tool_calls": self.calls.to_list(),
        }
        if (transcript := self.transcript.getvalue()) or self.sound:
            message["audio"] = {"transcript": transcript, "data": self.sound}
        if self.function_call.kind:
            message["function_call"] = self.function_call.to_function()
        if self.annotations:
            message["annotations"] = self.annotations
        if self.details:
            message["reasoning_details"] = _join_details(self.details)
        return SimpleNamespace(message=message, finish_reason=self.finish_reason)


def _join_details(details: list[Any]) -> list[dict[str, Any]]:
    """Return details with the texts as one, and that some are encrypted as another."""
    fields = [as_mapping(detail) for detail in details]
    text = "".join(read_text(each.get("text")) or read_text(each.get("summary")) or "" for each in fields)
    return [{"text": text}, {"data": any(each.get("data") for each in fields)}]


def _join_content(pieces: list[Any]) -> Any:
    """Return the content of a message: a text, or a list of items if some pieces are not texts."""
    if all(piece.__class__ is str for piece in pieces):
        return "".join(pieces)
    items: list[dict[str, Any]] = []
    for piece in pieces:
        for item in [piece] if isinstance(piece, str) else list_or_item(piece):
            _append_item(items, {"type": "text", "text": item} if isinstance(item, str) else as_mapping(item), item)
    return items


_JOINED_FIELDS = {"text": "text", "refusal": "refusal", "thinking": "thinking"}
"""Field with the text of an item, by the item's type, for those that come in pieces."""


def _append_item(items: list[dict[str, Any]], fields: Fields, item: Any) -> None:
    """Append a piece of a content list: to the last item, if that is of the same type and has a text."""
    if item is None:
        return
    kind = "text" if read_text(fields.get("text")) is not None else str(fields.get("type") or type(item).__name__)
    field = _JOINED_FIELDS.get(kind)
    text = read_text(fields.get(field)) if field else None
    if field is None or text is None:
        items.append({**fields, "type": kind})
    elif items and items[-1].get("type") == kind and isinstance(items[-1].get(field), str):
        items[-1] = {**items[-1], field: items[-1][field] + text}
    else:
        items.append({"type": kind, field: text})
