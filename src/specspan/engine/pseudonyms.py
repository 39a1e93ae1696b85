"""Numbered names for what a call's redactions take out of the texts that a model reads.

They hold for one call: they are not kept, and no other call can read them. The same characters have the same name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from specspan.checks.check import TextAt

_NAME = re.compile(r"<[A-Z][A-Z0-9_]*_[1-9][0-9]*>")


class Pseudonyms:
    """Names such as ``<PERSON_1>`` that were given in one call, and what they stand for."""

    __slots__ = ("_counts", "_names", "_originals")

    def __init__(self) -> None:
        self._names: dict[tuple[str, str], str] | None = None  # few calls need any of them
        self._originals: dict[str, str] = {}
        self._counts: dict[str, int] = {}

    def __bool__(self) -> bool:
        return self._names is not None

    def name(self, label: str, original: str) -> str:
        """Return the name of some characters, the next one of their label where they have none yet."""
        names = self._names = {} if self._names is None else self._names
        name = names.get((label, original))
        if name is None:
            prefix = re.sub("[^A-Z0-9]+", "_", label.upper())
            number = self._counts[prefix] = self._counts.get(prefix, 0) + 1
            name = names[label, original] = f"<{prefix}_{number}>"
            self._originals[name] = original
        return name

    def restore(self, text: str) -> str:
        """Return a text with what stands behind each name in its place. Names that were not given stay."""
        return _NAME.sub(lambda found: self._originals.get(found[0], found[0]), text)

    def restored(self, texts: Iterable[TextAt]) -> Mapping[str, str]:
        """Return, by pointer, those of some texts that read otherwise with their names restored."""
        found = ((text.pointer, text.text, self.restore(text.text)) for text in texts)
        return {pointer: restored for pointer, text, restored in found if restored != text}
