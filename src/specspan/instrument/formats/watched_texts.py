"""Texts in the events of a Responses stream, and which of them came before.

A text arrives in deltas, and again whole when its part, its item and the response are complete. Some of it arrives
whole only.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from typing import Any, TypeAlias

from specspan.call import Refusal, Text, ToolCallResponse
from specspan.checks.texts import as_text
from specspan.instrument.formats.fields import Fields, as_index, as_mapping, read_text
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
"""Number of the sequence of texts that a text continues, the text, and the place in the answer where it stands."""


def event_kind(event: Fields) -> str:
    """Return the type of an event; empty where there is none that can be read."""
    kind = event.get("type")
    if kind.__class__ is str:
        return str(kind)
    return str.__str__(kind) if isinstance(kind, str) else ""  # some clients have an enumeration


class WatchedTexts:
    """Texts of a streamed answer that came so far.

    All texts that follow each other are one sequence. Pieces of a text that was interrupted by another are a sequence
    of their own, with all of that text.
    """

    __slots__ = ("_by_place", "_latest", "_sequences")

    def __init__(self) -> None:
        self._sequences: list[list[str]] = [[]]
        self._by_place: dict[Hashable, tuple[int, list[str]]] = {}
        self._latest: Hashable = None

    def add(self, new: Iterable[NewText]) -> None:
        """Take in texts that are handed over, or withheld at the end of the stream."""
        for sequence, text, place in new:
            while sequence >= len(self._sequences):
                self._sequences.append([])
            self._sequences[sequence].append(text)
            known = self._by_place.get(place)
            texts = known[1] if known is not None and known[0] == sequence else []
            texts.append(text)
            self._by_place[place] = sequence, texts
            if sequence == 0:
                self._latest = place

    def find_new(self, kind: str, event: Fields) -> list[NewText]:
        """Return the texts in an event that did not come before."""
        if kind in TEXT_DELTAS:
            text = read_text(event.get("delta"))
            return self._of_delta(_place_of(kind, event), text) if text else []
        new: list[NewText] = []
        for place, text in _whole_texts(kind, event):
            if text and not self._is_known(text, new):
                new.append(self._of_whole(place, text, len(self._sequences) + len(new)))
        return new

    def _of_delta(self, place: Hashable, text: str) -> list[NewText]:
        sequence, texts = self._by_place.get(place, (0, []))
        if sequence or not texts or place == self._latest:
            return [(sequence, text, place)]
        return [(len(self._sequences), "".join(texts) + text, place)]

    def _is_known(self, text: str, new: Iterable[NewText]) -> bool:
        sequences: list[list[str]] = [*self._sequences, [each for _, each, _ in new]]
        return any(text in "".join(texts) for texts in sequences)

    def _of_whole(self, place: Hashable, text: str, fresh: int) -> NewText:
        """Return what a whole text adds to the latest one, or the whole of it as a sequence of its own."""
        _, latest = self._by_place.get(self._latest, (0, []))
        begun = "".join(latest)
        if begun and text.startswith(begun):
            return 0, text[len(begun) :], self._latest
        if not self._sequences[0] and fresh == 1:
            return 0, text, place
        return fresh, text, ("whole", fresh)


def _place_of(kind: str, event: Fields) -> Hashable:
    return kind, as_index(event.get("output_index")), as_index(event.get("content_index"))


def _whole_texts(kind: str, event: Fields) -> Iterator[tuple[Hashable, str]]:
    """Yield the texts that an event has whole, each with a place in the answer."""
    if kind in DONE_EVENTS:
        yield None, read_text(event.get(DONE_EVENTS[kind])) or ""
    elif kind in PART_EVENTS:
        yield from _texts_of([{"type": "message", "content": [event.get("part")]}])
    elif kind == ANNOTATION_EVENT:
        yield from ((None, text) for _, text in annotation_texts(event.get("annotation")))
    elif kind in ITEM_EVENTS:
        yield from _texts_of([event.get("item")])
    elif (head := event.get("response")) is not None:
        yield from _texts_of(as_mapping(head).get("output") or ())


def _texts_of(items: Any) -> Iterator[tuple[Hashable, str]]:
    for number, part in enumerate(read_output(items, None).parts):
        if isinstance(part, (Text, Refusal)):
            yield number, part.content
        elif isinstance(part, ToolCallResponse):
            yield number, as_text(part.response)
