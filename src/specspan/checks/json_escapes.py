"""Escapes of the JSON that a text is or holds, whole or as the text grows.

A text may be JSON, or have an object, a list or a block of code somewhere in its prose: from where that starts its
escapes are decoded, to the end of the text. What was decoded may hold JSON again, as a string in the JSON around it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from specspan.checks.normalisation import Stretch

MAX_DEPTH = 4
"""How often a text is decoded: JSON in a string of JSON, and so on."""

_HIGH = r"\\u[dD][89abAB][0-9a-fA-F]{2}"
_ESCAPE = rf"{_HIGH}\\u[dD][c-fC-F][0-9a-fA-F]{{2}}|\\u[0-9a-fA-F]{{4}}|\\[\"\\/bfnrt]"
_ESCAPES = re.compile(_ESCAPE)
_GROWING_ESCAPES = re.compile(rf"({_HIGH}(?:\\(?:u[0-9a-fA-F]{{0,3}})?)?\Z)|{_ESCAPE}|(\\(?:u[0-9a-fA-F]{{0,3}})?\Z)")
_CONTROLS = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
_NO_CHARACTER = "\ufffd"

_START = re.compile(r"[\s\ufeff]*[\[{\"]")
_INSIDE = re.compile(r"[\[{,:]\s*\"|```")
_NESTED = re.compile(r"\"\s*(?:[\[{]|```)|\"\"[^\s,\]}:\"]")
_UNFINISHED = re.compile(r"[\[{,:]\s*\Z|`{1,2}\Z")
_NESTED_UNFINISHED = re.compile(r"\"\"\Z|\"\s*`{0,2}\Z")


def json_start(text: str) -> int | None:
    """Return the place in a text from which escapes are those of JSON; None if it neither is nor holds any."""
    return 0 if _START.match(text) else _end_of(_INSIDE.search(text))


def nested_json_start(text: str, start: int) -> int | None:
    """Return the place from which escapes are those of JSON in a string of JSON.

    ``start``: the place of that JSON in the text, which was decoded.
    """
    return _end_of(_NESTED.search(text, start))


def decoded_stretches(text: str, start: int) -> Iterator[Stretch]:
    """Yield the escapes of JSON in a text, in order, as they read."""
    return ((*match.span(), _decode(match[0])) for match in _ESCAPES.finditer(text, start))


def _end_of(found: re.Match[str] | None) -> int | None:
    return None if found is None else found.end() - 1


class GrowingJson:
    """Escapes of the JSON in one text that grows chunk by chunk, or of the JSON in strings of it."""

    __slots__ = ("_head", "_inside", "_is_json", "_is_start", "_pending", "_unfinished")

    def __init__(self, *, is_nested: bool = False) -> None:
        """Begin at the start of a text, or at that of JSON which was decoded."""
        self._inside, self._unfinished = (_NESTED, _NESTED_UNFINISHED) if is_nested else (_INSIDE, _UNFINISHED)
        self._is_start = not is_nested  # nothing but blanks came
        self._is_json = False
        self._head = ""  # what may begin JSON together with the next chunk
        self._pending = ""  # start of an escape that the next chunk may complete

    def start_in(self, chunk: str, skipped: int = 0) -> int | None:
        """Take in the next chunk, and return the place in it from which escapes are those of JSON; None for none.

        ``skipped``: number of characters of the chunk that are to be left out.
        """
        if self._is_json:
            return 0
        if self._is_start:
            if _START.match(chunk):
                self._is_json = True
                return 0
            self._is_start = not chunk.strip().strip("\ufeff").strip()
        if not self._head and '"' not in chunk and "`" not in chunk:
            self._head = self._unfinished_in(chunk[skipped:])
            return None
        text = self._head + chunk[skipped:]
        start = _end_of(self._inside.search(text))
        if start is None:
            self._head = self._unfinished_in(text)
            return None
        self._is_json = True
        return skipped + max(start - len(self._head), 0)

    def _unfinished_in(self, text: str) -> str:
        """Return the end of a text that may begin JSON; blanks in it say nothing."""
        found = self._unfinished.search(text)
        return "" if found is None else "".join(found[0].split())

    def decode(self, chunk: str, start: int) -> str:
        """Return a chunk as it reads; an escape that it does not complete comes with a later one.

        ``start``: what `start_in` returned for the chunk.
        """
        if not self._pending and "\\" not in chunk:
            return chunk
        pieces, chunk = [chunk[:start]], self._pending + chunk[start:]
        self._pending, position = "", 0
        for match in _GROWING_ESCAPES.finditer(chunk):
            pieces.append(chunk[position : match.start()])
            position = match.end()
            if match.lastindex is None:
                pieces.append(_decode(match[0]))
            else:
                self._pending = match[0]
        return "".join((*pieces, chunk[position:]))


def _decode(escape: str) -> str:
    kind = escape[1]
    if kind != "u":
        return _CONTROLS.get(kind, kind)
    if len(escape) == 12:
        return chr(0x10000 + (int(escape[2:6], 16) - 0xD800) * 0x400 + int(escape[8:], 16) - 0xDC00)
    code = int(escape[2:6], 16)
    return _NO_CHARACTER if 0xD800 <= code < 0xE000 else chr(code)
