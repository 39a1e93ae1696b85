"""Chunks of Gemini's streams, accumulated into a response."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from specspan.call import Request
from specspan.instrument.formats.choices import EndedChoices
from specspan.instrument.formats.fields import as_list, as_mapping, copy_with
from specspan.instrument.providers.google.content import get_field


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
        parts = as_list(get_field(get_field(candidate, "content"), "parts"))
        for part in parts:
            streamed.add(part)
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

    __slots__ = ("finish_reason", "parts")

    def __init__(self) -> None:
        self.parts: list[Any] = []
        self.finish_reason: Any = None

    def add(self, part: Any) -> None:
        fields = as_mapping(part)
        text, thought = fields.get("text"), bool(fields.get("thought"))
        if not isinstance(text, str):
            self.parts.append(part)
        elif self.parts and self.parts[-1].__class__ is _StreamedText and self.parts[-1].thought is thought:
            self.parts[-1].pieces.append(text)
        elif text:
            self.parts.append(_StreamedText(text, thought))

    def to_candidate(self) -> dict[str, Any]:
        """Return the candidate as an unstreamed response has it."""
        parts = [part.to_part() if part.__class__ is _StreamedText else part for part in self.parts]
        return {"content": {"role": "model", "parts": parts}, "finish_reason": self.finish_reason}


class _StreamedText:
    """Accumulated pieces of one text."""

    __slots__ = ("pieces", "thought")

    def __init__(self, text: str, thought: bool) -> None:
        self.pieces = [text]
        self.thought = thought

    def to_part(self) -> dict[str, Any]:
        return {"text": "".join(self.pieces), "thought": self.thought}


def candidate_index(candidate: Any) -> int:
    """Return the index of a candidate, which a single one may omit."""
    index = get_field(candidate, "index")
    return index if isinstance(index, int) else 0


def deltas(chunk: Any) -> Iterator[tuple[int, str]]:
    """Yield the answer's text in a chunk by choice, without thoughts."""
    for candidate in as_list(get_field(chunk, "candidates")):
        for part in as_list(get_field(get_field(candidate, "content"), "parts")):
            text = get_field(part, "text")
            if isinstance(text, str) and text and not get_field(part, "thought"):
                yield candidate_index(candidate), text


def cut(chunk: Any, choice: int, text: str) -> Any:
    """Return the last chunk of a cut stream, with ``text`` and the finish reason ``SAFETY``."""
    from google.genai.types import FinishReason

    candidate = next(each for each in chunk.candidates if candidate_index(each) == choice)
    text_part = next(part for part in candidate.content.parts if part.text and not part.thought)
    content = copy_with(candidate.content, parts=[copy_with(text_part, text=text)])
    last = copy_with(candidate, content=content, finish_reason=FinishReason.SAFETY)
    return copy_with(chunk, candidates=[last], parsed=None)
