"""Texts in the events of a Responses stream, and which of them came before.

A text arrives in deltas, and again whole when its part, its item and the response are complete. Some of it arrives
whole only.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import Any, TypeAlias

from specspan._support.text_pieces import TextPieces
from specspan.call import Refusal, Text, ToolCallResponse
from specspan.checks.texts import as_text
from specspan.instrument.adapter import BESIDE
from specspan.instrument.formats.fields import Fields, as_index, as_mapping, as_str, read_text
from specspan.instrument.formats.openai_responses import annotation_texts, read_output

ITEM_EVENTS = frozenset(("response.output_item.added", "response.output_item.done"))
PART_EVENTS = frozenset(("response.content_part.added", "response.content_part.done"))
ANNOTATION_EVENT = "response.output_text.annotation.added"
DONE_EVENTS = {
    "response.output_text.done": "text",
    "response.refusal.done": "refusal",
    "response.audio.transcript.done": "transcript",
}
"""Field with the whole text, by event."""
TEXT_DELTAS = frozenset(("response.output_text.delta", "response.refusal.delta", "response.audio.transcript.delta"))
"""Events with a piece of what a person sees or hears."""

NewText: TypeAlias = tuple[int, str, Hashable]
"""Choice of a text, the text, and the place in the answer where it stands."""


def event_kind(event: Fields) -> str:
    """Return the type of an event; empty where there is none that can be read."""
    kind = event.get("type")
    if kind.__class__ is str:
        return str(kind)
    return str.__str__(kind) if isinstance(kind, str) else ""  # some clients have an enumeration


class WatchedTexts:
    """Texts of a streamed answer that came so far."""

    __slots__ = ("_arrived", "_by_place")

    def __init__(self) -> None:
        self._arrived = TextPieces()
        self._by_place: defaultdict[tuple[int, Hashable], TextPieces] = defaultdict(TextPieces)

    def add(self, new: Iterable[NewText]) -> None:
        """Take in texts that are handed over, or withheld at the end of the stream."""
        for choice, text, place in new:
            self._arrived.write(text)
            self._by_place[choice, place].write(text)

    def find_new(self, kind: str, event: Fields) -> list[NewText]:
        """Return the texts in an event that did not come before."""
        if kind in TEXT_DELTAS:
            text = read_text(event.get("delta"))
            return [(0, text, _place_of(kind, event))] if text else []
        new: list[NewText] = []
        for choice, text in _whole_texts(kind, event):
            if text and not self._is_known(text, new):
                new.append(self._of_whole(choice, text, ("whole", len(self._by_place) + len(new))))
        return new

    def _is_known(self, text: str, new: Sequence[NewText]) -> bool:
        return (
            text in self._arrived.getvalue()
            or any(text in written.getvalue() for written in self._by_place.values())
            or text in "".join([each for _, each, _ in new])
        )

    def _of_whole(self, choice: int, text: str, place: Hashable) -> NewText:
        """Return what a whole text adds to the longest one that it begins with, or all of it at a new ``place``."""
        begun = ""
        for (known_choice, known_place), written in self._by_place.items():
            start = written.getvalue()
            if known_choice == choice and len(start) > len(begun) and text.startswith(start):
                begun, place = start, known_place
        return choice, text[len(begun) :], place


def _place_of(kind: str, event: Fields) -> Hashable:
    index = as_index(event.get("output_index"))
    item = as_str(event.get("item_id")) if index is None else index
    return kind, item, as_index(event.get("content_index"))


def _whole_texts(kind: str, event: Fields) -> Iterator[tuple[int, str]]:
    """Yield the texts that an event has whole, each with its choice."""
    if kind in DONE_EVENTS:
        yield 0, read_text(event.get(DONE_EVENTS[kind])) or ""
    elif kind in PART_EVENTS:
        yield from _texts_of([{"type": "message", "content": [event.get("part")]}])
    elif kind == ANNOTATION_EVENT:
        yield from ((BESIDE, text) for _, text in annotation_texts(event.get("annotation")))
    elif kind in ITEM_EVENTS:
        yield from _texts_of([event.get("item")])
    elif (head := event.get("response")) is not None:
        yield from _texts_of(as_mapping(head).get("output") or ())


def _texts_of(items: Any) -> Iterator[tuple[int, str]]:
    for part in read_output(items, None).parts:
        if isinstance(part, (Text, Refusal)):
            yield 0, part.content
        elif isinstance(part, ToolCallResponse):
            yield BESIDE, as_text(part.response)
