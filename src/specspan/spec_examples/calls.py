"""Model calls that an example's answer stands for, and excerpts of them for a person to read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
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
from specspan.checks.texts import texts
from specspan.decision import Finding
from specspan.documents.yaml import parse_scalar
from specspan.spec.conversation import split_content
from specspan.spec.spec import Answer, Comparison, Example, Turn

PROVIDER = "example"
"""Provider of these calls, for checks that look at it."""

_SENT_ROLES = frozenset(("system", "developer", "user", "tool", "untrusted"))
"""Roles of messages that are sent to a model; any other speaker in a document is the model."""
_FUNCTIONS_PREFIX = "functions."
"""Prefix of the Model Spec before the name of a tool that a developer defined."""


def build_calls(example: Example, compared: int, answer: Answer) -> tuple[ModelCall, ...]:
    """Return one call for each message of the model in ``answer``, with everything before it as input.

    ``compared`` is the index of the comparison that the answer stands in.

    - Text quoted as untrusted is a message of its own, with the role ``untrusted``.
    - ``settings`` are facts of the call's context, such as ``under_18``, and not text.
    - A message to a ``recipient`` is a tool call.
    - The calls are streamed ones, so that checks of growing answers run too.
    """
    before = tuple(_preceding_turns(example, compared))
    context = CallContext(attributes=dict(_setting_facts(before)))
    messages = [message for turn in before for message in _messages(turn)]
    calls = []
    for turn in answer.turns:
        if turn.role and turn.role not in _SENT_ROLES:
            request = Request(PROVIDER, input=tuple(messages), streaming=True)
            calls.append(ModelCall(request, Response(output=(_reply(turn),)), context))
        messages += _messages(turn)
    return tuple(calls)


def _preceding_turns(example: Example, compared: int) -> Iterator[Turn]:
    """Yield the conversation before the answers compared; earlier comparisons continue with a good answer."""
    comparisons = example.comparisons
    for place, turn in enumerate((*example.turns[: comparisons[compared].turn], None)):
        for earlier in comparisons[:compared]:
            if earlier.turn == place:
                yield from _first_good_answer(earlier)
        if turn is not None:
            yield turn


def _first_good_answer(comparison: Comparison) -> tuple[Turn, ...]:
    """Return the first answer of a comparison that is not bad; empty where all are."""
    labelled = (answer for answer in comparison.answers if answer.verdict is not None)
    return next((answer.turns for answer in labelled if answer.verdict and answer.verdict.label != "BAD"), ())


def _messages(turn: Turn) -> Iterator[Message]:
    """Yield a turn as messages. Text between the turns, such as where some are left out, is skipped."""
    if turn.role == "tool":
        yield Message("tool", (ToolCallResponse(turn.content),), name=turn.attributes.get("name"))
    elif turn.role in _SENT_ROLES:
        for text, inner in split_content(turn):
            if text.strip() and (inner is None or inner.role != "settings"):
                yield Message(turn.role if inner is None else inner.role, (Text(text.strip()),))
    elif turn.role:
        yield _reply(turn)


def _reply(turn: Turn) -> Message:
    recipient = turn.attributes.get("recipient")
    part: Part = Text(turn.content)
    if recipient is not None and recipient not in ("all", "user"):
        part = ToolCall(recipient.removeprefix(_FUNCTIONS_PREFIX), _arguments(turn.content))
    return Message("assistant", (part,))


def _arguments(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _setting_facts(turns: Iterable[Turn]) -> Iterator[tuple[str, Scalar]]:
    """Yield the facts in the ``settings`` of a conversation, a line each: ``under_18: true``. Later ones overrule."""
    for turn in turns:
        for inner in turn.inner:
            if inner.role == "settings":
                for line in inner.content.splitlines():
                    name, colon, written = line.partition(":")
                    value = parse_scalar(written.strip())
                    if colon and name.strip() and value is not None:
                        yield name.strip(), value


_BEFORE_CHARS = 30


def excerpt(call: ModelCall, finding: Finding, max_chars: int) -> str:
    """Return the text around the first place that a finding points at; empty where it points nowhere."""
    by_pointer = {text.pointer: text.text for text in texts(call, finding.stage)}
    for place in finding.evidence:
        if place.pointer in by_pointer:
            text = by_pointer[place.pointer]
            start = max(0, place.start - _BEFORE_CHARS)
            return ("…" if start else "") + shorten(text[start:], max_chars)
    return ""


def answer_text(calls: Sequence[ModelCall], max_chars: int) -> str:
    """Return the beginning of an answer, tool calls by name and arguments."""
    texts_of_answer = [part for call in calls for part in (call.output_text, *(_tool_call_texts(call)))]
    return shorten(" ".join(filter(None, texts_of_answer)), max_chars)


def shorten(text: str, max_chars: int) -> str:
    """Return a text on one line, cut where it is longer."""
    line = " ".join(text[: 4 * max_chars].split())
    return line if len(line) <= max_chars and len(text) <= 4 * max_chars else f"{line[: max_chars - 1]}…"


def _tool_call_texts(call: ModelCall) -> Sequence[str]:
    return [f"{part.name}({part.arguments})" for part in call.tool_calls]
