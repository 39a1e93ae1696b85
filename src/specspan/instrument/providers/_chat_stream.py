"""Chunks in the shape of OpenAI's chat completions, folded into an answer of the same shape."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from specspan.call import Request
from specspan.instrument.providers._chat import reasoning_of
from specspan.instrument.providers._shapes import Fields, changed, emptied, fields


class _Choice:
    """One choice, as far as it was seen."""

    __slots__ = ("calls", "content", "finish_reason", "reasoning", "refusal")

    def __init__(self) -> None:
        self.content: list[str] = []
        self.refusal: list[str] = []
        self.reasoning: list[str] = []
        self.finish_reason: str | None = None
        self.calls: dict[int, _Call] = {}

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


class _Call:
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
        self._choices: dict[int, _Choice] = {}
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
                seen = self._choices[choice.index] = _Choice()
            delta = choice.delta
            if delta is not None:
                said, extra = _said(delta), delta.__pydantic_extra__
                if content := said.get("content"):
                    seen.content.append(content)
                if extra or said.get("tool_calls") or said.get("refusal") or reasoning_of(said):
                    _note(seen, said, extra or {})
            if choice.finish_reason is not None and seen.finish_reason is None:
                seen.finish_reason = choice.finish_reason
                self._unfinished -= 1

    def result(self) -> Any:
        choices = [self._choices[index].answered() for index in sorted(self._choices)]
        return SimpleNamespace(id=self._id, model=self._model, usage=self._usage, choices=choices)


def _said(delta: Any) -> Fields:
    """What a delta says: not every client has all of OpenAI's fields, and some have them among the extra ones."""
    if isinstance(delta, dict):
        return delta
    found: Fields = delta.__dict__
    return found if "content" in found else fields(delta)


def _note(seen: _Choice, said: Fields, extra: Fields) -> None:
    """What few chunks have."""
    seen.refusal.append(said.get("refusal") or "")
    seen.reasoning.append(reasoning_of(extra) or reasoning_of(said) or "")
    for piece in said.get("tool_calls") or ():
        call = seen.calls.setdefault(piece.index, _Call())
        call.id = piece.id or call.id
        if piece.function is not None:
            call.name += piece.function.name or ""
            call.arguments.append(piece.function.arguments or "")


def deltas(chunk: Any) -> Iterator[tuple[int, str]]:
    """The text in a chunk, by choice: answers and refusals, not reasoning."""
    for choice in chunk.choices or ():
        if choice.delta is not None:
            said = _said(choice.delta)
            for text in (said.get("content"), said.get("refusal")):
                if text:
                    yield choice.index, text


def cut(chunk: Any, choice: int, text: str) -> Any:
    """The last chunk of a stream that is cut: ``text``, and the reason that a client knows for it."""
    (cut_off,) = [each for each in chunk.choices if each.index == choice]
    delta = changed(cut_off.delta, content=text, **emptied(cut_off.delta, "refusal", "tool_calls"))
    beside = {"text": text} if fields(cut_off).get("text") else {}  # the text again, as some services have it
    last = changed(cut_off, delta=delta, finish_reason="content_filter", **beside, **emptied(cut_off, "logprobs"))
    return chunk.model_copy(update={"choices": [last]})
