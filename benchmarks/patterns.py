"""Cost of a search for 100 patterns in one text, against a span written by hand."""

from __future__ import annotations

import re
from collections.abc import Callable

from benchmarks.measure import HAND_WRITTEN, Row, hand_written_span, provider_to_nowhere, rows_of
from specspan.checks.patterns import MultiPattern

_NAMES = [f"{first}{last}" for first in ("al", "bor", "dun", "fel", "gim") for last in ("tan", "vex", "wip", "yor")]
_SOURCES = [
    *(rf"\b{name}\b" for name in _NAMES),
    *(rf"(?i)\b{name}s?\s+\w+\b" for name in _NAMES),
    *(rf"\b\d{{3}}-\d{{2}}-{number:04d}\b" for number in range(20)),
    *(rf"\b{name}\b.*\bsecret\b" for name in _NAMES),
    *(rf"[\w.+-]+@{name}\.com\b" for name in _NAMES),
]
_TEXTS = {
    "ASCII": "The order left our warehouse on Monday and should be with you by the end of the week. ",
    "ASCII, words of the patterns": " ".join(_NAMES) + " secret 123-45-0007. ",
    "curly quotes and dashes": "The order – it left “our” warehouse – should be with you by the end of this week. ",
    "German": "Die Bestellung verließ unser Lager am Montag, sie müsste bald da sein, größtenteils. ",
    "Russian": "Заказ покинул наш склад в понедельник и должен быть у вас к концу недели. ",
    "Chinese": "订单已于周一离开我们的仓库，预计本周末前送达您手中。如有任何问题，请随时与我们联系。",
}
_HAND_WRITTEN_SPAN_US = 22.6  # where the target times were first measured
_LIMITS = {"2 kB, ASCII": 6 / _HAND_WRITTEN_SPAN_US}


def main() -> list[Row]:
    """Measure 2 kB and 100 kB of UTF-8 in several scripts, and 2 kB by `re`, one pattern after the other."""
    patterns = MultiPattern(_SOURCES)
    provider = provider_to_nowhere()
    works: dict[str, Callable[[], object]] = {HAND_WRITTEN: hand_written_span(provider)}
    for size_bytes, size in ((2000, "2 kB"), (100_000, "100 kB")):
        for name, piece in _TEXTS.items():
            works[f"{size}, {name}"] = _search(patterns, _text(piece, size_bytes))
    works["2 kB, ASCII, by re one at a time"] = _by_re(_text(_TEXTS["ASCII"], 2000))
    return rows_of(works, provider, _LIMITS)


def _text(piece: str, size_bytes: int) -> str:
    whole = piece * (size_bytes // len(piece.encode()) + 1)
    return whole.encode()[:size_bytes].decode(errors="ignore")


def _search(patterns: MultiPattern, text: str) -> Callable[[], object]:
    return lambda: patterns.hits(text)


def _by_re(text: str) -> Callable[[], object]:
    compiled = [re.compile(source) for source in _SOURCES]
    return lambda: [index for index, pattern in enumerate(compiled) if pattern.search(text)]
