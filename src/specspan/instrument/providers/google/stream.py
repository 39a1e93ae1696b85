"""Chunks of Gemini's streams, accumulated into a response."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from specspan._support.text_pieces import TextPieces
from specspan.call import Request, ToolCallResponse
from specspan.instrument.adapter import Delta
from specspan.instrument.formats.choices import EndedChoices
from specspan.instrument.formats.fields import Fields, as_list, as_mapping, copy_with, read_text, texts_in
from specspan.instrument.providers.google.content import SOURCE_FIELDS, content_parts, get_field, parts_beside


class GenerateAccumulator:
    """Accumulator that builds a response from the chunks of a stream.

    Token counts are cumulative: the last value of each is the total.
    """

    __slots__ = ("_candidates", "_ended", "_header", "_is_refused", "_usage")

    def __init__(self, request: Request) -> None:
        self._ended = EndedChoices(request)
        self._is_refused = False
        self._candidates: dict[int, _StreamedCandidate] = {}
        self._header: dict[str, Any] = {}
        self._usage: dict[str, Any] = {}

    @property
    def finished(self) -> bool:
        return self._is_refused or self._ended.are_all_of(len(self._candidates))

    def add(self, chunk: Any) -> None:
        for name in ("response_id", "model_version", "prompt_feedback"):
            value = get_field(chunk, name)
            if value is not None:
                self._header[name] = value
        self._usage |= {name: n for name, n in as_mapping(get_field(chunk, "usage_metadata")).items() if n is not None}
        if get_field(get_field(chunk, "prompt_feedback"), "block_reason") is not None:
            self._is_refused = True
        for candidate in as_list(get_field(chunk, "candidates")):
            self._add_candidate(candidate)

    def _add_candidate(self, candidate: Any) -> None:
        index = candidate_index(candidate)
        streamed = self._candidates.setdefault(index, _StreamedCandidate())
        parts = _content_parts(candidate)
        for part in parts:
            streamed.add(part)
        streamed.add_sources(candidate)
        if reason := get_field(candidate, "finish_reason"):
            if self._ended.end(index):
                streamed.finish_reason = reason
        elif parts:
            self._is_refused = False
            self._ended.reopen(index)

    def result(self) -> dict[str, Any]:
        candidates = [self._candidates[index].to_candidate() for index in sorted(self._candidates)]
        return {**self._header, "candidates": candidates, "usage_metadata": self._usage}


class _StreamedCandidate:
    """Accumulated parts of one candidate."""

    __slots__ = ("finish_reason", "open_call", "parts", "sources")

    def __init__(self) -> None:
        self.parts: list[Any] = []
        self.open_call: dict[str, Any] | None = None
        """Tool call whose arguments still come."""
        self.sources: dict[str, list[Any]] = {}
        self.finish_reason: Any = None

    def add(self, part: Any) -> None:
        fields = as_mapping(part)
        text, thought = fields.get("text"), bool(fields.get("thought"))
        call = get_field(part, "function_call")
        if call is not None and (self.open_call is not None or _is_in_pieces(call)):
            self._add_call(call)
        elif not isinstance(text, str) or _has_more(fields):
            self.parts.append(part)
        elif self.parts and self.parts[-1].__class__ is _StreamedText and self.parts[-1].thought is thought:
            self.parts[-1].pieces.write(text)
        elif text:
            self.parts.append(_StreamedText(text, thought))

    def _add_call(self, call: Any) -> None:
        """Add a piece of a tool call; one with a name of its own is another call."""
        name, pieces = get_field(call, "name"), list(as_list(get_field(call, "partial_args")))
        if self.open_call is None or (name and self.open_call["partial_args"]):
            self.open_call = {"name": name, "id": get_field(call, "id"), "args": None, "partial_args": []}
            self.parts.append({"function_call": self.open_call})
        self.open_call["name"] = self.open_call["name"] or name
        self.open_call["args"] = self.open_call["args"] or get_field(call, "args")
        self.open_call["partial_args"] += pieces
        if not get_field(call, "will_continue") and not pieces:
            self.open_call = None

    def add_sources(self, candidate: Any) -> None:
        for name in SOURCE_FIELDS:
            value = get_field(candidate, name)
            if value is not None:
                self.sources.setdefault(name, []).append(value)

    def to_candidate(self) -> dict[str, Any]:
        """Return the candidate as an unstreamed response has it."""
        parts = [part.to_part() if part.__class__ is _StreamedText else part for part in self.parts]
        return {"content": {"role": "model", "parts": parts}, "finish_reason": self.finish_reason, **self.sources}


_FIELDS_OF_TEXT = ("text", "thought", "thought_signature")


def _has_more(fields: Fields) -> bool:
    """Return whether a part with a text holds something else as well."""
    return any(value is not None and name not in _FIELDS_OF_TEXT for name, value in fields.items())


def _is_in_pieces(call: Any) -> bool:
    return bool(get_field(call, "will_continue") or get_field(call, "partial_args"))


def _content_parts(candidate: Any) -> Iterable[Any]:
    """Return the parts of a candidate's content, which may be one text."""
    parts = get_field(get_field(candidate, "content"), "parts")
    return ({"text": parts},) if isinstance(parts, str) else as_list(parts)


class _StreamedText:
    """Accumulated pieces of one text."""

    __slots__ = ("pieces", "thought")

    def __init__(self, text: str, thought: bool) -> None:
        self.pieces = TextPieces(text)
        self.thought = thought

    def to_part(self) -> dict[str, Any]:
        return {"text": self.pieces.getvalue(), "thought": self.thought}


def candidate_index(candidate: Any) -> int:
    """Return the index of a candidate, which a single one may omit."""
    index = get_field(candidate, "index")
    return index if isinstance(index, int) else 0


def deltas(chunk: Any) -> Iterator[Delta]:
    """Yield the answer's text in a chunk by choice, without thoughts, and by ``~choice`` its sources and results.

    Texts that follow each other are one part.
    """
    for candidate in as_list(get_field(chunk, "candidates")):
        index = candidate_index(candidate)
        for part in _content_parts(candidate):
            fields = as_mapping(part)
            text = fields.get("text")
            is_apart = not text or bool(fields.get("thought")) or _has_more(fields)
            if is_apart:
                yield index, "", "text"
            if text and not fields.get("thought") and (read := read_text(text)):
                yield index, read
                if is_apart:
                    yield index, "", "text"
            if text is None and not isinstance(part, str):
                yield from _beside(index, (place for place, _ in content_parts({"parts": [part]})))
        yield from _beside(index, (part for part, _ in parts_beside(candidate)))


def _beside(index: int, parts: Iterable[Any]) -> Iterator[Delta]:
    for part in parts:
        if isinstance(part, ToolCallResponse) and (text := "\n".join(texts_in(part.response))):
            yield ~index, f"{text}\n\n"


def cut(chunk: Any, choice: int, text: str) -> Any:
    """Return the last chunk of a cut stream, with ``text`` and the finish reason ``SAFETY``."""
    from google.genai.types import Content, FinishReason, Part

    index = choice if choice >= 0 else ~choice
    candidate = next(each for each in chunk.candidates if candidate_index(each) == index)
    parts = (candidate.content and candidate.content.parts) or ()
    before = next((part for part in parts if part.text and not part.thought), None)
    part = Part(text=text) if before is None or choice < 0 else copy_with(before, text=text)
    content = Content(role="model", parts=[part])
    sources = dict.fromkeys(SOURCE_FIELDS)
    last = copy_with(candidate, content=content, finish_reason=FinishReason.SAFETY, **sources)
    return copy_with(chunk, candidates=[last], parsed=None)
