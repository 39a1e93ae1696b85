"""Further readings of texts, in which a pattern finds what the texts as they stand hide.

A text is read as it stands, and besides: joined with the other texts of its message, with the escapes of JSON decoded
that it is or holds, and, for checks that ask for it, in its normalised writings. Evidence found in a reading points
into the texts as they stand. Most texts have no further reading, and cost next to nothing to ask.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from specspan.checks.check import TextAt
from specspan.checks.json_escapes import MAX_DEPTH, GrowingJson, decoded_stretches, json_start, nested_json_start
from specspan.checks.normalisation import (
    WRITINGS,
    GrowingReversal,
    GrowingWriting,
    Stretch,
    Writing,
    is_plain,
    reference_stretches,
    reversed_stretches,
    tag_stretches,
)
from specspan.checks.texts import has_further_readings
from specspan.checks.work import READING_STEPS, STRETCH_STEPS
from specspan.decision import Evidence, Stage


def readings(texts: Sequence[TextAt], *, is_joined: bool = True, is_normalised: bool = False) -> Iterable[TextAt]:
    """Return the further readings of ``texts``, those of one message after another.

    Args:
        texts: texts of one stage.
        is_joined: whether the texts of one message read as one, see `are_joined`.
        is_normalised: whether all of this is also read in its normalised writing.
    """
    if not has_further_readings(texts, is_normalised=is_normalised):
        return ()
    further = _readings(texts, is_joined=is_joined)
    return _with_normalised(texts, further) if is_normalised else further


def _with_normalised(texts: Sequence[TextAt], further: Iterable[TextAt]) -> Iterator[TextAt]:
    further = tuple(further)
    yield from further
    for text in (*texts, *further):
        if is_plain(text.text):
            continue
        resolved = rewrite(text, reference_stretches(text.text))
        if resolved is not None:
            yield resolved
        origin, latest = resolved or text, None
        for stretches in WRITINGS:
            written = rewrite(origin, stretches(origin.text))
            if written is not None and written.text != latest:
                latest = written.text
                yield written


def _readings(texts: Sequence[TextAt], *, is_joined: bool) -> Iterator[TextAt]:
    if is_joined and len(texts) > 1:
        joined = tuple(_join_messages(texts))
        yield from joined
        texts = (*texts, *joined)
    for text in texts:
        if "\\" in text.text:
            yield from _decoded(text)


def _decoded(text: TextAt) -> Iterator[TextAt]:
    """Yield a text with the escapes decoded of JSON that it is or holds, then with those in the strings of the JSON."""
    start = json_start(text.text)
    for _ in range(MAX_DEPTH):
        decoded = None if start is None else rewrite(text, decoded_stretches(text.text, start))
        if decoded is None or start is None:
            return
        yield decoded
        text, start = decoded, nested_json_start(decoded.text, start)


def are_joined(stage: Stage) -> bool:
    """Return whether the texts of one message read as one text at ``stage``: words do, arguments of tools do not."""
    return stage is not Stage.TOOL_CALL


class JoinedText(TextAt):
    """Texts of one kind in one message, one after the other, as a stream hands them over."""

    __slots__ = ("_starts", "_texts")

    _starts: Sequence[int]
    _texts: Sequence[TextAt]

    def __init__(self, texts: Sequence[TextAt]) -> None:
        first = texts[0]
        if first.work is not None:
            first.work.charge(sum(len(text.text) for text in texts) * READING_STEPS)
        joined = "".join([text.text for text in texts])
        super().__init__(first.pointer, first.role, joined, first.is_reasoning, first.is_result)
        starts, length = list[int](), 0
        for text in texts:
            starts.append(length)
            length += len(text.text)
        object.__setattr__(self, "work", first.work)
        object.__setattr__(self, "_texts", texts)
        object.__setattr__(self, "_starts", starts)

    def evidence(self, start: int, end: int) -> tuple[Evidence, ...]:
        """Return a place in each of the joined texts that has some of the characters."""
        first = bisect_right(self._starts, start) - 1
        last = max(bisect_right(self._starts, end - 1) - 1, first)
        places: list[Evidence] = []
        for index in range(first, last + 1):
            text, offset = self._texts[index], self._starts[index]
            if text.text:
                places += text.evidence(max(start - offset, 0), min(end - offset, len(text.text)))
        return tuple(places)

    def places(self, spans: Sequence[tuple[int, int]]) -> list[Evidence]:
        """Return the places of spans, each once: two may be parts of one text of a joined one."""
        return _distinct_places(self, spans)


class RewrittenText(TextAt):
    """Text with some stretches written differently."""

    __slots__ = ("_ends", "_origin", "_origin_ends", "_origin_starts", "_starts")

    _origin: TextAt
    _origin_starts: Sequence[int]
    _origin_ends: Sequence[int]
    _starts: Sequence[int]
    _ends: Sequence[int]

    def __init__(self, origin: TextAt, text: str, stretches: Sequence[tuple[int, int, int, int]]) -> None:
        """Index the stretches.

        ``stretches``: start and end in ``origin``, then start and end in ``text``, in order.
        """
        super().__init__(origin.pointer, origin.role, text, origin.is_reasoning, origin.is_result)
        object.__setattr__(self, "work", origin.work)
        object.__setattr__(self, "_origin", origin)
        names = ("_origin_starts", "_origin_ends", "_starts", "_ends")
        for name, values in zip(names, zip(*stretches, strict=True), strict=True):
            object.__setattr__(self, name, values)

    def evidence(self, start: int, end: int) -> tuple[Evidence, ...]:
        """Return the places of the characters as they stand, a rewritten stretch as a whole."""
        return self._origin.evidence(self._origin_span(start)[0], self._origin_span(end - 1)[1])

    def places(self, spans: Sequence[tuple[int, int]]) -> list[Evidence]:
        """Return the places of spans, each once: two may stand in one rewritten stretch."""
        return _distinct_places(self, spans)

    def _origin_span(self, position: int) -> tuple[int, int]:
        """Return start and end of what the character at ``position`` was rewritten from."""
        index = bisect_right(self._starts, position) - 1
        if index >= 0 and position < self._ends[index]:
            return self._origin_starts[index], self._origin_ends[index]
        start = position if index < 0 else self._origin_ends[index] + position - self._ends[index]
        return start, start + 1


def _distinct_places(text: TextAt, spans: Sequence[tuple[int, int]]) -> list[Evidence]:
    return list(dict.fromkeys(place for start, end in spans for place in text.evidence(start, end)))


def rewrite(origin: TextAt, changes: Iterable[Stretch]) -> RewrittenText | None:
    """Return a text with some stretches as they read; None if there are none. They are in order and apart.

    Raises:
        WorkLimitReached: the text's call has made too much work.
    """
    work = origin.work
    if work is not None:
        work.charge(len(origin.text) * READING_STEPS)
    pieces: list[str] = []
    stretches: list[tuple[int, int, int, int]] = []
    position = length = 0
    for start, end, read in changes:
        if work is not None:
            work.charge(STRETCH_STEPS)
        pieces += (origin.text[position:start], read)
        length += start - position
        stretches.append((start, end, length, length + len(read)))
        length += len(read)
        position = end
    if not stretches:
        return None
    return RewrittenText(origin, "".join((*pieces, origin.text[position:])), stretches)


class Growing(Protocol):
    """Further reading of one text that grows chunk by chunk."""

    awaits: str
    """Character without which a chunk reads as it stands, so that it need not be taken in; empty once one came."""

    def grow(self, chunk: str, end: str, keep_chars: int, whole: Callable[[], str], /) -> Sequence[str]:
        """Take in the next chunk and return the end of the text in each of its readings that is not as it stands.

        Args:
            chunk: more of the text.
            end: end of the text as it stands, ``chunk`` included.
            keep_chars: number of characters before the chunk that are of interest.
            whole: returns all of the text as it stands, ``chunk`` included.
        """


class GrowingReading:
    """Further reading of one text that grows chunk by chunk. As long as no backslash comes, it looks for no JSON."""

    __slots__ = ("_decoders", "_ends", "_stretches", "_writings", "awaits")

    def __init__(self, stretches: Writing | None = None) -> None:
        """Begin to read a text, and what it is decoded to, in a writing; by default as it stands."""
        self.awaits = "\\" if stretches is None else ""
        self._stretches = stretches
        self._decoders: list[GrowingJson] = []
        self._writings: list[GrowingWriting] = []  # by decoder
        self._ends: list[str | None] = []  # by decoder; None while the text reads as before that decoder
        self._add_depth()

    def _add_depth(self) -> None:
        if self._stretches is not None:
            self._writings.append(GrowingWriting(self._stretches))
        self._ends.append("" if self._stretches is tag_stretches else None)

    def grow(self, chunk: str, end: str, keep_chars: int, whole: Callable[[], str]) -> Sequence[str]:
        """Take in the next chunk, as `Growing.grow` does."""
        if not self._decoders:
            if "\\" in chunk:
                self.awaits = ""
                self._look_for_json(whole()[: -len(chunk)])
            elif self._stretches is None:
                return ()
        return tuple(self._grow(chunk, end[: len(end) - len(chunk)], keep_chars))

    def _look_for_json(self, text: str) -> None:
        start: int | None = 0
        for depth in range(MAX_DEPTH):
            start = None if start is None else self._decoder(depth).start_in(text, start)

    def _decoder(self, depth: int) -> GrowingJson:
        if depth == len(self._decoders):
            self._decoders.append(GrowingJson(is_nested=depth > 0))
        if depth == len(self._ends):
            self._add_depth()
        return self._decoders[depth]

    def _grow(self, chunk: str, before: str, keep_chars: int) -> Iterator[str]:
        start: int | None = 0
        for depth in range(MAX_DEPTH if self._decoders else 1):
            decoder = self._decoder(depth) if self._decoders else None
            start = None if decoder is None or start is None else decoder.start_in(chunk, start)
            decoded = chunk if decoder is None or start is None else decoder.decode(chunk, start)
            read, end = self._writings[depth].read(decoded) if self._writings else decoded, self._ends[depth]
            if end is not None or (decoded if depth else read) != chunk:
                before = before if end is None else end
                self._ends[depth] = latest = before[-keep_chars:] + read
                if read:
                    yield latest
            if start is None:
                return
            chunk = decoded


def growing_readings(*, is_normalised: bool) -> Sequence[Growing]:
    """Return the further readings of a text of which nothing came yet.

    ``is_normalised``: whether it is also read in its normalised writings.
    """
    if not is_normalised:
        return (GrowingReading(),)
    writings = (each for each in WRITINGS if each is not reversed_stretches)
    return (GrowingReading(), *map(GrowingReading, writings), GrowingReversal())


def _join_messages(texts: Sequence[TextAt]) -> Iterator[TextAt]:
    """Yield the words, the reasoning and the results of tools of each message, where it has several, as one text.

    Calls and results of tools that stand between words do not part them: clients hand over the words of a message as
    one text.
    """
    kinds: dict[tuple[str, bool, bool], list[TextAt]] = defaultdict(list)
    for text in texts:
        kinds[text.pointer.rpartition("/")[0], text.is_reasoning, text.is_result].append(text)
    return (JoinedText(parts) for parts in kinds.values() if len(parts) > 1)
