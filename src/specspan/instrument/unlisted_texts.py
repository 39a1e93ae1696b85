"""Texts of an answer in fields that its reader does not know: checks read them like its words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from specspan.call import Request, Text
from specspan.checks.texts import unlisted_pointer
from specspan.instrument.adapter import Delta, Edits
from specspan.instrument.formats.known_fields import AnswerFields, Place, Unlisted, has_unlisted, unlisted_texts


def read_unlisted(fields: AnswerFields, answer: Any, request: Request) -> tuple[str, ...]:
    """Return the texts of a whole answer in fields that are not known, but for those that the request said."""
    return tuple(_joined(_not_sent(fields, fields.read(answer), request)).values())


def edit_unlisted(fields: AnswerFields, answer: Any, request: Request, edits: Edits) -> Any:
    """Return an answer with the texts that ``edits`` has for such texts."""
    places = _joined(_not_sent(fields, fields.read(answer), request))
    texts = {place: edits[pointer] for i, place in enumerate(places) if (pointer := unlisted_pointer(i)) in edits}
    return fields.edited(answer, texts) if texts else answer


class UnlistedTexts:
    """Such texts of one stream."""

    __slots__ = ("_body", "_fields", "_known", "_request", "found")

    def __init__(self, fields: AnswerFields, request: Request) -> None:
        self._fields = fields
        self._request = request
        self._body = fields.body
        self._known = fields.known
        self.found: list[Unlisted] = []
        """Those that came so far."""

    def find(self, chunk: Any) -> Sequence[Unlisted]:
        """Return the texts in one chunk."""
        body = chunk if self._body is None else self._body(chunk)
        if not has_unlisted(body, self._known):
            return ()
        return list(_not_sent(self._fields, unlisted_texts(body, self._known), self._request))

    def stripped(self, chunk: Any) -> Any:
        """Return a chunk without such texts."""
        return self._fields.stripped(chunk)

    def texts(self) -> tuple[str, ...]:
        """Return what came so far, one text for each place."""
        return tuple(_joined(self.found).values())


def as_deltas(found: Iterable[Unlisted]) -> Iterator[Delta]:
    """Yield such texts as a stream is watched: each place by itself."""
    for each in found:
        yield each.choice, each.text, each.path, True


def _not_sent(fields: AnswerFields, found: Iterable[Unlisted], request: Request) -> Iterator[Unlisted]:
    """Yield the texts but for those of the request that the service repeats: instructions, messages, labels."""
    sent: set[str] | None = None
    for each in found:
        if not fields.repeated.isdisjoint(each.path):
            sent = _texts_of(request) if sent is None else sent
            if each.text in sent:
                continue
        yield each


def _texts_of(request: Request) -> set[str]:
    parts = (*request.system_instructions, *(part for message in request.input for part in message.parts))
    return {*request.repeated, *(part.content for part in parts if isinstance(part, Text))}


def _joined(found: Iterable[Unlisted]) -> Mapping[Place, str]:
    pieces: dict[Place, list[str]] = {}
    for each in found:
        pieces.setdefault(each.place, []).append(each.text)
    return {place: "".join(texts) for place, texts in pieces.items()}
