"""Events of Mistral's streams: chunks in the shape of chat completions, with Mistral's own kinds of content."""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from specspan.call import Reasoning, Request
from specspan.instrument.providers._chat import message_of
from specspan.instrument.providers._chat_stream import ChatAccumulator
from specspan.instrument.providers._chat_stream import cut as cut_chunk
from specspan.instrument.providers._mistral_client import said
from specspan.instrument.providers._shapes import fields


class MistralAccumulator(ChatAccumulator):
    """Folds events into what stands for an answer."""

    __slots__ = ("_by_id", "_by_index")

    def __init__(self, request: Request) -> None:
        super().__init__(request)
        self._by_id: dict[str, int] = {}
        self._by_index: dict[tuple[int, int], int] = {}

    def add(self, event: Any) -> None:
        chunk = event.data
        if any(each.delta.tool_calls or each.delta.content.__class__ is list for each in chunk.choices):
            choices = [self._plainly(each) for each in chunk.choices]
            chunk = SimpleNamespace(id=chunk.id, model=chunk.model, usage=chunk.usage, choices=choices)
        super().add(chunk)

    def result(self) -> Any:
        answer = super().result()
        answer.usage = said(answer.usage)
        return answer

    def _plainly(self, choice: Any) -> Any:
        """A choice as OpenAI would have it: text is text, thoughts beside it, pieces of tool calls numbered."""
        delta = choice.delta
        spoken = {
            "content": _text(delta.content),
            "reasoning_content": _thought(delta.content),
            "tool_calls": [self._piece(choice.index, piece) for piece in delta.tool_calls or ()],
            "__pydantic_extra__": None,
        }
        return SimpleNamespace(index=choice.index, delta=SimpleNamespace(**spoken), finish_reason=choice.finish_reason)

    def _piece(self, choice: int, piece: Any) -> Any:
        """A piece of a tool call, with the number of that call. One with an id of its own is another call's: not every
        model numbers them.
        """
        named = piece.id not in (None, "null")
        if named:
            self._by_index[choice, piece.index] = self._by_id.setdefault(piece.id, len(self._by_id))
        arguments = piece.function.arguments
        function = SimpleNamespace(
            name=piece.function.name, arguments=arguments if isinstance(arguments, str) else json.dumps(arguments)
        )
        number = self._by_index.get((choice, piece.index), piece.index)
        return SimpleNamespace(index=number, id=piece.id if named else None, function=function)


def _thought(content: Any) -> str:
    """What was thought, in content that is a list."""
    parts = message_of({"content": content}).parts if isinstance(content, list) else ()
    return "".join(part.content for part in parts if isinstance(part, Reasoning))


def _text(content: Any) -> str:
    """The text in a delta's content, whole or among other blocks."""
    if isinstance(content, str):
        return content
    texts = [fields(each).get("text") for each in content] if isinstance(content, list) else []
    return "".join(text for text in texts if isinstance(text, str))


def deltas(event: Any) -> Iterator[tuple[int, str]]:
    """The text in an event, by choice: of answers, not of thoughts."""
    for choice in event.data.choices:
        if text := _text(choice.delta.content):
            yield choice.index, text


def cut(event: Any, choice: int, text: str) -> Any:
    """The last event of a stream that is cut: ``text``, and the reason that the conventions have for it.

    The client knows of reasons that it does not know, by a type of its own.
    """
    chunk = cut_chunk(event.data, choice, text)
    return type(event).model_validate({"data": chunk.model_dump(warnings=False)})
