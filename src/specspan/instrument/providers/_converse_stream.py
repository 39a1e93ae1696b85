"""Events of the Converse API's streams, folded into an answer of the same shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from specspan.call import Request
from specspan.instrument.providers._shapes import Fields, fields, not_understood, parsed, unknown

_SAYS_NOTHING = ("reasoningContent", "citation", "image")
"""Deltas that may well hold no text: signatures, sources, bytes."""


class _Block:
    """One content block, as far as it was seen."""

    __slots__ = ("kind", "pieces", "start")

    def __init__(self, kind: str, start: Fields) -> None:
        self.kind = kind
        self.start = dict(start)  # applications add the pieces to the first event's own block
        self.pieces: list[str] = []

    def answered(self) -> dict[str, Any]:
        """What stands for the block of a plain answer."""
        text = "".join(self.pieces)
        if self.kind == "toolUse":
            return {"toolUse": {**self.start, "input": parsed(text) if text else self.start.get("input")}}
        if self.kind == "reasoningContent":
            return {"reasoningContent": {"reasoningText": {"text": text}}}
        return {"text": text} if self.kind == "text" else {self.kind: self.start}


class ConverseAccumulator:
    """Folds events into what stands for an answer."""

    __slots__ = ("_blocks", "_merges_texts", "_rest", "_role")

    def __init__(self, request: Request, *, merges_texts: bool = False) -> None:
        self._blocks: dict[int, _Block] = {}
        self._merges_texts = merges_texts  # where the service begins a block for every piece of a text
        self._role: Any = None
        self._rest: dict[str, Any] = {}

    @property
    def finished(self) -> bool:
        return self._rest.get("stopReason") is not None

    def add(self, event: Any) -> None:
        for kind, said in fields(event).items():
            if kind == "contentBlockDelta":
                self._grow(fields(said))
            elif kind == "contentBlockStart":
                self._begin(fields(said))
            elif kind in _HEADS:
                self._note(kind, fields(said))
            elif kind not in _MARKS:
                unknown(kind)

    def result(self) -> dict[str, Any]:
        content = [self._blocks[index].answered() for index in sorted(self._blocks)]
        return {**self._rest, "output": {"message": {"role": self._role, "content": content}}}

    def _note(self, kind: str, said: Fields) -> None:
        if kind == "messageStart":
            self._role = said.get("role")
        self._rest.update({name: said[name] for name in _HEADS[kind] if name in said})

    def _begin(self, said: Fields) -> None:
        start = fields(said.get("start"))
        for kind, about in start.items():
            self._blocks[self._place(said)] = _Block(kind, fields(about))

    def _grow(self, said: Fields) -> None:
        for kind, piece in fields(said.get("delta")).items():
            text = piece.get(_GROWS.get(kind)) if isinstance(piece, Mapping) else piece
            if isinstance(text, str):
                self._block(kind, said).pieces.append(text)
            elif kind not in _SAYS_NOTHING:
                not_understood()

    def _block(self, kind: str, said: Fields) -> _Block:
        """The block that a piece belongs to. Texts need no event to begin with."""
        index = self._place(said)
        block = self._blocks.get(index)
        if block is None and self._merges_texts and self._blocks:
            last = self._blocks[max(self._blocks)]
            block = last if kind == last.kind == "text" else None
        if block is None:
            block = self._blocks[index] = _Block(kind, {})
        return block

    def _place(self, said: Fields) -> int:
        index = said.get("contentBlockIndex")
        if isinstance(index, int):
            return index
        not_understood()
        return max(self._blocks, default=0)


_GROWS = {"toolUse": "input", "reasoningContent": "text"}
"""Which field of a delta has the next piece of its block."""
_HEADS: Mapping[str, tuple[str, ...]] = {
    "messageStart": (),
    "messageStop": ("stopReason",),
    "metadata": ("usage", "trace"),
}
"""What is said of the whole answer, and in which event."""
_MARKS = ("contentBlockStop",)
EVENTS = frozenset(("contentBlockStart", "contentBlockDelta", *_MARKS, *_HEADS))


def deltas(event: Any) -> Iterator[tuple[int, str]]:
    """The text in an event: of the answer, not of reasoning."""
    text = fields(fields(fields(event).get("contentBlockDelta")).get("delta")).get("text")
    if isinstance(text, str) and text:
        yield 0, text


def cut(event: Any, choice: int, text: str) -> Any:
    """The event in which a stream is cut, with the given text in place of its own."""
    said = event["contentBlockDelta"]
    return {**event, "contentBlockDelta": {**said, "delta": {**said["delta"], "text": text}}}


def closing(seen: Any, event: Any) -> list[Any]:
    """How an answer ends of which content was filtered: what clients know for it."""
    return [
        {"contentBlockStop": {"contentBlockIndex": event["contentBlockDelta"].get("contentBlockIndex")}},
        {"messageStop": {"stopReason": "content_filtered"}},
    ]
