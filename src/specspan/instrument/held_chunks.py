"""Chunks of a stream that are held back until their texts are clear, in order."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, TypeAlias

from specspan._support.text_pieces import TextPieces
from specspan.call import ModelCall
from specspan.engine.held_texts import HeldPiece, HeldTexts
from specspan.instrument.chunk_edits import longest_text

EditChunk: TypeAlias = Callable[[Any, Sequence[tuple[str, str]], Mapping[str, str]], Any]
"""Returns a chunk with other texts: new ones for those that it brings, and for those that it repeats."""
_UNLISTED = "unlisted"


@dataclass(slots=True)
class _Written:
    """Text of one part, as it came and as it was handed over."""

    came: TextPieces = field(default_factory=TextPieces)
    gone: TextPieces = field(default_factory=TextPieces)
    chars: int = 0


@dataclass(slots=True)
class HeldChunk:
    """Chunk that is not handed over yet."""

    chunk: Any
    pieces: Sequence[HeldPiece]
    waits_for_end: bool
    """Whether it is handed over with the end of the stream alone: it says that the answer is complete."""
    arrived_s: float = field(default_factory=time.perf_counter)


class HeldChunks:
    """Queue of the chunks of one stream between where they come from and their consumer."""

    def __init__(self, texts: HeldTexts) -> None:
        self.texts = texts
        self.held_s = 0.0
        """Longest time for which a chunk was held back."""
        self.returned: HeldChunk | None = None
        """What a generator returned behind its chunks."""
        self._chunks: deque[HeldChunk] = deque()
        self._written: dict[Hashable, _Written] = {}  # by part
        self._edited: dict[Hashable, _Written] = {}  # those of them that were handed over with another text

    def take(self, chunk: Any, pieces: Sequence[HeldPiece], *, waits_for_end: bool = False) -> None:
        """Take in the next chunk with the pieces of text in it."""
        self._chunks.append(HeldChunk(chunk, pieces, waits_for_end))

    def ends_edited(self, chunk: Any) -> bool:
        """Return whether a chunk is the latest, and a text of it is to be replaced."""
        latest = self._chunks[-1] if self._chunks else None
        return (
            latest is not None and latest.chunk is chunk and any(each.new_text() != each.text for each in latest.pieces)
        )

    def set_returned(self, value: Any) -> None:
        """Take in that the latest chunk is what a generator returned, and is handed over as that."""
        if self._chunks and self._chunks[-1].chunk is value:
            self.returned = self._chunks.pop()

    def release(self, edit: EditChunk, *, is_end: bool) -> Iterator[Any]:
        """Yield the chunks whose texts are clear as they are handed over; at the end all.

        Raises:
            LookupError: a text cannot be replaced. The chunk is the first of those that are held.
        """
        while self._chunks and (is_end or self._is_clear(self._chunks[0])):
            held = self._chunks[0]
            edited = edit(held.chunk, [(piece.text, piece.new_text()) for piece in held.pieces], self._repeated(held))
            self._chunks.popleft()
            self._note(held)
            yield edited

    def release_as_it_came(self) -> Any:
        """Return the first chunk as it came, and have nothing replaced in those that are held with it."""
        for held in self._chunks:
            for piece in held.pieces:
                piece.rewritten = piece.text
        held = self._chunks.popleft()
        self._note(held)
        return held.chunk

    def rewrite(self, call: ModelCall, edits: Mapping[str, str]) -> None:
        """Have whole texts of an answer replaced of which nothing was handed over.

        Args:
            call: the call with its answer.
            edits: new texts by JSON pointer.

        Raises:
            LookupError: a text is not that of a part of the stream.
        """
        returned = () if self.returned is None else (self.returned,)
        pieces = [piece for held in (*self._chunks, *returned) for piece in held.pieces]
        parts: dict[Hashable, list[HeldPiece]] = {}
        for piece in pieces:
            parts.setdefault(_part_of(piece), []).append(piece)
        for pointer, new in edits.items():
            old, is_alone = _text_at(call, pointer), f"/{_UNLISTED}/" in pointer
            alike = (name for name, part in parts.items() if part[0].is_alone is is_alone and _text_of(part) == old)
            name = next(alike, None)
            _spread(_run_of(pieces, old) if name is None else parts.pop(name), old, new)

    def _is_clear(self, held: HeldChunk) -> bool:
        return not held.waits_for_end and all(map(self.texts.is_clear, held.pieces))

    def _repeated(self, held: HeldChunk) -> Mapping[str, str]:
        """Return texts that came before, and that a chunk may repeat, each with the text that was handed over."""
        longest = longest_text(held.chunk) if self._edited else 0
        edited = (written for written in self._edited.values() if written.chars <= longest)
        return {written.came.getvalue(): written.gone.getvalue() for written in edited}

    def _note(self, held: HeldChunk) -> None:
        self.held_s = max(self.held_s, time.perf_counter() - held.arrived_s)
        for piece in held.pieces:
            self.texts.release(piece)
            part, new = _part_of(piece), piece.new_text()
            written = self._written.setdefault(part, _Written())
            written.came.write(piece.text)
            written.gone.write(new)
            written.chars += len(piece.text)
            if new != piece.text:
                self._edited[part] = written


def _part_of(piece: HeldPiece) -> Hashable:
    return piece.choice, piece.part, piece.is_alone


def _text_of(pieces: Sequence[HeldPiece]) -> str:
    return "".join(piece.text for piece in pieces)


def _run_of(pieces: Sequence[HeldPiece], text: str) -> Sequence[HeldPiece]:
    """Return the pieces, one after another, that make up a text.

    Raises:
        LookupError: there are none.
    """
    joined, ends = _text_of(pieces), accumulate((len(piece.text) for piece in pieces), initial=0)
    starts = {end: position for position, end in enumerate(ends)}  # of a piece, by that of its first character
    found = joined.find(text)
    while found >= 0:
        if found in starts and found + len(text) in starts:
            return pieces[starts[found] : starts[found + len(text)]]
        found = joined.find(text, found + 1)
    raise LookupError("a text of the answer is not that of a part of the stream")


def _text_at(call: ModelCall, pointer: str) -> str:
    _, message, _, *part = pointer.strip("/").split("/")
    text: Any = None
    if part[0] != _UNLISTED:
        text = getattr(call.output[int(message)].parts[int(part[0])], "content", None)
    elif call.response is not None:
        text = call.response.unlisted[int(part[1])][int(part[2])]
    if not isinstance(text, str):
        raise LookupError(f"no text stands at {pointer!r}")  # noqa: TRY004 - no wrong type of argument
    return text


def _spread(pieces: Sequence[HeldPiece], old: str, new: str) -> None:
    """Have pieces that make up a text make up another; what both begin and end with stays where it is."""
    limit = min(len(old), len(new))
    start = next((i for i in range(limit) if old[i] != new[i]), limit)
    end = next((i for i in range(limit - start) if old[-1 - i] != new[-1 - i]), limit - start)
    stop, middle, position = len(old) - end, new[start : len(new) - end], 0
    for piece in pieces:
        size = len(piece.text)
        first, last = (min(max(each - position, 0), size) for each in (start, stop))
        position += size
        is_place = start < position or piece is pieces[-1]
        piece.rewritten = piece.text[:first] + (middle if is_place else "") + piece.text[last:]
        middle = "" if is_place else middle
