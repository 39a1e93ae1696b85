"""Sources of overrides: the authority of the place in a call where an override was asked for.

A message's unquoted text has the level of its role. Everything else has no authority: the words of the assistant and
of tools, quoted text, images and files (Model Spec, follow_all_applicable_instructions and ignore_untrusted_data). A
source that takes in anything of that kind counts as that.

A text is quoted in a fenced block (``untrusted_text``, YAML, JSON, whatever its label), in an XML element
(``<untrusted>…</untrusted>``), between quotation marks, after ``>`` at the start of a line, or if the whole of it is
JSON. A quotation that is opened and never closed reaches to the end of the text, or of the paragraph for quotation
marks. YAML without a fence looks like prose and is not recognised. Everything here is pure, and linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from specspan.call import Message, ModelCall, Part, Text
from specspan.decision import Evidence, Override
from specspan.policy.overrides import UNKNOWN_SOURCE, UNTRUSTED_SOURCE, OverrideSource

Span = tuple[int, int]
"""First character, and one past the last."""

_MESSAGE = re.compile(r"/input/(0|[1-9][0-9]{0,8})(?:/parts/(0|[1-9][0-9]{0,8}))?")
_INSTRUCTION = re.compile(r"/system_instructions(?:/(0|[1-9][0-9]{0,8}))?")
_UNKNOWN = OverrideSource(0, refusal=UNKNOWN_SOURCE)

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})[^\n]*$", re.MULTILINE)
_TAG = re.compile(r"<(/?)([A-Za-z][\w.-]{0,63})(?:\s[^<>]{0,256})?(/?)>")
_BLOCK_QUOTE = re.compile(r"^[ \t]{0,3}>[^\n]*$", re.MULTILINE)
_PARAGRAPH = re.compile(r"\n[ \t]*\n")
_QUOTATION_MARK = re.compile(r"[\"“”„«»]")
_CLOSING_MARKS = {'"': '"', "“": "”", "„": "“”", "«": "»"}


def override_sources(overrides: Sequence[Override], call: ModelCall | None) -> tuple[OverrideSource | None, ...]:
    """Return the place in ``call`` where each override was asked for; empty when none names a source."""
    if all(override.source is None for override in overrides):
        return ()
    return tuple(None if override.source is None else _resolve(override.source, call) for override in overrides)


def is_quoted(text: str, start: int, end: int) -> bool:
    """Return whether any character from ``start`` to ``end`` is quoted."""
    return any(begin < end and start < stop for begin, stop in quoted_spans(text))


def quoted_spans(text: str) -> Iterator[Span]:
    """Yield the spans of a text that are quoted, overlapping or not."""
    if text.lstrip()[:1] in ("{", "["):
        yield 0, len(text)
        return
    yield from _fenced_blocks(text)
    yield from _elements(text)
    yield from (match.span() for match in _BLOCK_QUOTE.finditer(text))
    yield from _between_quotation_marks(text)


def _resolve(source: str | Evidence, call: ModelCall | None) -> OverrideSource:
    pointer, span = (source, None) if isinstance(source, str) else (source.pointer, (source.start, source.end))
    if call is None:
        return _UNKNOWN
    if match := _MESSAGE.fullmatch(pointer):
        return _resolve_in_message(call.input, int(match[1]), match[2], span)
    if match := _INSTRUCTION.fullmatch(pointer):
        return _resolve_in_parts("system", call.request.system_instructions, -1, match[1], span)
    if re.match(r"/output(?:/|$)", pointer):
        return OverrideSource(len(call.input), refusal=UNTRUSTED_SOURCE)
    return _UNKNOWN


def _resolve_in_message(messages: Sequence[Message], index: int, part: str | None, span: Span | None) -> OverrideSource:
    if index >= len(messages):
        return _UNKNOWN
    message = messages[index]
    return _resolve_in_parts(message.role, message.parts, index, part, span)


def _resolve_in_parts(
    role: str, parts: Sequence[Part], place: int, part: str | None, span: Span | None
) -> OverrideSource:
    selected = parts if part is None else parts[int(part) : int(part) + 1]
    if not selected or (span is not None and len(selected) > 1):
        return _UNKNOWN
    is_trusted = all(_is_unquoted_text(each, span) for each in selected)
    return OverrideSource(place, role) if is_trusted else OverrideSource(place, refusal=UNTRUSTED_SOURCE)


def _is_unquoted_text(part: Part, span: Span | None) -> bool:
    """Return whether a part, or ``span`` of it, is text that is not quoted."""
    if not isinstance(part, Text):
        return False
    start, end = span or (0, len(part.content))
    return 0 <= start < end <= len(part.content) and not is_quoted(part.content, start, end)


def _fenced_blocks(text: str) -> Iterator[Span]:
    opening: re.Match[str] | None = None
    for fence in _FENCE.finditer(text):
        if opening is None:
            opening = fence
        elif fence[1].startswith(opening[1]) and fence[0].strip() == fence[1]:
            yield opening.start(), fence.end()
            opening = None
    if opening is not None:
        yield opening.start(), len(text)


def _elements(text: str) -> Iterator[Span]:
    """Yield the outermost XML elements; one without an end reaches to the end of the text."""
    opening: re.Match[str] | None = None
    depth = 0
    for tag in _TAG.finditer(text):
        if tag[3]:
            continue
        if opening is None:
            opening, depth = (None if tag[1] else tag), 1
        elif tag[2] == opening[2]:
            depth += -1 if tag[1] else 1
            if not depth:
                yield opening.start(), tag.end()
                opening = None
    if opening is not None:
        yield opening.start(), len(text)


def _between_quotation_marks(text: str) -> Iterator[Span]:
    paragraph_ends = [*(match.start() for match in _PARAGRAPH.finditer(text)), len(text)]
    start = 0
    for end in paragraph_ends:
        opening: re.Match[str] | None = None
        for mark in _QUOTATION_MARK.finditer(text, start, end):
            if opening is None:
                opening = mark if mark[0] in _CLOSING_MARKS else None
            elif mark[0] in _CLOSING_MARKS[opening[0]]:
                yield opening.start(), mark.end()
                opening = None
        if opening is not None:
            yield opening.start(), end
        start = end
