"""Texts of an answer in fields that its reader does not know: checks read them like its words."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from specspan.call import Message, Request, Response, Text, Unknown
from specspan.checks.texts import unlisted_pointer
from specspan.instrument.adapter import Delta, Edits
from specspan.instrument.formats.known_fields import (
    AnswerFields,
    Place,
    Unlisted,
    has_unlisted,
    known_of_body,
    unlisted_texts,
)


def read_unlisted(fields: AnswerFields, answer: Any, request: Request) -> tuple[tuple[str, ...], ...]:
    """Return the texts of a whole answer in fields that are not known, but for those that the request said."""
    return tuple([tuple([text for _, text in pieces]) for pieces in _by_place(fields, answer, request).values()])


def edit_unlisted(fields: AnswerFields, answer: Any, request: Request, edits: Edits) -> Any:
    """Return an answer with the texts that ``edits`` has for such texts."""
    texts = {
        (place, number): edits[pointer]
        for i, (place, pieces) in enumerate(_by_place(fields, answer, request).items())
        for j, (number, _) in enumerate(pieces)
        if (pointer := unlisted_pointer(i, j)) in edits
    }
    return fields.edited(answer, texts) if texts else answer


def _by_place(fields: AnswerFields, answer: Any, request: Request) -> Mapping[Place, list[tuple[int, str]]]:
    """Return such texts by their places, each with its number there."""
    counts: dict[Place, int] = {}
    is_sent = _SentTexts(fields, request)
    found: dict[Place, list[tuple[int, str]]] = {}
    for each in fields.read(answer):
        place = each.place
        number = counts[place] = counts.get(place, -1) + 1
        if not is_sent(each):
            found.setdefault(place, []).append((number, each.text))
    return found


def with_unread_part(output: Sequence[Message], kind: str) -> tuple[Message, ...]:
    """Return the messages of an answer with a part that stands for what was not understood of it."""
    if not output:
        return (Message("assistant", (Unknown(kind),)),)
    first, *rest = output
    return (replace(first, parts=(*first.parts, Unknown(kind))), *rest)


_EVENT = "event"


class UnlistedTexts:
    """Such texts of one stream."""

    __slots__ = ("_body", "_fields", "_is_sent", "_known", "found", "has_odd_event")

    def __init__(self, fields: AnswerFields, request: Request) -> None:
        self._fields = fields
        self._is_sent = _SentTexts(fields, request)
        self._body = fields.body
        self._known = fields.known
        self.found: list[Unlisted] = []
        """Those that came so far."""
        self.has_odd_event = False
        """Whether some of them came in a list or a text in place of an event: that may have been anything."""

    def find(self, chunk: Any) -> Sequence[Unlisted]:
        """Return the texts in one chunk."""
        body = chunk if self._body is None else self._body(chunk)
        known = known_of_body(body, self._known)
        if has_unlisted(body, known):
            return [each for each in unlisted_texts(body, known) if not self._is_sent(each)]
        return ()

    def has_any(self, chunk: Any) -> bool:
        """Return whether a chunk may have such texts, said by the request or not."""
        body = chunk if self._body is None else self._body(chunk)
        return has_unlisted(body, known_of_body(body, self._known))

    def keep(self, chunk: Any, found: Sequence[Unlisted]) -> None:
        """Take in the texts that were found in a chunk."""
        self.found += found
        self.has_odd_event = self.has_odd_event or self.is_odd(chunk)

    def is_odd(self, chunk: Any) -> bool:
        """Return whether a chunk is a list or a text in place of an event."""
        return not self._fields.has_object(chunk)

    def duplicate(self) -> UnlistedTexts:
        """Return the texts as they came until now."""
        twin = copy.copy(self)
        twin.found = list(self.found)
        return twin

    def added_to(self, response: Response | None) -> Response | None:
        """Return what was read of a stream with these texts beside it."""
        if not self.found:
            return response
        response = response or Response()
        return replace(response, output=self.output(response.output), unlisted=self.texts())

    def output(self, output: Sequence[Message]) -> tuple[Message, ...]:
        """Return the messages that were read of a stream, with a part that stands for events of another shape."""
        return with_unread_part(output, _EVENT) if self.has_odd_event else tuple(output)

    def stripped(self, chunk: Any) -> Any:
        """Return a chunk without such texts."""
        return self._fields.stripped(chunk)

    def texts(self) -> tuple[tuple[str, ...], ...]:
        """Return what came so far, one text for each place."""
        pieces: dict[Place, list[str]] = defaultdict(list)
        for each in self.found:
            pieces[each.place].append(each.text)
        return tuple([("".join(texts),) for texts in pieces.values()])


def as_deltas(found: Iterable[Unlisted]) -> Iterator[Delta]:
    """Yield such texts as a stream is watched: each place by itself."""
    for each in found:
        yield each.choice, each.text, each.path, True


class _SentTexts:
    """Texts of a request that the service repeats: instructions, messages, labels."""

    def __init__(self, fields: AnswerFields, request: Request) -> None:
        self._fields = fields
        self._request = request
        self._known: frozenset[str] | None = None

    def __call__(self, found: Unlisted) -> bool:
        """Return whether a text is one of them."""
        return not self._fields.repeated.isdisjoint(found.path) and found.text in self._texts()

    def _texts(self) -> frozenset[str]:
        if self._known is not None:
            return self._known
        request = self._request
        parts = (*request.system_instructions, *(part for message in request.input for part in message.parts))
        self._known = frozenset((*request.repeated, *(part.content for part in parts if isinstance(part, Text))))
        return self._known
