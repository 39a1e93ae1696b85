"""Texts of a streamed answer as they grow: all of a choice in the order of arrival, and each of its parts by itself."""

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field

from specspan._support.text_pieces import TextPieces
from specspan.checks.check import TextAt
from specspan.checks.readings import Growing

ROLE = "assistant"


@dataclass(slots=True)
class GrowingText:
    """One text of an answer so far."""

    pointer: str
    code_due: int
    """Length at which checks that are code are asked next."""
    written: TextPieces = field(default_factory=TextPieces)
    """All of it."""
    length: int = 0
    end: str = ""
    """As much of its end as patterns look at."""
    readings: Sequence[Growing] = ()
    is_reasoning: bool = False
    is_part: bool = False
    """Whether it is one part by itself of a choice that has several."""

    def text(self, text: str | None = None) -> TextAt:
        """Return all of it, or some other text, as a check reads it."""
        return TextAt(self.pointer, ROLE, self.whole() if text is None else text, self.is_reasoning)

    def whole(self) -> str:
        """Return all of the text."""
        return self.written.getvalue()

    def duplicate(self) -> GrowingText:
        """Return a text that is the same up to now, and grows by itself."""
        twin = copy.copy(self)
        twin.written = TextPieces(self.whole())
        twin.readings = copy.deepcopy(self.readings)
        return twin


class ChoiceTexts:
    """Texts of one choice of an answer.

    A stream may write its parts in turns. So from the second part on, each part is a text by itself, besides the one
    that joins all of them in the order of arrival.
    """

    __slots__ = ("_new_text", "_parts", "joined", "own", "part")

    def __init__(self, new_text: Callable[[], GrowingText]) -> None:
        self.joined = new_text()
        """All of the choice."""
        self.own: GrowingText | None = None
        """The latest part by itself; None as long as it is all of the choice."""
        self.part: Hashable = None
        """The part that came latest; None as long as none was named."""
        self._new_text = new_text
        self._parts: dict[Hashable, GrowingText] = {}

    def turn_to(self, part: Hashable) -> None:
        """Take in that the next piece belongs to ``part``; a part that is not known starts with it."""
        if part is None or part == self.part:
            return
        if self.part is None or not self.joined.length:
            self.part = part
            return
        self._keep_part()
        text = self._parts.get(part)
        if text is None:
            text = self._parts[part] = self._new_part()
        self.part, self.own = part, text

    def start(self, part: Hashable) -> None:
        """Take in that a part starts; at the name of an older one it is another part."""
        if part is None:
            return
        if self.joined.length:
            self._keep_part()
            self._parts[part] = self.own = self._new_part()
        self.part = part

    def texts(self) -> Iterator[tuple[Hashable, GrowingText]]:
        """Yield all of the choice, under None, and each part by itself where it has several."""
        yield None, self.joined
        yield from self._parts.items()

    def _new_part(self) -> GrowingText:
        text = self._new_text()
        text.is_part = True
        return text

    def _keep_part(self) -> None:
        """Keep the only part that came so far as a text by itself."""
        if not self._parts:
            self._parts[self.part] = first = self.joined.duplicate()
            first.is_part = True
