"""Chunks in the shape of OpenAI's chat completions, folded into an answer of the same shape."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from specspan.call import Request


class _Choice:
    """One choice, as far as it was seen."""

    __slots__ = ("calls", "content", "finish_reason", "reasoning", "refusal")

    def __init__(self) -> None:
        self.content = ""
        self.refusal = ""
        self.reasoning = ""
        self.finish_reason: str | None = None
        self.calls: dict[int, SimpleNamespace] = {}


class ChatAccumulator:
    """Folds chunks into what stands for a chat completion."""

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
        if chunk.usage is not None:
            self._usage = chunk.usage
        for choice in chunk.choices:
            seen = self._choices.get(choice.index)
            if seen is None:
                seen = self._choices[choice.index] = _Choice()
            delta = choice.delta
            if delta is not None:
                self._grow(seen, delta)
            if choice.finish_reason is not None and seen.finish_reason is None:
                seen.finish_reason = choice.finish_reason
                self._unfinished -= 1

    def _grow(self, seen: _Choice, delta: Any) -> None:
        if delta.content:
            seen.content += delta.content
        if delta.refusal:
            seen.refusal += delta.refusal
        if delta.model_extra:
            seen.reasoning += delta.model_extra.get("reasoning_content") or ""
        for call in delta.tool_calls or ():
            known = seen.calls.setdefault(call.index, SimpleNamespace(id=None, name="", arguments=""))
            known.id = call.id or known.id
            if call.function is not None:
                known.name += call.function.name or ""
                known.arguments += call.function.arguments or ""

    def result(self) -> Any:
        choices = [_as_answered(self._choices[index]) for index in sorted(self._choices)]
        return SimpleNamespace(id=self._id, model=self._model, usage=self._usage, choices=choices)


def _as_answered(seen: _Choice) -> Any:
    calls = [SimpleNamespace(id=call.id, function=call) for _, call in sorted(seen.calls.items())]
    message = SimpleNamespace(
        role="assistant",
        content=seen.content,
        refusal=seen.refusal,
        reasoning_content=seen.reasoning,
        tool_calls=calls,
    )
    return SimpleNamespace(message=message, finish_reason=seen.finish_reason)


def deltas(chunk: Any) -> Iterator[tuple[int, str]]:
    """The text in a chunk, by choice: answers and refusals, not reasoning."""
    for choice in chunk.choices:
        if choice.delta is not None:
            for text in (choice.delta.content, choice.delta.refusal):
                if text:
                    yield choice.index, text


def cut(chunk: Any, choice: int, text: str) -> Any:
    """The last chunk of a stream that is cut: ``text``, and the reason that a client knows for it."""
    (cut_off,) = [each for each in chunk.choices if each.index == choice]
    delta = cut_off.delta.model_copy(update={"content": text, "refusal": None, "tool_calls": None})
    last = cut_off.model_copy(update={"delta": delta, "finish_reason": "content_filter", "logprobs": None})
    return chunk.model_copy(update={"choices": [last]})
