r"""Which characters of a text are quoted, and so carry no authority (Model Spec, ignore_untrusted_data).

Quoted is what stands in a fenced block (``untrusted_text``, YAML, JSON, whatever its label), in an XML element
(``<untrusted>…</untrusted>``), between quotation marks, after ``>`` at the start of a line, or in a text that is JSON.
What is opened and never closed is quoted to the end of the text, or of the paragraph for quotation marks. YAML without
a fence looks like prose and is not recognised. Pure, and linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Span = tuple[int, int]

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})[^\n]*$", re.MULTILINE)
_TAG = re.compile(r"<(/?)([A-Za-z][\w.-]{0,63})(?:\s[^<>]{0,256})?(/?)>")
_CITED = re.compile(r"^[ \t]{0,3}>[^\n]*$", re.MULTILINE)
_PARAGRAPH = re.compile(r"\n[ \t]*\n")
_MARKS = re.compile(r"[\"“”„«»]")
_CLOSING = {'"': '"', "“": "”", "„": "“”", "«": "»"}


def is_quoted(text: str, start: int, end: int) -> bool:
    """Whether any character from ``start`` to ``end`` is quoted."""
    return any(begin < end and start < stop for begin, stop in quoted(text))


def quoted(text: str) -> Iterator[Span]:
    """The spans that are quoted, overlapping or not."""
    if text.lstrip()[:1] in ("{", "["):
        yield 0, len(text)
        return
    yield from _fences(text)
    yield from _elements(text)
    yield from (match.span() for match in _CITED.finditer(text))
    yield from _between_marks(text)


def _fences(text: str) -> Iterator[Span]:
    opened: re.Match[str] | None = None
    for fence in _FENCE.finditer(text):
        if opened is None:
            opened = fence
        elif fence[1].startswith(opened[1]) and fence[0].strip() == fence[1]:
            yield opened.start(), fence.end()
            opened = None
    if opened is not None:
        yield opened.start(), len(text)


def _elements(text: str) -> Iterator[Span]:
    """Outermost elements; one without an end reaches to the end of the text."""
    opened: re.Match[str] | None = None
    depth = 0
    for tag in _TAG.finditer(text):
        if tag[3]:
            continue
        if opened is None:
            opened, depth = (None if tag[1] else tag), 1
        elif tag[2] == opened[2]:
            depth += -1 if tag[1] else 1
            if not depth:
                yield opened.start(), tag.end()
                opened = None
    if opened is not None:
        yield opened.start(), len(text)


def _between_marks(text: str) -> Iterator[Span]:
    ends = [*(match.start() for match in _PARAGRAPH.finditer(text)), len(text)]
    start = 0
    for end in ends:
        opened: re.Match[str] | None = None
        for mark in _MARKS.finditer(text, start, end):
            if opened is None:
                opened = mark if mark[0] in _CLOSING else None
            elif mark[0] in _CLOSING[opened[0]]:
                yield opened.start(), mark.end()
                opened = None
        if opened is not None:
            yield opened.start(), end
        start = end
