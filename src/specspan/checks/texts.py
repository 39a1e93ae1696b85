"""Texts of a call that checks of one stage read, and where each stands.

A model's reasoning is read only by checks that ask for it, because it is not handed to the user. Media have no text.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from specspan._support import drop_counts
from specspan._support.interruption import raise_interruption
from specspan.call import (
    UNKNOWN_ARGUMENTS,
    Media,
    Message,
    ModelCall,
    Part,
    Reasoning,
    Refusal,
    Request,
    Side,
    Text,
    ToolCall,
    ToolCallResponse,
    Unknown,
)
from specspan.checks.check import TextAt
from specspan.checks.normalisation import is_plain
from specspan.checks.work import FREE_CHARS, Work
from specspan.decision import Stage

TextFields = Mapping[type, str]
"""Field that holds the text of a part, by the part's type; parts of other types have no text."""

_SYSTEM = "system"
_ANSWERS = "assistant"
_WORDS: TextFields = {Text: "content", Refusal: "content"}
_WORDS_AND_RESULTS: TextFields = {**_WORDS, ToolCallResponse: "response"}
_SOURCES: Mapping[Stage, tuple[str, TextFields]] = {
    Stage.INPUT: ("input", _WORDS_AND_RESULTS),
    Stage.OUTPUT: ("output", _WORDS_AND_RESULTS),
    Stage.STREAM: ("output", _WORDS_AND_RESULTS),
    Stage.TOOL_CALL: ("output", {ToolCall: "arguments"}),
}


def texts(call: ModelCall, stage: Stage, *, with_reasoning: bool = False) -> tuple[TextAt, ...]:
    """Return the texts of ``stage``, in the order of the call. Never raises, whatever a tool answered.

    - ``input``: system instructions (``/system_instructions/<j>``, role ``system``), then the words of the messages
      and of the tools' answers;
    - ``output`` and ``stream``: the model's words, refusals included, the results of tools that the service ran, and
      the texts in fields of the answer that no reader knows (``/output/0/parts/unlisted/<i>/<j>``);
    - ``tool_call``: the arguments of each tool call, as JSON text; and the name of each tool that the request does not
      declare (``/output/<i>/parts/<j>/name``).

    ``with_reasoning``: whether a model's reasoning is among the texts of the messages.

    Offsets of evidence count in these texts: a tool's answer that is not a string is its JSON text.
    """
    side, fields = _SOURCES[stage]
    if with_reasoning:
        fields = {**fields, Reasoning: "content"}
    if side == "input":
        of_messages = _message_texts(side, call.request.input, fields)
        instructions = call.request.system_instructions
        return (*_instruction_texts(instructions), *of_messages) if instructions else tuple(of_messages)
    found = _message_texts(side, call.output, fields)
    if found and stage is Stage.TOOL_CALL:
        found += _undeclared_names(call)
    if call.response is not None and call.response.unlisted and stage is not Stage.TOOL_CALL:
        found += _unlisted_texts(call.response.unlisted)
    return tuple(found)


def _undeclared_names(call: ModelCall) -> Iterator[TextAt]:
    """Yield the names of tools that the request does not declare: the model made them up, or the service has them."""
    declared = set(_names_in(call.request.tools))
    for i, message in enumerate(call.output):
        for j, part in enumerate(message.parts):
            if part.__class__ is ToolCall and part.name and part.name not in declared:
                yield TextAt(f"{_pointer('output', i, j)}/name", message.role, part.name)


def _names_in(definitions: Any, depth: int = 0) -> Iterator[str]:
    """Yield the names in definitions of tools, which providers write in shapes of their own."""
    if isinstance(definitions, Mapping):
        for key, value in definitions.items():
            if key == "name" and isinstance(value, str):
                yield value
            elif depth < _MAX_NAME_DEPTH:
                yield from _names_in(value, depth + 1)
    elif isinstance(definitions, (list, tuple)):
        for each in definitions:
            yield from _names_in(each, depth)


_MAX_NAME_DEPTH = 2


def _unlisted_texts(fields: Sequence[Sequence[str]]) -> Iterator[TextAt]:
    for i, pieces in enumerate(fields):
        for j, text in enumerate(pieces):
            yield TextAt(unlisted_pointer(i, j), _ANSWERS, text, is_result=True)


def unlisted_pointer(field: int, number: int) -> str:
    """Return the pointer of one of the texts of `specspan.call.Response.unlisted`; those of one field read on."""
    return f"/output/0/parts/unlisted/{field}/{number}"


EVERY_ROLE = frozenset(("*",))
"""In place of roles, where nothing is known of the messages of a side."""
UnreadRoles: TypeAlias = Mapping[Side | Literal["reasoning"], frozenset[str]]
"""By side of a call that holds a part which cannot be read, the roles of the messages with such parts.

What is encrypted of a model's reasoning is a side of its own."""

_ALL_READ: UnreadRoles = {}
_NO_ROLES: frozenset[str] = frozenset()
_ANSWER_SIDES = (Side.OUTPUT, Side.TOOL_CALLS, Side.ARGUMENTS)


def has_unknown_part(messages: Sequence[Message]) -> bool:
    """Return whether a part of some messages was not understood."""
    for message in messages:
        for part in message.parts:
            if part.__class__ is Unknown:
                return True
    return False


