"""Where an override was asked for, and what authority that place of the call has.

A message's unquoted text has the level of its role. Everything else has none: what the assistant and tools say, quoted
text, images and files (Model Spec, follow_all_applicable_instructions and ignore_untrusted_data). A source that takes
in anything of that kind counts as that.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from specspan.call import Message, ModelCall, Part, Text
from specspan.decision import Evidence, Override
from specspan.engine.quoted import is_quoted
from specspan.policy.overrides import UNKNOWN_SOURCE, UNTRUSTED_SOURCE, Asked

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
