"""Bodies of InvokeModel: every maker of models has its own.

Which one it is, a body itself shows. The model's name does not: that of an inference profile or an imported model says
nothing of who made it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from specspan.call import Message, Part, Request, Response
from specspan.instrument.adapter import Accumulator, Edits
from specspan.instrument.formats import (
    anthropic_messages as _anthropic_messages,
)
from specspan.instrument.formats import (
    anthropic_stream as _anthropic_stream,
)
from specspan.instrument.formats import (
    converse as _converse,
)
from specspan.instrument.formats import (
    converse as _converse_stream,
)
from specspan.instrument.formats import (
    openai_chat as _chat,
)
from specspan.instrument.formats.bodies import Turn, parts_only
from specspan.instrument.formats.fields import Fields, as_list, as_mapping
from specspan.instrument.providers.anthropic import read_message_response
from specspan.instrument.providers.bedrock import chat_models as _bedrock_chat
from specspan.instrument.providers.bedrock import text_models as _bedrock_text


def _no_closing_events(seen: Any, piece: Any) -> Iterable[Any]:
    return ()


def _no_system_parts(body: Fields) -> tuple[Part, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class BodyFormat:
    """How one family of models is asked and answers, in parsed JSON. Its functions are those of an adapter."""

    name: str
    """Tells it from the others, also where it was copied."""
    operation: str
    """``gen_ai.operation.name``."""
    input: Callable[[Fields], Iterable[Message]]
    edit_request: Callable[[Any, Edits], Any]
    response: Callable[[Fields], Response]
    edit_response: Callable[[Any, Edits], Any]
    accumulator: Callable[[Request], Accumulator]
    deltas: Callable[[Any], Iterable[tuple[int, str]]]
    cut: Callable[[Any, int, str], Any]
    closing: Callable[[Any, Any], Iterable[Any]] = _no_closing_events
    system: Callable[[Fields], tuple[Part, ...]] = _no_system_parts


def request_format(body: Fields) -> BodyFormat:
    """The shape of a request."""
    if "messages" not in body:
        return CONVERSATION if "message" in body else TEXT
    if "anthropic_version" in body:
        return ANTHROPIC
    return CONVERSE if _is_converse(body) else CHAT


def _is_converse(body: Fields) -> bool:
    """Whether a request is one for Nova: its blocks have no type."""
    blocks = [block for said in as_list(body["messages"]) for block in _content_blocks(as_mapping(said).get("content"))]
    return (
        "schemaVersion" in body or "inferenceConfig" in body or any("type" not in as_mapping(each) for each in blocks)
    )


def _content_blocks(content: Any) -> Iterable[Any]:
    return () if isinstance(content, str) else as_list(content)


def response_format(said: Fields) -> BodyFormat:
    """The shape of an answer, or of a piece of one."""
    if "type" in said:
        return ANTHROPIC
    if "choices" in said:
        return CHAT
    return CONVERSE if "output" in said or not _converse_stream.EVENT_TYPES.isdisjoint(said) else TEXT


def _read_messages(turns: Callable[[Fields], Iterable[Turn]], body: Fields) -> list[Message]:
    return [turn.to_message() for turn in turns(body)]


def _edit_anthropic_request(body: Any, edits: Edits) -> Any:
    edited = {**body, "messages": _anthropic_messages.edit_messages(as_list(body.get("messages")), edits)}
    if "system" in body:
        edited["system"] = _anthropic_messages.edit_content(body["system"], "/system_instructions/", edits)
    return edited


def _edit_anthropic_response(body: Any, edits: Edits) -> Any:
    return {**body, "content": _anthropic_messages.edit_content(body["content"], "/output/0/parts/", edits)}


ANTHROPIC = BodyFormat(
    name="anthropic",
    operation="chat",
    input=lambda body: map(_anthropic_messages.read_message, as_list(body.get("messages"))),
    system=lambda body: _anthropic_messages.read_parts(body.get("system") or ""),
    edit_request=_edit_anthropic_request,
    response=read_message_response,
    edit_response=_edit_anthropic_response,
    accumulator=_anthropic_stream.MessageAccumulator,
    deltas=_anthropic_stream.deltas,
    cut=_anthropic_stream.cut,
    closing=_anthropic_stream.closing_events,
)
CONVERSE = BodyFormat(
    name="converse",
    operation="chat",
    input=partial(_read_messages, _converse.input_turns),
    system=lambda body: parts_only(_converse.system_parts(body)),
    edit_request=_converse.edit_request,
    response=_converse.read_response,
    edit_response=_converse.edit_response,
    accumulator=partial(_converse_stream.ConverseAccumulator, merges_texts=True),
    deltas=_converse_stream.deltas,
    cut=_converse_stream.cut,
    closing=_converse_stream.closing_events,
)
CHAT = BodyFormat(
    name="chat",
    operation="chat",
    input=lambda body: map(_chat.read_message, as_list(body.get("messages"))),
    edit_request=lambda body, edits: {**body, "messages": _chat.edit_messages(body["messages"], "input", edits)},
    response=_bedrock_chat.read_response,
    edit_response=_bedrock_chat.edit_response,
    accumulator=_bedrock_chat.ChatBodyAccumulator,
    deltas=_bedrock_chat.deltas,
    cut=_bedrock_chat.cut,
)
TEXT = BodyFormat(
    name="text",
    operation="text_completion",
    input=partial(_read_messages, _bedrock_text.input_turns),
    system=lambda body: parts_only(_bedrock_text.system_parts(body)),
    edit_request=_bedrock_text.edit_request,
    response=_bedrock_text.read_response,
    edit_response=_bedrock_text.edit_response,
    accumulator=_bedrock_text.TextAccumulator,
    deltas=_bedrock_text.deltas,
    cut=_bedrock_text.cut,
)
CONVERSATION = replace(TEXT, operation="chat")
"""Cohere's, which names its turns."""
