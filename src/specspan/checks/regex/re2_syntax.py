r"""RE2 syntax of a pattern's tree, and the two encodings of texts for RE2.

To RE2 only ASCII letters, digits and the underscore are word characters, so its ``\b`` is wrong beside an ``é``. An
encoding writes texts so that ``\b`` is right, and patterns are written for the same encoding:

- `Plain`, for ASCII texts, leaves every character as it is.
- `Framed`, for all texts, puts a frame around each word character beyond ASCII: ``é`` becomes ``ZéZZ``. The frame
  begins and ends with a word character, and RE2's ``\b`` tests for nothing else. ``Z`` itself becomes ``ZªªZZ``, so
  that every ``Z`` belongs to a frame, and a single one opens it. Every other character stays as it is.

In the framed encoding ``\w`` needs no table of all letters: a framed character is a word character, any other beyond
ASCII is not.
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod

from specspan.checks.regex import charset
from specspan.checks.regex.charset import CharSet
from specspan.checks.regex.syntax_tree import At, Chars, Choice, Concatenation, Node, Place, Repeat, min_width

_SIGN = "ª"
_FRAMED_Z = f"Z{_SIGN}{_SIGN}ZZ"  # two letters, where a letter of the text is framed alone
_FEW = 24  # up to so many letters, replacing one after the other is faster than one `str.translate`
_ASCII_BYTES = bytes(range(0x80))
_CONTINUATION_BYTES = bytes(range(0x80, 0xC0))


class Encoding(ABC):
    """Encoding of texts and patterns for RE2."""

    @staticmethod
    @abstractmethod
    def encode(text: str) -> bytes:
        """Return a text as RE2 reads it."""

    @staticmethod
    @abstractmethod
    def one_of(characters: CharSet, *, first: bool) -> str:
        """Return RE2's syntax for one character of a set; ``first`` if a match can begin with it."""

    @staticmethod
    @abstractmethod
    def length(data: bytes) -> int:
        """Return the number of code points of a text that encodes to ``data``."""


class Plain(Encoding):
    """Encoding of ASCII texts as they are."""

    @staticmethod
    def encode(text: str) -> bytes:
        return text.encode("ascii")

    @staticmethod
    @functools.lru_cache(4096)
    def one_of(characters: CharSet, *, first: bool) -> str:
        return _class(charset.intersection(characters, charset.ASCII))

    @staticmethod
    def length(data: bytes) -> int:
        return len(data)


class Framed(Encoding):
    """Encoding of all texts, also with lone surrogates, by frames around word characters beyond ASCII."""

    @staticmethod
    def encode(text: str) -> bytes:
        data = text.encode("utf-8", "surrogatepass")
        beyond = data.translate(None, _ASCII_BYTES)
        if len(beyond) * 2 < len(text):
            letters = {letter for letter in set(beyond.decode("utf-8", "ignore")) if letter.isalnum()}
            if len(letters) <= _FEW and _SIGN not in letters:
                return _frame_letters(data, letters)
        return text.translate(_frames).encode("utf-8", "surrogatepass")

    @staticmethod
    @functools.lru_cache(4096)
    def one_of(characters: CharSet, *, first: bool) -> str:
        bare, letters = charset.difference(characters, _Z), charset.EMPTY
        if _is_beyond_ascii(characters):
            bare, letters = charset.difference(bare, _letters()), charset.intersection(characters, _letters())
            if not first:  # then no letter inside a frame can be mistaken for a bare one
                bare = charset.simplify(bare, _letters())
        options = [_FRAMED_Z] if charset.intersection(characters, _Z) else []
        if letters:
            options.append(f"Z{_class(charset.simplify(letters, _never_framed()))}ZZ")
        if bare or not options:
            options.append(_class(bare))
        return options[0] if len(options) == 1 else f"(?:{'|'.join(options)})"

    @staticmethod
    def length(data: bytes) -> int:
        in_frames = data.count(b"Z") + data.count(f"{_SIGN}{_SIGN}".encode())
        return len(data.translate(None, _CONTINUATION_BYTES)) - in_frames


