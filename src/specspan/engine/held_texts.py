"""Texts of a streamed answer that is held back: where each stands, what of it is to be replaced, how far it is clear.

A piece of text is handed over once nothing that comes later can show that it is part of a match: of the clauses that
hold back, after so many more characters, or after the end of its sentence. What is found in it until then is replaced
in it, and the stream goes on. Where a text or, for a clause that holds back sentences, a sentence ends, what stands
there is looked at as complete before it is handed over.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from specspan.call import ModelCall
from specspan.checks.check import PartialFindings
from specspan.decision import Action
from specspan.engine.bound_check import redactions_of, run_check
from specspan.engine.enforcement import with_all_evidence
from specspan.engine.held_stretches import OpenStretch, Stretch
from specspan.engine.rewriting import redaction_marker
from specspan.engine.stream_check import FoundViolation, StreamCheck
from specspan.policy.policy import HoldBack

MAX_SENTENCE_CHARS = 2_000
"""Length of a text without an end of a sentence after which it counts as one."""
MAX_UNLOOKED_CHARS = 64
"""Characters after which a check that reads all of a text looks again, where sentences are held back."""
_SENTENCE_END = re.compile(r"""[.!?…][\])"'»”’]*(?=\s)|[。！？]|\n""")
_LOOK_BACK_CHARS = 8
_MAX_REPLACED = 64

Edit: TypeAlias = tuple[int, int, str]
"""Start and end of what is replaced in a piece, and what takes its place."""


@dataclass(slots=True)
class _Text:
    """One text as it grows: all of a choice, one part of it by itself, or a text beside it."""

    length: int = 0
    end: str = ""
    sentence_end: int = 0
    replaced: list[Stretch] = field(default_factory=list)
    open: list[OpenStretch] = field(default_factory=list)
    released: int = 0
    """End of what was handed over."""

    def grow(self, chunk: str) -> int:
        """Take in more of the text. Returns how many sentences it ends."""
        end, sentences = self.end + chunk, 0
        for match in _SENTENCE_END.finditer(end):
            position = self.length - len(self.end) + match.end()
            if position > self.sentence_end:
                self.sentence_end, sentences = position, sentences + 1
        self.length += len(chunk)
        if self.length - self.sentence_end > MAX_SENTENCE_CHARS:
            self.sentence_end, sentences = self.length - MAX_SENTENCE_CHARS, sentences + 1
        self.end = end[-_LOOK_BACK_CHARS:]
        return sentences

    @property
    def ends_with_sentence(self) -> bool:
        """Return whether the latest chunk ended with a sentence."""
        return self.sentence_end == self.length

    def replace(self, stretch: Stretch) -> None:
        """Note that a stretch is replaced; one that overlaps an earlier one makes it longer."""
        position = len(self.replaced)
        while position:
            known = self.replaced[position - 1]
            if known.end <= stretch.start:
                break
            position -= 1
            if known.start < stretch.end:
                self.replaced[position] = known.joined_with(stretch)
                return
        self.replaced.insert(position, stretch)

    def grow_open(self, skipped: int) -> None:
        """Make stretches longer that go on, ``skipped`` characters behind where their text began."""
        going_on = self.open
        self.open = []
        for each in going_on:
            stretch, rest = each.grown()
            self.replace(stretch._replace(start=max(stretch.start - skipped, 0), end=stretch.end - skipped))
            self.open += (rest,) if rest is not None else ()

    def release(self, end: int) -> None:
        """Take in that the text up to ``end`` was handed over."""
        self.released = end
        if len(self.replaced) > _MAX_REPLACED:  # the latest ones may still become longer
            self.replaced[:-_MAX_REPLACED] = [each for each in self.replaced[:-_MAX_REPLACED] if each.end > end]


class Position(NamedTuple):
    """Place of a piece in one text."""

    text: _Text
    start: int

    def edits(self, size: int) -> list[Edit]:
        """Return what is replaced in a piece of this size, from its own start."""
        stop = self.start + size
        return [
            (max(start, self.start) - self.start, min(end, stop) - self.start, text if start >= self.start else "")
            for start, end, text, _ in self.text.replaced
            if start < stop and end > self.start
        ]


@dataclass(slots=True)
class HeldPiece:
    """Piece of text in a chunk that is held back."""

    choice: int
    text: str
    part: Hashable
    positions: Sequence[Position]
    arrived_chars: int
    """Characters of all texts up to its end."""
    arrived_sentences: int
    is_alone: bool
    rewritten: str | None = None
    """Its text, where that was written anew as a whole."""

    def new_text(self) -> str:
        """Return the text that is handed over."""
        if self.rewritten is not None:
            return self.rewritten
        edits = sorted(
            (edit for position in self.positions for edit in position.edits(len(self.text))),
            key=lambda edit: (edit[0], -len(edit[2]), -edit[1]),
        )
        pieces, done = list[str](), 0
        for start, end, text in edits:
            if start >= done:
                pieces += (self.text[done:start], text)
            done = max(done, end)
        return "".join((*pieces, self.text[done:]))


