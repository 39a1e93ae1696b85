"""What a test of a policy is: a conversation, and what is expected of the decision about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from specspan.call import CallContext, Message, ModelCall, Part, Request, Response, Text, ToolCall
from specspan.decision import Outcome, Override
from specspan.policy.policy import Policy


@dataclass(frozen=True, slots=True)
class Conversation:
    """One model call: what is sent, what the model answers, and what the application says about it."""

    request: Request
    answer: tuple[str | ToolCall, ...] = ()
    """What the model answers, in chunks where the request is streamed."""
    context: CallContext = field(default_factory=CallContext)
    overrides: tuple[Override, ...] = ()
    """Declared by the application, outermost first."""
    date: date | None = None
    """The day (UTC) it is held on; None: today."""

    @property
    def call(self) -> ModelCall:
        """The call as nobody changed it; evidence points into it."""
        return ModelCall(self.request, build_response(self.answer), self.context)


def build_response(chunks: Iterable[str | ToolCall]) -> Response:
    """The answer that text and tool calls come to; without either, there is no message in it."""
    seen = list(chunks)
    text = "".join(chunk for chunk in seen if isinstance(chunk, str))
    calls = (chunk for chunk in seen if isinstance(chunk, ToolCall))
    parts: tuple[Part, ...] = (*((Text(text),) if text else ()), *calls)
    return Response(output=(Message("assistant", parts),) if parts else ())


@dataclass(frozen=True, slots=True)
class ExpectedFinding:
    """What is to become of one clause."""

    outcome: Outcome
    reason: str | None = None
    """None: any."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What is expected; whatever is not mentioned may be anything."""

    facts: Mapping[str, str | None] = field(default_factory=dict)
    """By name: ``verdict``, ``action``, ``would``, ``governing_clause``, ``reason``, ``handed_over``."""
    findings: Mapping[str, ExpectedFinding] = field(default_factory=dict)
    """By clause."""


@dataclass(frozen=True, slots=True)
class Case:
    """One test."""

    name: str
    line: int
    """Where it stands in its file."""
    conversation: Conversation
    expected: Expected


@dataclass(frozen=True, slots=True)
class Table:
    """One file of tests."""

    source: str
    policy: Policy
    """Under the mode that the file asks for."""
    cases: tuple[Case, ...]