def _frame_letters(data: bytes, letters: set[str]) -> bytes:
    data = data.replace(b"Z", _FRAMED_Z.encode())
    for letter in letters:
        data = data.replace(letter.encode(), f"Z{letter}ZZ".encode())
    return data


class _Frames(dict[int, str]):
    """Table for `str.translate` of each code point in its frame, filled on demand."""

    def __missing__(self, point: int) -> str:
        character = chr(point)
        framed = f"Z{character}ZZ" if point > 0x7F and character.isalnum() else character
        if len(self) < _MAX_FRAMES:
            self[point] = framed
        return framed


_MAX_FRAMES = 20_000
_frames = _Frames({ord("Z"): _FRAMED_Z})
_Z: CharSet = ((ord("Z"), ord("Z")),)


@functools.cache
def _letters() -> CharSet:
    return charset.difference(charset.category("w"), charset.ASCII)


@functools.cache
def _never_framed() -> CharSet:
    return charset.complement(charset.union(_letters(), charset.ASCII))


def _is_beyond_ascii(characters: CharSet) -> bool:
    return bool(characters) and characters[-1][1] > 0x7F


def _class(characters: CharSet) -> str:
    if len(characters) == 1 and characters[0][0] == characters[0][1]:
        return _point(characters[0][0])
    ranges = "".join(_point(low) if low == high else f"{_point(low)}-{_point(high)}" for low, high in characters)
    return f"[{ranges}]" if ranges else r"[^\x00-\x{10ffff}]"


def _point(point: int) -> str:
    character = chr(point)
    return character if character.isascii() and character.isalnum() else f"\\x{{{point:x}}}"


_PLACES = {
    Place.START: r"\A",
    Place.LINE_START: "(?m:^)",
    Place.END: r"\z",
    # RE2 cannot test for a newline without consuming it; the group of the newline tells to take it off the match.
    Place.END_OR_LAST_NEWLINE: r"(?:(\n)\z|\z)",
    Place.LINE_END: "(?m:$)",
    Place.BOUNDARY: r"\b",
    Place.NOT_BOUNDARY: r"\B",
}


def emit(node: Node, encoding: type[Encoding], *, first: bool = True) -> str:
    """Return ``node`` in RE2's syntax; ``first`` if a match can begin inside it."""
    match node:
        case Chars(characters):
            return encoding.one_of(characters, first=first)
        case At(place):
            return _PLACES[place]
        case Choice(options):
            return f"(?:{'|'.join(emit(option, encoding, first=first) for option in options)})"
        case Concatenation(items):
            return _sequence(items, encoding, first=first)
        case Repeat():
            return _repeat(node, encoding, first=first)


def _sequence(items: tuple[Node, ...], encoding: type[Encoding], *, first: bool) -> str:
    parts = []
    for item in items:
        parts.append(emit(item, encoding, first=first))
        first = first and min_width(item) == 0
    return "".join(parts)


def _repeat(node: Repeat, encoding: type[Encoding], *, first: bool) -> str:
    item = emit(node.item, encoding, first=first)
    if first and node.most != 1 and min_width(node.item) > 0:
        return _first_and_more(node, item, emit(node.item, encoding, first=False))
    return f"(?:{item}){_times(node.least, node.most, node.greedy)}"


def _first_and_more(node: Repeat, item: str, later: str) -> str:
    """Return a repeat whose later rounds, which cannot begin a match, are written in a shorter way."""
    if item == later:
        return f"(?:{item}){_times(node.least, node.most, node.greedy)}"
    more = _times(max(node.least - 1, 0), None if node.most is None else node.most - 1, node.greedy)
    rounds = f"{item}(?:{later}){more}"
    return rounds if node.least else f"(?:{rounds}){_times(0, 1, node.greedy)}"


def _times(least: int, most: int | None, greedy: bool) -> str:
    return f"{{{least},{'' if most is None else most}}}{'' if greedy else '?'}"
