"""Fence around the text that a judge reads: what is judged is data, whatever it says.

Each line of the data stands behind ``| ``, between two lines with a nonce that nobody outside this process can know.
Characters that role marks, fences or hidden instructions are made of are replaced one for one, so that offsets in the
fenced text are offsets in the call.
"""

from __future__ import annotations

import hmac
import re
import secrets
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from specspan._support import process
from specspan.checks.check import TextAt
from specspan.decision import Evidence

MAX_CHARS = 24_000
"""Most characters of a call that a judge is shown."""
_WINDOW_CHARS = 400
"""Characters on each side of a place that another check points at."""
DATA = "| "
"""Start of each line of data."""
NOTE = "~ "
"""Start of a line of ours between the data: what was left out, and where a text comes from."""

_LINE_BREAKS = dict.fromkeys(map(ord, "\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"), "\n")
_HIDDEN = re.compile(
    "[\x00-\x08\x0e-\x1b\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff\ud800-\udfff]"
)
_MARKS = (
    (re.compile(r"<(?=[|<\uff5c]|/?\s?[A-Za-z_])"), "\u2039"),  # <|im_start|>, <<SYS>>, <start_of_turn>, </s>
    (re.compile(r"(?<=[|>\uff5c])>"), "\u203a"),
    (re.compile(r"\[(?=/?INST\]|/?SYS|/?[A-Z]+_[A-Z]+\])"), "\u2045"),
    (re.compile(r"(?<=^)#(?=#*\s)", re.MULTILINE), "\uff03"),
    (re.compile(r"`(?=``)|(?<=``)`"), "\u02cb"),
    (
        re.compile(
            r"(?<=^)(?P<role>system|assistant|user|human|developer|tool)(?P<blank>[ \t]*):",
            re.IGNORECASE | re.MULTILINE,
        ),
        None,
    ),
)
_WORD = re.compile(r"\S+")
_COLON = "\uff1a"
_SHOWN = "\ufffd"


class _Secret:
    """Key of this process, of which each fence's nonce is made."""

    def __init__(self) -> None:
        self.after_fork()
        process.after_fork(self)

    def after_fork(self) -> None:
        """Take a key of the child's own."""
        self.key = secrets.token_bytes(32)


_secret = _Secret()


@dataclass(frozen=True, slots=True)
class FencedText:
    """Texts of one call behind a fence."""

    block: str
    """Lines with the fence around them."""
    texts: tuple[tuple[str, str], ...]
    """Pointer and escaped text of each text, whole, in which quotations are looked for."""
    left_out_chars: int
    """Characters that the judge is not shown."""
    hidden_chars: int
    """Characters that are invisible, and are shown as U+FFFD."""


def escape(text: str) -> str:
    """Return a text of the same length without line breaks of other kinds, hidden characters and marks of roles."""
    escaped = _HIDDEN.sub("\ufffd", text.translate(_LINE_BREAKS))
    for pattern, replacement in _MARKS:
        escaped = pattern.sub(
            (lambda match: f"{match['role']}{match['blank']}{_COLON}") if replacement is None else replacement, escaped
        )
    return escaped


def fence(texts: Sequence[TextAt], pointed_at: Sequence[Evidence] = (), max_chars: int = MAX_CHARS) -> FencedText:
    """Return ``texts`` behind a fence, cut to ``max_chars``: head, tail, and what other checks point at.

    The nonce depends on the texts and on a secret of the process: the texts cannot hold it, and one call has the same
    fence in each of its requests, so that the provider's cache of prompts knows it.
    """
    escaped = tuple((text.pointer, escape(text.text)) for text in texts)
    roles = [text.role for text in texts]
    digest = hmac.new(_secret.key, "\x00".join(text for _, text in escaped).encode("utf-8", "replace"), "sha256")
    nonce = digest.hexdigest()[:24]
    shares = _shares([len(text) for _, text in escaped], max_chars)
    lines, left_out = [f"<<<call {nonce}>>>"], 0
    for (pointer, text), role, share in zip(escaped, roles, shares, strict=True):
        lines.append(f"{NOTE}{_safe_role(role)} {pointer}")
        spans = _shown(text, share, [each for each in pointed_at if each.pointer == pointer])
        end = 0
        for start, stop in spans:
            if start > end:
                left_out += start - end
                lines.append(f"{NOTE}{start - end} characters left out")
            lines.extend(DATA + line for line in text[start:stop].split("\n"))
            end = stop
        if end < len(text):
            left_out += len(text) - end
            lines.append(f"{NOTE}{len(text) - end} characters left out")
    lines.append(f"<<<end of call {nonce}>>>")
    hidden = sum(
        text.count("\ufffd") - original.text.count("\ufffd") for (_, text), original in zip(escaped, texts, strict=True)
    )
    return FencedText("\n".join(lines), escaped, left_out, hidden)


def find_quotation(fenced: FencedText, quotation: str) -> Evidence | None:
    """Return where a quotation stands in the texts; None where it does not."""
    wanted = escape(quotation.replace("\n" + DATA, "\n").removeprefix(DATA)).strip()
    if not wanted:
        return None
    for pointer, text in fenced.texts:
        start = text.find(wanted)
        if start >= 0:
            return Evidence(pointer, start, start + len(wanted))
    words = " ".join(wanted.split())
    for pointer, text in fenced.texts:
        place = _find_words(text, words)
        if place is not None:
            return Evidence(pointer, *place)
    return None


def _find_words(text: str, words: str) -> tuple[int, int] | None:
    """Return where ``words`` stand in a text, with any blanks between them; in linear time, unlike a pattern."""
    pieces = list(_WORD.finditer(text))
    at = " ".join(piece[0] for piece in pieces).find(words)
    if at < 0:
        return None
    starts = [0, *accumulate(len(piece[0]) + 1 for piece in pieces)]

    def place(offset: int) -> int:
        index = bisect_right(starts, offset) - 1
        return pieces[index].start() + offset - starts[index]

    return place(at), place(at + len(words) - 1) + 1


def _safe_role(role: str) -> str:
    return re.sub(r"[^A-Za-z0-9_-]", "_", role)[:32] or "unknown"


def _shares(lengths: Sequence[int], max_chars: int) -> list[int]:
    """Return how many characters of each text are shown: short texts whole, long ones an equal share of the rest."""
    shares, left, waiting = [0] * len(lengths), max_chars, sorted(range(len(lengths)), key=lengths.__getitem__)
    while waiting:
        index = waiting.pop(0)
        shares[index] = min(lengths[index], left // (len(waiting) + 1))
        left -= shares[index]
    return shares


def _shown(text: str, share: int, pointed_at: Sequence[Evidence]) -> list[tuple[int, int]]:
    """Return the stretches of a text that are shown, in order, about ``share`` characters together."""
    if len(text) <= share:
        return [(0, len(text))]
    spans: list[tuple[int, int]] = []
    left = share
    for each in pointed_at:
        start, stop = max(0, each.start - _WINDOW_CHARS), min(len(text), each.end + _WINDOW_CHARS)
        if 0 < stop - start <= left // 2:
            spans.append((start, stop))
            left -= stop - start
    head = left - left // 3
    spans += [(0, head), (len(text) - left // 3, len(text))]
    return _merged(spans)


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if start >= stop:
            continue
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], stop)
        else:
            merged.append((start, stop))
    return merged
