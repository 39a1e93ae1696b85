"""Messages in the shape of Amazon Bedrock's Converse API, both ways. What Amazon's Nova models are sent has it too."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from specspan.call import Media, Reasoning, Request, Response, Text, ToolCall, ToolCallResponse, Unknown, Usage
from specspan.instrument.adapter import Edits
from specspan.instrument.formats.bodies import Path, Place, Turn, put_at, put_block_at, with_places, with_turns
from specspan.instrument.formats.fields import (
    Fields,
    count,
    fields,
    finish_reason,
    listed,
    not_understood,
    parsed,
    unknown,
    word,
)

_MEDIA = {"image": "image", "audio": "audio", "video": "video", "document": "file"}
_SAYS_NOTHING = ("cachePoint", "toolAddition", "toolRemoval")


def turns(body: Fields) -> list[Turn]:
    """The messages that are sent."""
    return [_turn(fields(said), ("messages", i)) for i, said in enumerate(listed(body.get("messages")))]


def system(body: Fields) -> list[Place]:
    """The system's instructions."""
    return list(_places(body.get("system"), ("system",)))


def tools(body: Fields) -> tuple[Any, ...]:
    """The definitions of tools."""
    return tuple(listed(fields(body.get("toolConfig")).get("tools")))


def edit_request(body: Any, edits: Edits) -> Any:
    """A copy of what is sent with other texts."""
    edited = with_turns(body, turns(body), "input", edits)
    return with_places(edited, system(body), "/system_instructions/", edits)


def response(body: Fields) -> Response:
    """An answer."""
    reason = finish_reason(body.get("stopReason"))
    return Response(
        model=word(fields(fields(body.get("trace")).get("promptRouter")).get("invokedModelId")),
        output=tuple([turn.message(reason) for turn in _answers(body)]),
        finish_reasons=(reason,) if reason else (),
        usage=_usage(fields(body.get("usage"))),
    )


def edit_response(body: Any, edits: Edits) -> Any:
    """A copy of an answer with other texts."""
    return with_turns(body, _answers(body), "output", edits)


def _answers(body: Fields) -> list[Turn]:
    return [_turn(fields(fields(body.get("output")).get("message")), ("output", "message"))]


def _turn(said: Fields, at: Path) -> Turn:
    return Turn(word(said.get("role")) or "assistant", tuple(_places(said.get("content"), (*at, "content"))))


def _usage(said: Fields) -> Usage:
    fresh, written_out = count(said.get("inputTokens")), count(said.get("outputTokens"))
    read, written = (
        count(said.get(f"cache{way}InputTokens", said.get(f"cache{way}InputTokenCount"))) for way in ("Read", "Write")
    )
    # theirs leaves out what the cache held, or was told to hold
    return Usage(None if fresh is None else fresh + (read or 0) + (written or 0), written_out, read, written)


def _places(content: Any, at: Path) -> Iterator[Place]:
    """The parts of content, which stands ``at`` a place in its body."""
    if isinstance(content, str):  # the service refuses it, and says so
        yield Text(content), put_at(*at)
        return
    for i, block in enumerate(listed(content)):
        yield from _block(fields(block), (*at, i))


def _block(block: Fields, at: Path) -> Iterator[Place]:
    """The parts of one block."""
    kind = next(iter(block), "")
    if kind == "text":
        yield Text(word(block[kind]) or ""), put_at(*at, kind)
        return
    said = fields(block.get(kind))
    if read := _KINDS.get(kind):
        yield from read(said, (*at, kind))
    elif kind not in _SAYS_NOTHING:
        yield unknown(said.get("name") if kind == "SDK_UNKNOWN_MEMBER" else kind), None


def _tool_call(said: Fields, at: Path) -> Iterator[Place]:
    yield ToolCall(word(said.get("name")) or "", said.get("input"), word(said.get("toolUseId"))), None


def _tool_result(said: Fields, at: Path) -> Iterator[Place]:
    """What a tool answered: each text and each JSON is a part."""
    call_id = word(said.get("toolUseId"))
    for i, item in enumerate(listed(said.get("content"))):
        inner, place = fields(item), (*at, "content", i)
        if "json" in inner:
            yield ToolCallResponse(inner["json"], call_id), put_block_at(*place)
        else:
            yield from _quoted(_block(inner, place), call_id)


def _search_result(said: Fields, at: Path) -> Iterator[Place]:
    yield from _quoted(_places(said.get("content"), (*at, "content")), None)


def _quoted(places: Iterable[Place], call_id: str | None) -> Iterator[Place]:
    """Texts that are a tool's."""
    for part, put in places:
        yield (ToolCallResponse(part.content, call_id) if isinstance(part, Text) else part), put


def _reasoning(said: Fields, at: Path) -> Iterator[Place]:
    """Reasoning is signed: it is not edited."""
    thought = said.get("reasoningText")
    yield (Reasoning(word(fields(thought).get("text")) or "") if thought else Unknown("reasoningContent")), None


def _cited(said: Fields, at: Path) -> Iterator[Place]:
    yield from _places(said.get("content"), (*at, "content"))


def _guarded(said: Fields, at: Path) -> Iterator[Place]:
    """What a guardrail is to look at."""
    if "image" in said:
        yield from _medium("image", fields(said["image"]), at)
    else:
        yield Text(word(fields(said.get("text")).get("text")) or ""), put_at(*at, "text", "text")


def _medium(kind: str, said: Fields, at: Path) -> Iterator[Place]:
    """An image, a sound or a document, by reference; a document that is text is what it says."""
    source = fields(said.get("source"))
    if "text" in source:
        yield from _block({"text": source["text"]}, (*at, "source"))
    elif "content" in source:
        yield from _places(source["content"], (*at, "source", "content"))
    else:
        form = word(said.get("format"))
        mime_type = f"{kind}/{form}" if form and kind != "document" else None
        yield Media(_MEDIA[kind], word(fields(source.get("s3Location")).get("uri")), mime_type), None


_KINDS: Mapping[str, Callable[[Fields, Path], Iterator[Place]]] = {
    "toolUse": _tool_call,
    "toolResult": _tool_result,
    "searchResult": _search_result,
    "reasoningContent": _reasoning,
    "citationsContent": _cited,
    "guardContent": _guarded,
    **{kind: partial(_medium, kind) for kind in _MEDIA},
}


# MERGED _converse_stream: Events of the Converse API's streams, folded into an answer of the same shape.


_SAYS_NOTHING_CONVERSE_STREAM = ("reasoningContent", "citation", "image")
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
            elif kind not in _SAYS_NOTHING_CONVERSE_STREAM:
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
