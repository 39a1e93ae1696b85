"""Normalised writing of texts, in which a pattern finds a word that is written to look like itself.

Characters without an appearance are left out: zero-width and tag characters, soft hyphens, variation selectors. What
remains is taken apart and put together by NFKC (UAX #15), and a character that looks like one of ASCII is taken for
that one (UTS #39, confusables). Patterns are not normalised: they are written in the characters they look for.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator, Mapping

Stretch = tuple[int, int, str]
"""Start and end of some characters of a text, and how they read."""

MAX_MARKS = 30
"""Most marks that are put together with the character before them (UAX #15, Stream-Safe Text Format)."""

_INVISIBLE = re.compile(  # Default_Ignorable_Code_Point
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
_NEGATIVE = {start + i: chr(ord("A") + i) for start in (0x1F150, 0x1F170) for i in range(26)}
"""Letters in white on a black circle or square, which NFKC leaves as they are."""
_RUNS = re.compile(r"[\x00-\x7f]?[^\x00-\x7f]+")


def normalise(text: str) -> str:
    """Return ``text`` in its normalised writing."""
    if text.isascii():
        return text
    pieces, position = list[str](), 0
    for start, end, read in normalised_stretches(text):
        pieces += (text[position:start], read)
        position = end
    return "".join((*pieces, text[position:]))


def normalised_stretches(text: str) -> Iterator[Stretch]:
    """Yield the stretches of ``text`` that read differently in its normalised writing, in order."""
    for run in _RUNS.finditer(text):
        start = run.start()
        for index in range(start + 1, run.end() + 1):
            if index == run.end() or not _is_mark(text[index]) or index - start > MAX_MARKS:
                written = text[start:index]
                read = _read(written)
                if read != written:
                    yield start, index, read
                start = index


@functools.cache
def look_alikes() -> Mapping[str, str]:
    """Return the character of ASCII, or the few of them, that each other character looks like.

    Raises:
        ImportError: the package ``confusable-homoglyphs`` is not installed.
    """
    from confusable_homoglyphs.confusables import confusables_data

    alikes = {}
    for character, confusables in confusables_data.items():
        ascii_alike = next((each["c"] for each in confusables if each["c"].isascii()), None)
        if ascii_alike is not None and len(character) == 1 and not character.isascii():
            alikes[character] = _in_same_case(character, ascii_alike)
    return alikes


def _in_same_case(character: str, alike: str) -> str:
    """Return the capital I, and not the small l that UTS #39 names for both, where ``character`` is a capital."""
    return "I" if alike == "l" and unicodedata.category(character) == "Lu" else alike


@functools.lru_cache(16384)
def _read(written: str) -> str:
    visible = _INVISIBLE.sub("", written)
    decomposed = unicodedata.normalize("NFKD", visible).translate(_NEGATIVE)
    alikes = look_alikes()
    return unicodedata.normalize("NFC", "".join([_digit(each) or alikes.get(each, each) for each in decomposed]))


def _digit(character: str) -> str | None:
    """Return the decimal digit of ASCII with the value of ``character``; None if that is no digit of another script."""
    value = None if character.isascii() else unicodedata.decimal(character, None)
    return None if value is None else str(value)


def _is_mark(character: str) -> bool:
    """Return whether a character is written onto the one before: a combining mark, or a part of a Hangul syllable."""
    return unicodedata.combining(character) != 0 or "\u1160" < character < "\u1200"
