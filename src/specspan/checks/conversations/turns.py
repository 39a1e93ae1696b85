"""Earlier turns of a conversation, read from the messages that a request sends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from specspan.call import Message, ModelCall, Refusal, Text, ToolCall, ToolCallResponse

MAX_ITEMS = 96
"""Most messages, and most tool calls, of a conversation that a check looks at: the newest."""


@dataclass(frozen=True, slots=True)
class EarlierToolCall:
    """Tool call of an earlier answer, with what the tool answered."""

    call: ToolCall
    is_answered: bool = False
    response: Any = None


@dataclass(frozen=True, slots=True)
class EarlierTurns:
    """Newest messages of a request, with the tool calls in them."""

    messages: tuple[Message, ...]
    tool_calls: tuple[EarlierToolCall, ...]
    is_cut: bool
    """True where the request has more messages or tool calls than are looked at."""


def earlier_turns(call: ModelCall, limit: int = MAX_ITEMS) -> EarlierTurns:
    """Return the newest turns that ``call`` sends to the model, at most ``limit`` messages and tool calls, in order."""
    sent = call.input
    messages = sent[-limit:] if len(sent) > limit else sent
    tool_calls = earlier_tool_calls(messages)
    is_cut = len(messages) < len(sent) or len(tool_calls) > limit
    return EarlierTurns(messages, tool_calls[-limit:], is_cut)


def earlier_tool_calls(messages: Sequence[Message]) -> tuple[EarlierToolCall, ...]:
    """Return every tool call in ``messages``, in order, with its answer.

    An answer belongs to the call with its id; an answer without an id, to the oldest call without an answer.
    """
    calls: list[EarlierToolCall] = []
    for message in messages:
        for part in message.parts:
            if isinstance(part, ToolCall):
                calls.append(EarlierToolCall(part))
            elif isinstance(part, ToolCallResponse):
                _add_answer(calls, part)
    return tuple(calls)


def _add_answer(calls: list[EarlierToolCall], answer: ToolCallResponse) -> None:
    for i, earlier in enumerate(calls):
        if not earlier.is_answered and (answer.id is None or earlier.call.id == answer.id):
            calls[i] = replace(earlier, is_answered=True, response=answer.response)
            return


def text_of(message: Message) -> str:
    """Return the words of a message, a blank line between its parts."""
    return "\n\n".join(part.content for part in message.parts if isinstance(part, (Text, Refusal)))


def texts_of(messages: Iterable[Message], role: str) -> list[str]:
    """Return the words of each message of one role, without those that have none."""
    return [text for message in messages if message.role == role and (text := text_of(message))]
