"""Events of Cohere's chat, folded into an answer of the same shape."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from specspan.call import Request
from specspan.instrument.providers._bodies import put_at
from specspan.instrument.providers._cohere_client import CUT
from specspan.instrument.providers._shapes import Fields, changed, emptied, fields, not_understood, word


class ChatAccumulator:
    """Folds events into what stands for an answer."""

    __slots__ = ("_calls", "_content", "_end", "_id", "_plan", "finished")

    def __init__(self, request: Request) -> None:
        self._id: Any = None
        self._plan: list[str] = []
        self._content: dict[str, list[str]] = {"thinking": [], "text": []}
        self._calls: dict[Any, dict[str, Any]] = {}
        self._end: Fields = {}
        self.finished = False

    def add(self, event: Any) -> None:
        said = fields(event)
        kind = said.get("type")
        if kind == "message-end":
            self._end, self.finished = fields(said.get("delta")), True
        elif kind == "message-start":
            self._id = said.get("id")
        else:
            self._take(said, _message(said))

    def _take(self, said: Fields, message: Fields) -> None:
        content = fields(message.get("content"))
        if content.get("type", "text") not in self._content:
            not_understood()
        for name, pieces in self._content.items():
            pieces.append(word(content.get(name)) or "")
        self._plan.append(word(message.get("tool_plan")) or "")
        if call := message.get("tool_calls"):
            self._call(said.get("index"), fields(call))

    def _call(self, index: Any, piece: Fields) -> None:
        seen = self._calls.setdefault(index, {"id": None, "name": "", "arguments": []})
        function = fields(piece.get("function"))
        seen["id"] = piece.get("id") or seen["id"]
        seen["name"] += word(function.get("name")) or ""
        seen["arguments"].append(word(function.get("arguments")) or "")

    def result(self) -> dict[str, Any]:
        content = [{"type": name, name: "".join(pieces)} for name, pieces in self._content.items() if any(pieces)]
        calls = [
            {"id": call["id"], "function": {"name": call["name"], "arguments": "".join(call["arguments"])}}
            for call in self._calls.values()
        ]
        message = {"role": "assistant", "tool_plan": "".join(self._plan), "content": content, "tool_calls": calls}
        return {"id": self._id, **self._end, "message": message}


def _message(said: Fields) -> Fields:
    return fields(fields(said.get("delta")).get("message"))


def deltas(event: Any) -> Iterator[tuple[int, str]]:
    """The text in an event: of the answer, not of thoughts."""
    text = fields(_message(fields(event)).get("content")).get("text")
    if isinstance(text, str) and text:
        yield 0, text


def cut(event: Any, choice: int, text: str) -> Any:
    """The last event with text of a stream that is cut."""
    return changed(put_at("delta", "message", "content", "text")(event, text), **emptied(event, "logprobs"))


def closing(seen: Any, event: Any) -> Iterable[Any]:
    """The end of the block and of the message, as the service says it."""
    from cohere import ChatMessageEndEventDelta

    yield _like(event, "ContentEnd")(index=event.index)
    yield _like(event, "MessageEnd")(id=seen.result()["id"], delta=ChatMessageEndEventDelta(finish_reason=CUT))


def _like(event: Any, kind: str) -> Any:
    """The class of events of another kind, which stands beside that of ``event``."""
    found = type(event)
    return getattr(sys.modules[found.__module__], re.sub("^Content(Start|Delta)", kind, found.__name__))
