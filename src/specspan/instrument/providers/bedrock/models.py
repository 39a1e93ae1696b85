"""Formats of InvokeModel bodies, one for each family of models.

The format is recognised by the body. The model's name is no help: an inference profile or an imported model hides its
maker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from specspan.call import Message, Part, Request, Response
from specspan.instrument.adapter import Accumulator, Delta, Edits
from specspan.instrument.formats import (
    anthropic_messages,
    anthropic_stream,
    bedrock_converse,
    bedrock_converse_stream,
    openai_chat,
)
from specspan.instrument.formats.bodies import Turn, parts_only
from specspan.instrument.formats.fields import Fields, as_list, as_mapping
from specspan.instrument.formats.known_anthropic import MESSAGE, MESSAGE_EVENT
from specspan.instrument.formats.known_bodies import TEXT_BODY
from specspan.instrument.formats.known_converse import ANSWER, EVENT
from specspan.instrument.formats.known_fields import Known
from specspan.instrument.providers.anthropic import read_message_response
from specspan.instrument.providers.bedrock import chat_models, text_models


def _no_closing_events(accumulator: Any, piece: Any) -> Iterable[Any]:
    return ()


def _no_system_parts(body: Fields) -> tuple[Part, ...]:
    return ()


@dataclass(frozen=True, slots=True)
class BodyFormat:
    """Functions that read and edit the JSON bodies of one family of models, like those of an adapter."""

    name: str
    """Name that identifies the format, for copies as well."""
    operation: str
    """``gen_ai.operation.name`` of calls in this format."""
    input: Callable[[Fields], Iterable[Message]]
    edit_request: Callable[[Any, Edits], Any]
    response: Callable[[Fields], Response]
    edit_response: Callable[[Any, Edits], Any]
    accumulator: Callable[[Request], Accumulator]
    deltas: Callable[[Any], Iterable[Delta]]
    cut: Callable[[Any, int, str], Any]
    known: Known
    """What is known of the fields of a response body."""
    known_piece: Known
    """What is known of those of a piece of a stream."""
    closing_events: Callable[[Any, Any], Iterable[Any]] = _no_closing_events
    system: Callable[[Fields], tuple[Part, ...]] = _no_system_parts


def request_format(body: Fields) -> BodyFormat:
    """Return the format of a request body."""
    if "messages" not in body:
        return CONVERSATION if "message" in body else TEXT
    if "anthropic_version" in body:
        return ANTHROPIC
    return CONVERSE if _is_converse(body) else CHAT


def _is_converse(body: Fields) -> bool:
    """Return whether a request body is for Amazon Nova, whose blocks have no type."""
    blocks = [block for each in as_list(body["messages"]) for block in _content_blocks(as_mapping(each).get("content"))]
    return (
        "schemaVersion" in body or "inferenceConfig" in body or any("type" not in as_mapping(each) for each in blocks)
    )


def _content_blocks(content: Any) -> Iterable[Any]:
    return () if isinstance(content, str) else as_list(content)


def response_format(answer: Fields) -> BodyFormat:
    """Return the format of a response body, or of a piece of one."""
    if "type" in answer and answer["type"] != "completion":  # Claude's text completions have this type
        return ANTHROPIC
    if "choices" in answer:
        return CHAT
    return CONVERSE if "output" in answer or not bedrock_converse_stream.EVENT_TYPES.isdisjoint(answer) else TEXT


def _read_messages(turns: Callable[[Fields], Iterable[Turn]], body: Fields) -> list[Message]:
    return [turn.to_message() for turn in turns(body)]


def _edit_anthropic_request(body: Any, edits: Edits) -> Any:
    edited = {**body, "messages": anthropic_messages.edit_messages(as_list(body.get("messages")), edits)}
    if "system" in body:
        edited["system"] = anthropic_messages.edit_content(body["system"], "/system_instructions/", edits)
    return edited


def _edit_anthropic_response(body: Any, edits: Edits) -> Any:
    return {**body, "content": anthropic_messages.edit_content(body["content"], "/output/0/parts/", edits)}


ANTHROPIC = BodyFormat(
    name="anthropic",
    operation="chat",
    input=lambda body: map(anthropic_messages.read_message, as_list(body.get("messages"))),
    system=lambda body: anthropic_messages.read_parts(body.get("system") or ""),
    edit_request=_edit_anthropic_request,
    response=read_message_response,
    edit_response=_edit_anthropic_response,
    accumulator=anthropic_stream.MessageAccumulator,
    deltas=anthropic_stream.deltas,
    cut=anthropic_stream.cut,
    known=MESSAGE,
    known_piece=MESSAGE_EVENT.known,
    closing_events=anthropic_stream.closing_events,
)
CONVERSE = BodyFormat(
    name="converse",
    operation="chat",
    input=partial(_read_messages, bedrock_converse.input_turns),
    system=lambda body: parts_only(bedrock_converse.system_parts(body)),
    edit_request=bedrock_converse.edit_request,
    response=bedrock_converse.read_response,
    edit_response=bedrock_converse.edit_response,
    accumulator=partial(bedrock_converse_stream.ConverseAccumulator, merges_texts=True),
    deltas=bedrock_converse_stream.merged_deltas,
    cut=bedrock_converse_stream.cut,
    known=ANSWER,
    known_piece=EVENT,
    closing_events=bedrock_converse_stream.closing_events,
)
CHAT = BodyFormat(
    name="chat",
    operation="chat",
    input=lambda body: map(openai_chat.read_message, as_list(body.get("messages"))),
    edit_request=lambda body, edits: {**body, "messages": openai_chat.edit_messages(body["messages"], "input", edits)},
    response=chat_models.read_response,
    edit_response=chat_models.edit_response,
    accumulator=chat_models.ChatBodyAccumulator,
    deltas=chat_models.deltas,
    cut=chat_models.cut,
    known=chat_models.BODY,
    known_piece=chat_models.PIECE,
)
TEXT = BodyFormat(
    name="text",
    operation="text_completion",
    input=partial(_read_messages, text_models.input_turns),
    system=lambda body: parts_only(text_models.system_parts(body)),
    edit_request=text_models.edit_request,
    response=text_models.read_response,
    edit_response=text_models.edit_response,
    accumulator=text_models.TextAccumulator,
    deltas=text_models.deltas,
    cut=text_models.cut,
    known=TEXT_BODY,
    known_piece=TEXT_BODY,
)
CONVERSATION = replace(TEXT, operation="chat")
"""Cohere's conversations, in which turns have roles."""
