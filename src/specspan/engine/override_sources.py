"""Where an override was asked for, and what authority that place of the call has.

A message's unquoted text has the level of its role. Everything else has none: what the assistant and tools say, quoted
text, images and files (Model Spec, follow_all_applicable_instructions and ignore_untrusted_data). A source that takes
in anything of that kind counts as that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from specspan.call import Message, ModelCall, Part, Text
from specspan.decision import Evidence, Override
from specspan.policy.overrides import UNKNOWN_SOURCE, UNTRUSTED_SOURCE, Asked

# MERGED quoted: Which characters of a text are quoted, and so carry no authority (Model Spec, ignore_untrusted_data).
#
# Quoted is what stands in a fenced block (``untrusted_text``, YAML, JSON, whatever its label), in an XML element
# (``<untrusted>…</untrusted>``), between quotation marks, after ``>`` at the start of a line, or in a text that is
# JSON.
# What is opened and never closed is quoted to the end of the text, or of the paragraph for quotation marks. YAML
# without
# a fence looks like prose and is not recognised. Pure, and linear in the text.


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


_MESSAGE = re.compile(r"/input/(0|[1-9][0-9]{0,8})(?:/parts/(0|[1-9][0-9]{0,8}))?")
_INSTRUCTION = re.compile(r"/system_instructions(?:/(0|[1-9][0-9]{0,8}))?")
_NOWHERE = Asked(0, refusal=UNKNOWN_SOURCE)


def asked(overrides: Sequence[Override], call: ModelCall | None) -> tuple[Asked | None, ...]:
    """Where in ``call`` each override was asked for; empty when none was."""
    if all(override.source is None for override in overrides):
        return ()
    return tuple(None if override.source is None else _asked(override.source, call) for override in overrides)


def _asked(source: str | Evidence, call: ModelCall | None) -> Asked:
    pointer, span = (source, None) if isinstance(source, str) else (source.pointer, (source.start, source.end))
    if call is None:
        return _NOWHERE
    if found := _MESSAGE.fullmatch(pointer):
        return _in_message(call.input, int(found[1]), found[2], span)
    if found := _INSTRUCTION.fullmatch(pointer):
        return _in_parts("system", call.request.system_instructions, -1, found[1], span)
    if re.match(r"/output(?:/|$)", pointer):
        return Asked(len(call.input), refusal=UNTRUSTED_SOURCE)
    return _NOWHERE


def _in_message(messages: Sequence[Message], index: int, part: str | None, span: tuple[int, int] | None) -> Asked:
    if index >= len(messages):
        return _NOWHERE
    message = messages[index]
    return _in_parts(message.role, message.parts, index, part, span)


def _in_parts(role: str, parts: Sequence[Part], place: int, part: str | None, span: tuple[int, int] | None) -> Asked:
    chosen = parts if part is None else parts[int(part) : int(part) + 1]
    if not chosen or (span is not None and len(chosen) > 1):
        return _NOWHERE
    trusted = all(_is_plain(each, span) for each in chosen)
    return Asked(place, role) if trusted else Asked(place, refusal=UNTRUSTED_SOURCE)


def _is_plain(part: Part, span: tuple[int, int] | None) -> bool:
    """Whether a part, or these characters of it, is unquoted text."""
    if not isinstance(part, Text):
        return False
    start, end = span or (0, len(part.content))
    return 0 <= start < end <= len(part.content) and not is_quoted(part.content, start, end)