class HeldTexts:
    """All texts of one streamed answer that is held back."""

    def __init__(self, hold_back: HoldBack, check: StreamCheck | None, call: ModelCall) -> None:
        self.released_chars = 0
        """Characters that were handed over."""
        self._hold_back = hold_back
        self._check = check
        if check is not None:
            check.look_every(hold_back.chars // 2 or MAX_UNLOOKED_CHARS)
        self._call = call
        self._texts: dict[Hashable, _Text] = {}
        self._parts: dict[Hashable, Hashable] = {}  # by choice, the part that came latest
        self._chars = 0
        self._sentences = 0

    @property
    def waits_for_whole(self) -> bool:
        """Return whether nothing is looked at before the answer is complete."""
        return self._hold_back.whole

    def look(self, choice: int, text: str, part: Hashable = None, is_alone: bool = False) -> HeldPiece | None:
        """Look at one more piece. None where a part starts, or where a clause stops the stream."""
        found: Sequence[FoundViolation] = ()
        if self._check is not None:
            found = self._check.feed_held(choice, text, part, is_alone)
            if self._check.cut is not None:
                return None
        key: Hashable = (choice, part) if is_alone else choice
        if not text:
            self._texts.pop((key, part, "part"), None)  # what follows under this name is another part
            self._parts[key] = part
            return None
        part = self._parts.setdefault(key, part) if part is None else part
        self._parts[key] = part
        texts = [self._texts.setdefault(name, _Text()) for name in ((key,), (key, part, "part"))]
        positions = [Position(each, each.length) for each in texts]
        self._chars += len(text)
        sentences = max(texts[0].grow(text), texts[1].grow(text))
        self._sentences += sentences
        for each in texts:
            if each.open:
                each.grow_open(each.open[0].growing.length - each.length)
        for found_one in found:
            self._replace(found_one, texts[1 if found_one.is_in_part else 0])
        if self._hold_back.sentence and sentences:
            self._look_at_end(key, choice, is_complete=any(each.ends_with_sentence for each in texts))
            if self._check is not None and self._check.cut is not None:
                return None
        return HeldPiece(choice, text, part, positions, self._chars, self._sentences, is_alone)

    def finish(self) -> None:
        """Take in that no more comes: what stands at the end of each text is complete."""
        for key in self._parts:
            self._look_at_end(key, key[0] if isinstance(key, tuple) else key, is_complete=True)

    def _look_at_end(self, key: Hashable, choice: Any, *, is_complete: bool) -> None:
        """Look at what stands at the end of a choice's texts, as at what ``is_complete`` there."""
        if self._check is None:
            return
        for part, found in self._check.finish_held(key, choice, is_complete=is_complete):
            text = self._texts.get((key, part, "part") if found.is_in_part else (key,))
            if text is not None:
                self._replace(found, text)

    def _replace(self, found: FoundViolation, text: _Text) -> None:
        """Note what of a text is replaced over a violation; what of it was handed over before stays so."""
        skipped = found.growing.length - text.length
        for stretch, closing in self._stretches(found, skipped + text.released):
            text.replace(stretch._replace(start=max(stretch.start - skipped, 0), end=stretch.end - skipped))
            if closing is not None and not any(each.closing == closing for each in text.open):
                text.open.append(OpenStretch(found.growing, stretch, closing, found.growing.length))

    def _stretches(self, found: FoundViolation, held_from: int) -> Iterator[tuple[Stretch, str | None]]:
        """Yield all places of a violation that the latest piece completes, and not only those that are recorded.

        With each comes the pattern of what closes it, where it goes on. Where the check fails to say, it is all that is
        held, from ``held_from`` on.
        """
        growing, check, clause = found.growing, found.check, found.check.clause_policy
        reason, owner = found.finding.reason or found.finding.clause, found.check.position
        is_in_end = check.traits.finds_in_part is PartialFindings.MATCHES
        end = growing.text(growing.end if is_in_end else None)
        skipped = growing.length - len(end.text)
        is_replaced = found.asks is Action.REPLACE
        instead = clause.replacement if is_replaced else redaction_marker(reason)
        wanted = redactions_of(check, found.call or self._call, (end,))
        if wanted is None:
            yield Stretch(held_from, growing.length, instead, owner), None
            return
        # where an end begins, a match may be false
        redacted = [each for each in wanted if each.place.start or not skipped]
        for each in redacted:
            marker = redaction_marker(each.label) if each.substitute is None else each.substitute
            start, stop = each.place.start + skipped, each.place.end + skipped
            yield Stretch(start, stop, clause.replacement if is_replaced else marker, owner), each.closing
        known = [(each.place.start + skipped, each.place.end + skipped) for each in redacted]
        for start, stop in self._places(found):
            if not any(first <= start and stop <= last for first, last in known):
                yield Stretch(start, stop, instead, owner), None

    def _places(self, found: FoundViolation) -> Sequence[tuple[int, int]]:
        growing, check = found.growing, found.check
        places = [(each.start, each.end) for each in found.finding.evidence]
        if check.traits.finds_in_part is PartialFindings.MATCHES and len(places) > 1 and check.redactor is None:
            end = growing.text(growing.end)
            skipped = growing.length - len(end.text)
            every = with_all_evidence(check, run_check(check, self._call, (end,)), self._call, (end,))
            # where an end begins, a match may be false
            places += [
                (each.start + skipped, each.end + skipped) for each in every.evidence if each.start or not skipped
            ]
        return places or [(0, growing.length)]

    def release(self, piece: HeldPiece) -> None:
        """Take in that a piece is handed over."""
        self.released_chars += len(piece.text)
        for text, start in piece.positions:
            text.release(start + len(piece.text))

    def is_clear(self, piece: HeldPiece) -> bool:
        """Return whether nothing that comes later can show that a piece is part of a match."""
        if self._hold_back.whole:
            return False
        if piece.is_alone:  # it may be all that ever comes of its text
            is_followed = self._sentences > piece.arrived_sentences or not self._hold_back.sentence
            return is_followed and self._chars - piece.arrived_chars >= self._hold_back.chars
        text, start = piece.positions[0]
        end = start + len(piece.text)
        if self._hold_back.sentence and end > text.sentence_end:
            return False
        return end <= text.length - self._hold_back.chars