def unread_roles_of_request(request: Request) -> UnreadRoles:
    """Return the roles of the messages and instructions of a request with a part that was not understood."""
    if not request.is_seen:
        return {Side.INPUT: EVERY_ROLE}
    roles = _roles_with(request.input, _is_unknown) if has_unknown_part(request.input) else _NO_ROLES
    if request.system_instructions and any(part.__class__ is Unknown for part in request.system_instructions):
        roles |= {_SYSTEM}
    return {Side.INPUT: roles} if roles else _ALL_READ


def has_unread_part(output: Sequence[Message]) -> bool:
    """Return whether a part of an answer cannot be read: not understood, encrypted, or a sound without a transcript."""
    for message in output:
        for part in message.parts:
            kind = part.__class__
            if kind is Unknown or (kind is Media and _is_sound(part)) or (kind is Reasoning and _is_encrypted(part)):
                return True
    return False


def unread_roles_of_answer(output: Sequence[Message], *, is_whole: bool = True) -> UnreadRoles:
    """Return the roles of the messages of an answer with a part that cannot be read.

    A part that was not understood may be anything: words, a tool call, or its arguments. A sound may be words; as long
    as the answer is not ``is_whole``, its transcript may still come.
    """
    if not has_unread_part(output):
        return _ALL_READ
    roles: dict[Side | Literal["reasoning"], frozenset[str]] = {}
    if unknown := _roles_with(output, _is_unknown):
        roles |= dict.fromkeys(_ANSWER_SIDES, unknown)
    if is_whole and (sounds := _roles_with(output, _is_sound)):
        roles[Side.OUTPUT] = roles.get(Side.OUTPUT, _NO_ROLES) | sounds
    if encrypted := _roles_with(output, _is_encrypted):
        roles["reasoning"] = encrypted
    return roles


def as_text(value: Any) -> str:
    """Return a value as the text a check reads: a string as it is, nothing for None, else JSON."""
    if isinstance(value, str):
        return str.__str__(value)  # a subclass of somebody else's may misrepresent itself
    if value is None or value is UNKNOWN_ARGUMENTS:
        return ""
    try:
        return json.dumps(value, ensure_ascii=False)
    except Exception as error:  # a cycle, an object JSON does not know, a number too long, nesting too deep
        raise_interruption(error)
        return "\n".join(_strings_in(value))


def _message_texts(side: str, messages: Sequence[Message], fields: TextFields) -> list[TextAt]:
    found = []
    for i, message in enumerate(messages):
        for j, part in enumerate(message.parts):
            field = fields.get(part.__class__)
            if field is not None:
                value = getattr(part, field)
                text = value if value.__class__ is str else as_text(value)
                kind = part.__class__
                found.append(
                    TextAt(_pointer(side, i, j), message.role, text, kind is Reasoning, kind is ToolCallResponse)
                )
    return found


@functools.lru_cache(4096)  # takes half the time of formatting it again
def _pointer(side: str, i: int, j: int) -> str:
    return f"/{side}/{i}/parts/{j}"


def _roles_with(messages: Sequence[Message], is_unread: Callable[[Part], bool]) -> frozenset[str]:
    return frozenset(message.role for message in messages if any(map(is_unread, message.parts)))


def _is_unknown(part: Part) -> bool:
    return isinstance(part, Unknown)


def _is_sound(part: Part) -> bool:
    return isinstance(part, Media) and part.modality == "audio"


def _is_encrypted(part: Part) -> bool:
    return isinstance(part, Reasoning) and part.is_encrypted


def _instruction_texts(parts: Sequence[Part]) -> Iterator[TextAt]:
    for j, part in enumerate(parts):
        if isinstance(part, Text):
            yield TextAt(f"/system_instructions/{j}", _SYSTEM, part.content)


def _strings_in(value: Any) -> Iterator[str]:
    """Yield every string and number in a value that JSON cannot hold, entering each container once."""
    pending, seen = [value], set[int]()
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, (Mapping, list, tuple, set, frozenset)):
            if id(value) not in seen:
                seen.add(id(value))
                pending.extend(reversed(_members(value)))
        elif value is not None:
            yield _safe_str(value)


def _members(value: Any) -> list[Any]:
    try:
        return [each for item in value.items() for each in item] if isinstance(value, Mapping) else list(value)
    except Exception as error:  # a container of somebody else's that cannot be iterated
        raise_interruption(error)
        drop_counts.count("text", "unreadable")
        return []


def _safe_str(value: Any) -> str:
    try:
        return str(value)
    except Exception as error:  # whatever somebody else's __str__ raises
        raise_interruption(error)
        drop_counts.count("text", "unreadable")
        return ""


def has_further_readings(texts: Sequence[TextAt], *, is_normalised: bool) -> bool:
    """Return whether ``texts`` may have other readings than as they stand, see `specspan.checks.readings`."""
    if len(texts) != 1:
        return bool(texts)
    text = texts[0].text
    return "\\" in text or (is_normalised and not is_plain(text))


def limit_work(texts: Sequence[TextAt], work: Work | None = None) -> Work | None:
    """Have the work over some texts counted, where they are long; return what counts it.

    ``work``: what counts the work over other texts of the same call, if any do.
    """
    if work is None:
        chars = 0
        for text in texts:
            chars += len(text.text)
        if chars < FREE_CHARS:
            return None
        work = Work()
    for text in texts:
        object.__setattr__(text, "work", work)
    return work


def shortest_first(texts: Sequence[TextAt]) -> Sequence[TextAt]:
    """Return texts in the order in which to search them, so that a long one hides nothing in the short ones."""
    if not texts or texts[0].work is None:
        return texts
    return sorted(texts, key=lambda text: len(text.text))
