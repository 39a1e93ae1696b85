"""Normalised writings of texts, in which a pattern finds a word that is written to look like itself.

Characters without an appearance are left out: zero-width and tag characters, soft hyphens, variation selectors,
control characters, blanks that are no space. What remains is taken apart and put together by NFKC (UAX #15), and a
character that looks like one of ASCII is taken for that one (UTS #39, confusables; letters in circles, squares and
flags). References to characters (`&#79;`) are resolved before. Further writings are without the marks over letters of
ASCII, in the order in which a text with an override of its direction is shown (UAX #9), and of hidden tag characters
alone. Patterns are not normalised: they are written in the characters they look for.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

Stretch = tuple[int, int, str]
"""Start and end of some characters of a text, and how they read."""
Writing: TypeAlias = Callable[[str], Iterator[Stretch]]
"""Function that yields the stretches of a text that read differently in one of its writings, in order."""

MAX_MARKS = 30
"""Most marks that are put together with the character before them (UAX #15, Stream-Safe Text Format)."""

_CONTROLS = "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f"
_INVISIBLE = re.compile(  # Default_Ignorable_Code_Point, controls, and blanks that are no space
    f"[{_CONTROLS}\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U00016fe4\U0001bca0-\U0001bca3\U0001d159\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)
_LETTERS = {start + i: chr(ord("A") + i) for start in (0x1F110, 0x1F150, 0x1F170, 0x1F1E6) for i in range(26)} | {
    0x249C + i: chr(ord("a") + i) for i in range(26)
}
"""Letters in brackets, in white on a black circle or square, and of flags."""
_SMALL_CAPITAL = "LATIN LETTER SMALL CAPITAL "
_ORDINARY = r"\t-\r -~"  # of ASCII
_RUNS = re.compile(rf"[{_ORDINARY}]?[^{_ORDINARY}]+")
_ODD = re.compile(rf"[^{_ORDINARY}]|&")
_REFERENCE = re.compile(r"&(?:#(?:[xX][0-9a-fA-F]{1,6}|[0-9]{1,7});?|[A-Za-z][A-Za-z0-9]{1,31};)")
_UNFINISHED_REFERENCE = re.compile(r"&(?:#(?:[xX]?[0-9a-fA-F]{0,7})|[A-Za-z][A-Za-z0-9]{0,31})?\Z")
_TAG_RUNS = re.compile("([\U000e0020-\U000e007e]+)|[^\U000e0020-\U000e007e]+")
_TAG_OFFSET = 0xE0000
REVERSED = "\u202e"
"""Character behind which letters are shown from right to left (RIGHT-TO-LEFT OVERRIDE)."""
_REVERSAL_ENDS = f"{REVERSED}\u202c\u2069\n\r\u2029"
_REVERSED_RUNS = re.compile(f"{REVERSED}([^{_REVERSAL_ENDS}]*)\u202c?")
_REVERSALS = re.compile(f"([{_REVERSAL_ENDS}])")
_MAX_REVERSED_CHARS = 1024


def is_plain(text: str) -> bool:
    """Return whether a text has no other writing."""
    return _ODD.search(text) is None


def reference_stretches(text: str) -> Iterator[Stretch]:
    """Yield the references to characters in ``text``, as HTML resolves them."""
    if "&" in text:
        import html  # a table of two thousand names, which few policies need

        for found in _REFERENCE.finditer(text):
            read = html.unescape(found[0])
            if read != found[0]:
                yield *found.span(), read


def normalised_stretches(text: str) -> Iterator[Stretch]:
    """Yield the stretches of ``text`` that read differently in its normalised writing."""
    return _stretches(text, is_accented=True)


def unaccented_stretches(text: str) -> Iterator[Stretch]:
    """Yield the stretches that read differently where, besides, letters of ASCII have no marks."""
    return _stretches(text, is_accented=False)


def tag_stretches(text: str) -> Iterator[Stretch]:
    """Yield stretches that leave of ``text`` what its tag characters spell, which nobody sees; none if it has none."""
    runs = list(_TAG_RUNS.finditer(text)) if _has_tags(text) else []
    return ((*run.span(), "".join(chr(ord(each) - _TAG_OFFSET) for each in run[1] or "")) for run in runs)


def reversed_stretches(text: str) -> Iterator[Stretch]:
    """Yield the stretches of ``text`` that are shown from right to left, as they are shown."""
    if REVERSED in text:
        for run in _REVERSED_RUNS.finditer(text):
            yield *run.span(), write(run[1], unaccented_stretches)[::-1]


WRITINGS: tuple[Writing, ...] = (normalised_stretches, unaccented_stretches, tag_stretches, reversed_stretches)


def write(text: str, stretches: Writing = normalised_stretches) -> str:
    """Return ``text`` in one of its writings."""
    pieces, position = list[str](), 0
    for start, end, read in stretches(text):
        pieces += (text[position:start], read)
        position = end
    return "".join((*pieces, text[position:])) if pieces else text


class GrowingWriting:
    """One writing of a text that grows chunk by chunk."""

    __slots__ = ("_pending", "_stretches")

    def __init__(self, stretches: Writing) -> None:
        self._stretches = stretches
        self._pending = ""  # start of a reference that the next chunk may complete

    def read(self, chunk: str) -> str:
        """Take in the next chunk and return it as it reads."""
        is_of_tags = self._stretches is tag_stretches
        if not self._pending and is_plain(chunk):
            return "" if is_of_tags else chunk
        chunk = self._pending + chunk
        unfinished = _UNFINISHED_REFERENCE.search(chunk)
        self._pending = "" if unfinished is None else unfinished[0]
        chunk = write(chunk[: len(chunk) - len(self._pending)], reference_stretches)
        return "" if is_of_tags and not _has_tags(chunk) else write(chunk, self._stretches)


class GrowingReversal:
    """Text that grows chunk by chunk, as it is shown where its direction is overridden."""

    __slots__ = ("_end", "_run", "awaits")

    def __init__(self) -> None:
        self.awaits = REVERSED
        self._end: str | None = None  # None as long as nothing overrode the direction
        self._run: str | None = None  # what is shown from right to left just now

    def grow(self, chunk: str, end: str, keep_chars: int, _: Callable[[], str]) -> Sequence[str]:
        """Take in the next chunk and return the end of the text as it is shown, if that is not as it stands."""
        if self._end is None:
            if REVERSED not in chunk:
                return ()
            self._end, self.awaits = end[: len(end) - len(chunk)], ""
        shown = self._end[-keep_chars:]
        for piece in _REVERSALS.split(chunk):
            if _REVERSALS.match(piece):
                shown += self._shown_run()
                self._run = "" if piece == REVERSED else None
            elif self._run is None:
                shown += piece
            else:
                self._run = (self._run + piece)[-_MAX_REVERSED_CHARS:]
        self._end = shown
        return (shown + self._shown_run(),)

    def _shown_run(self) -> str:
        return write(self._run or "", unaccented_stretches)[::-1]


def _has_tags(text: str) -> bool:
    return any(run[1] for run in _TAG_RUNS.finditer(text))


def _stretches(text: str, *, is_accented: bool) -> Iterator[Stretch]:
    for run in _RUNS.finditer(text):
        start = run.start()
        for index in range(start + 1, run.end() + 1):
            if index == run.end() or not _is_mark(text[index]) or index - start > MAX_MARKS:
                written = text[start:index]
                read = _read(written, is_accented)
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
def _read(written: str, is_accented: bool) -> str:
    visible = _INVISIBLE.sub("", written).translate(_LETTERS)
    alikes = look_alikes()
    read = [_digit(each) or alikes.get(each) or _small_capital(each) for each in unicodedata.normalize("NFKD", visible)]
    if not is_accented and read and (read[0].isascii() or _is_accent(read[0])):
        read = [each for each in read if not _is_accent(each)]
    return unicodedata.normalize("NFC", "".join(read))


def _small_capital(character: str) -> str:
    """Return the small letter that a small capital stands for, else the character itself."""
    name = "" if character.isascii() else unicodedata.name(character, "")
    letter = name.removeprefix(_SMALL_CAPITAL)
    return letter.lower() if len(letter) == 1 and letter != name else character


def _digit(character: str) -> str | None:
    """Return the decimal digit of ASCII with the value of ``character``; None if that is no digit of another script."""
    value = None if character.isascii() else unicodedata.decimal(character, None)
    return None if value is None else str(value)


def _is_accent(character: str) -> bool:
    return len(character) == 1 and (unicodedata.combining(character) != 0 or unicodedata.category(character) == "Me")


def _is_mark(character: str) -> bool:
    """Return whether a character is written onto the one before: a combining mark, or a part of a Hangul syllable."""
    return unicodedata.combining(character) != 0 or "\u1160" < character < "\u1200"
