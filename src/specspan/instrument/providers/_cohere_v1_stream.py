"""Events of the chat of Cohere's first API, folded into an answer of the same shape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from specspan.call import Request
from specspan.instrument.providers._cohere_client import CUT
from specspan.instrument.providers._shapes import Fields, changed, fields, word


class FirstAccumulator:
    """Folds events into what stands for an answer. The last one has all of it again."""

    __slots__ = ("_calls", "_end", "_id", "_texts", "finished")

    def __init__(self, request: Request) -> None:
        self._id: Any = None
        self._texts: list[str] = []
        self._calls: Any = None
        self._end: Fields = {}
        self.finished = False

    def add(self, event: Any) -> None:
        said = fields(event)
        kind = said.get("event_type")
        if kind == "text-generation":
            self._texts.append(word(said.get("text")) or "")
        elif kind == "tool-calls-generation":
            self._calls = said.get("tool_calls")
        elif kind == "stream-start":
            self._id = said.get("generation_id")
        elif kind == "stream-end":
            self._end = {**fields(said.get("response")), "finish_reason": said.get("finish_reason")}
            self.finished = True

    def result(self) -> dict[str, Any]:
        seen = {"generation_id": self._id, "tool_calls": self._calls}
        return {**seen, **{name: value for name, value in self._end.items() if value}, "text": "".join(self._texts)}


def deltas(event: Any) -> Iterator[tuple[int, str]]:
    said = fields(event)
    text = said.get("text")
    if said.get("event_type") == "text-generation" and isinstance(text, str) and text:
        yield 0, text


def cut(event: Any, choice: int, text: str) -> Any:
    return changed(event, text=text)


def closing(seen: Any, event: Any) -> Iterable[Any]:
    """The end of the stream, which says again what was said."""
    from cohere import NonStreamedChatResponse, StreamEndStreamedChatResponse

    found = seen.result()
    whole = NonStreamedChatResponse(text=found["text"], generation_id=found["generation_id"], finish_reason=CUT)
    yield StreamEndStreamedChatResponse(finish_reason=CUT, response=whole)
