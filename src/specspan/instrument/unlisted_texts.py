"""Texts of an answer in fields that its reader does not know: checks read them like its words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import count
from typing import Any

from specspan.call import Request, Text
from specspan.checks.texts import unlisted_pointer
from specspan.instrument.adapter import Delta, Edits
from specspan.instrument.formats.known_fields import (
    AnswerFields,
    Place,
    Unlisted,
    has_unlisted,
    is_object,
    is_told_by_types,
    known_of_body,
    types_along,
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
    numbers: dict[Place, Iterator[int]] = defaultdict(count)
    numbered = [(next(numbers[each.place]), each) for each in fields.read(answer)]
    is_sent = _SentTexts(fields, request)
    found: dict[Place, list[tuple[int, str]]] = defaultdict(list)
    for number, each in numbered:
        if not is_sent(each):
            found[each.place].append((number, each.text))
    return found


_MAX_USUAL = 256


class UnlistedTexts:
    """Such texts of one stream."""

    __slots__ = ("_body", "_fields", "_is_sent", "_known", "found")

    def __init__(self, fields: AnswerFields, request: Request) -> None:
        self._fields = fields
        self._is_sent = _SentTexts(fields, request)
        self._body = fields.body
        self._known = fields.known
        self.found: list[Unlisted] = []
        """Those that came so far."""

    def find(self, chunk: Any) -> Sequence[Unlisted]:
        """Return the texts in one chunk."""
        body = chunk if self._body is None else self._body(chunk)
        fields = self._fields
        types = types_along(body, fields.spine) if fields.spine and is_object(body) else None
        return () if types in fields.usual else self._look(body, types)

    def _look(self, body: Any, types: tuple[type, ...] | None) -> Sequence[Unlisted]:
        """Return the texts in the body of a chunk, and remember its ``types`` where they tell that it has none."""
        known = known_of_body(body, self._known)
        if has_unlisted(body, known):
            return [each for each in unlisted_texts(body, known) if not self._is_sent(each)]
        usual, spine = self._fields.usual, self._fields.spine
        if types is not None and len(usual) < _MAX_USUAL and is_told_by_types(body, self._known, spine):
            usual.add(types)
        return ()

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

    def __call__(self, found: Unlisted) -> bool:
        """Return whether a text is one of them."""
        return not self._fields.repeated.isdisjoint(found.path) and found.text in self._texts

    @cached_property
    def _texts(self) -> set[str]:
        request = self._request
        parts = (*request.system_instructions, *(part for message in request.input for part in message.parts))
        return {*request.repeated, *(part.content for part in parts if isinstance(part, Text))}
