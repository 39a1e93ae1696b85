"""An answer of an example as the model calls that would have given it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from specspan.call import (
    CallContext,
    Message,
    ModelCall,
    Part,
    Request,
    Response,
    Scalar,
    Text,
    ToolCall,
    ToolCallResponse,
)
from specspan.documents.scalars import resolve
from specspan.spec.elements import pieces
from specspan.spec.model import Answer, Comparison, Example, Turn

PROVIDER = "example"
"""Provider of these calls, for checks that look at it."""

_SENT = frozenset(("system", "developer", "user", "tool", "untrusted"))
"""Roles of messages that are sent to a model; whatever else a document calls a speaker is the model."""
_FUNCTIONS = "functions."
"""What the Model Spec puts before the name of a tool that a developer defined."""


def calls_of(example: Example, compared: int, answer: Answer) -> tuple[ModelCall, ...]:
    """One call for each message of the model in ``answer``, with all that came before it as input.

    ``compared`` is the index of the comparison that the answer stands in.

    - Text quoted as untrusted is a message of its own, with the role ``untrusted``.
    - ``settings`` are facts of the call's context, such as ``under_18``, and no text.
    - A message to a ``recipient`` is a tool call.
    - The calls are streamed ones, so that checks which look only while an answer grows look at it too.
    """
    before = tuple(_before(example, compared))
    context = CallContext(attributes=dict(_facts(before)))
    said = [message for turn in before for message in _messages(turn)]
    made = []
    for turn in answer.turns:
        if turn.role and turn.role not in _SENT:
            request = Request(PROVIDER, input=tuple(said), streaming=True)
            made.append(ModelCall(request, Response(output=(_reply(turn),)), context))
        said += _messages(turn)
    return tuple(made)


def _before(example: Example, compared: int) -> Iterator[Turn]:
    """The conversation up to the answers compared. It went on from a good answer wherever answers stand earlier."""
    comparisons = example.comparisons
    for place, turn in enumerate((*example.turns[: comparisons[compared].turn], None)):
        for earlier in comparisons[:compared]:
            if earlier.turn == place:
                yield from _good(earlier)
        if turn is not None:
            yield turn


def _good(comparison: Comparison) -> tuple[Turn, ...]:
    """The first answer of a comparison that is not bad; none where all are."""
    labelled = (answer for answer in comparison.answers if answer.verdict is not None)
    return next((answer.turns for answer in labelled if answer.verdict and answer.verdict.label != "BAD"), ())


def _messages(turn: Turn) -> Iterator[Message]:
    """A turn as messages. Text between the turns, such as where some are left out, is none."""
    if turn.role == "tool":
        yield Message("tool", (ToolCallResponse(turn.content),), name=turn.attributes.get("name"))
    elif turn.role in _SENT:
        for text, inner in pieces(turn):
            if text.strip() and (inner is None or inner.role != "settings"):
                yield Message(turn.role if inner is None else inner.role, (Text(text.strip()),))
    elif turn.role:
        yield _reply(turn)


def _reply(turn: Turn) -> Message:
    recipient = turn.attributes.get("recipient")
    part: Part = Text(turn.content)
    if recipient is not None and recipient not in ("all", "user"):
        part = ToolCall(recipient.removeprefix(_FUNCTIONS), _arguments(turn.content))
    return Message("assistant", (part,))


def _arguments(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _facts(turns: Iterable[Turn]) -> Iterator[tuple[str, Scalar]]:
    """What the ``settings`` of a conversation say, a line each: ``under_18: true``. Later ones hold."""
    for turn in turns:
        for inner in turn.inner:
            if inner.role == "settings":
                for line in inner.content.splitlines():
                    name, colon, said = line.partition(":")
                    value = resolve(said.strip())
                    if colon and name.strip() and value is not None:
                        yield name.strip(), value
