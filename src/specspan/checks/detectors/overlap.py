"""Long overlaps between an answer and texts that must not get out, also where they are written otherwise.

Texts are compared by their letters and digits alone, in lower case: blanks, punctuation and line breaks between them
hide nothing. Of a secret text every block of some length is known; an answer is read at every position, and a block
that it holds is followed in both directions. So the time is linear in both texts.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

_ENCODED = re.compile(r"[A-Za-z0-9+/_-]{24,}(?:(?:\s{1,4}|\\n)[A-Za-z0-9+/_-]{24,})*={0,2}")
_HEX = re.compile(r"[0-9a-fA-F]{2}(?:[\s:,]?(?:0x)?[0-9a-fA-F]{2}){15,}")
_KEPT = re.compile(r"[^\W_]")
WAYS = ("copied", "reversed", "rot13", "base64", "hex")


class Overlap(NamedTuple):
    """Part of a text that repeats a secret one."""

    start: int
    end: int
    way: str
    """One of `WAYS`: how it is written."""
    chars: int
    """Letters and digits that are repeated."""


@dataclass(frozen=True, slots=True)
class Secret:
    """Text that must not get out, as it is looked for."""

    written: Sequence[tuple[str, str]]
    """Ways to write it, and its letters and digits written so."""
    blocks: dict[str, tuple[int, int]]
    """By block, the way and where it stands there."""
    block_chars: int


def letters_of(text: str) -> str:
    """Return the letters and digits of a text, in lower case."""
    if text.isascii():
        return "".join(_KEPT.findall(text)).lower()
    return "".join(_KEPT.findall(unicodedata.normalize("NFKC", text).lower()))


@lru_cache(32)
def secret_of(text: str, min_chars: int) -> Secret:
    """Return a text as it is looked for: runs of at least ``min_chars`` letters and digits."""
    letters, block_chars = letters_of(text), max(min_chars // 2, 1)
    written = (("copied", letters), ("reversed", letters[::-1]), ("rot13", codecs.encode(letters, "rot13")))
    blocks: dict[str, tuple[int, int]] = {}
    for way, (_, each) in enumerate(written):
        for at in range(0, len(each) - block_chars + 1, block_chars):
            blocks.setdefault(each[at : at + block_chars], (way, at))
    return Secret(written, blocks, block_chars)


def overlaps(text: str, secret: Secret, min_chars: int) -> Iterator[Overlap]:
    """Yield the parts of a text that repeat a secret one, however they are written."""
    if not secret.blocks:
        return
    yield from _direct(text, secret, min_chars)
    for way, pattern in (("base64", _ENCODED), ("hex", _HEX)):
        for found in pattern.finditer(text):
            decoded = _decode(found[0], way)
            best = max((each.chars for each in _direct(decoded, secret, min_chars)), default=0) if decoded else 0
            if best:
                yield Overlap(*found.span(), way, best)


def _direct(text: str, secret: Secret, min_chars: int) -> Iterator[Overlap]:
    letters, size, blocks, at = letters_of(text), secret.block_chars, secret.blocks, 0
    if len(blocks) <= _FEW and not any(block in letters for block in blocks):
        return
    runs = list[tuple[int, int, int]]()
    floor = 0
    while at + size <= len(letters):
        known = blocks.get(letters[at : at + size])
        if known is None:
            at += 1
            continue
        way, there = known
        start, end = _extend(letters, at, secret.written[way][1], there, size, floor)
        if end - start >= min_chars:
            runs.append((start, end, way))
            at = floor = end
        else:
            at += 1
    if runs:
        yield from _in_text(text, runs, secret)


def _extend(letters: str, at: int, other: str, there: int, size: int, floor: int) -> tuple[int, int]:
    """Return start and end of the run of equal characters around a block, which begins at ``at`` and ``there``."""
    back = 0
    while at - back > floor and there > back and back < _MAX_BACK and letters[at - back - 1] == other[there - back - 1]:
        back += 1
    end, far = at + size, there + size
    while end < len(letters) and far < len(other) and letters[end] == other[far]:
        end, far = end + 1, far + 1
    return at - back, end


_MAX_BACK = 4096
_FEW = 256  # blocks that are sooner looked for one by one


def _in_text(text: str, runs: Sequence[tuple[int, int, int]], secret: Secret) -> Iterator[Overlap]:
    """Yield runs of letters and digits by where they stand in the text."""
    places = _places(text)
    for start, end, way in runs:
        last = min(end, len(places)) - 1
        if start <= last:
            yield Overlap(places[start], places[last] + 1, secret.written[way][0], end - start)


def _places(text: str) -> list[int]:
    """Return where each letter and digit of `letters_of` stands."""
    if text.isascii():
        return [found.start() for found in _KEPT.finditer(text)]
    return [at for at, each in enumerate(text) for _ in _KEPT.findall(unicodedata.normalize("NFKC", each).lower())]


def _decode(encoded: str, way: str) -> str:
    compact = re.sub(r"[\s:,\\]|0x", "", encoded) if way == "hex" else re.sub(r"\\n|[\s=]", "", encoded)
    try:
        if way == "hex":
            return bytes.fromhex(compact[: len(compact) // 2 * 2]).decode("utf-8", "ignore")
        compact = compact.replace("-", "+").replace("_", "/")[: len(compact) // 4 * 4]
        return base64.b64decode(compact).decode("utf-8", "ignore")
    except (binascii.Error, ValueError):
        return ""
