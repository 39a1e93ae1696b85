"""Test of a policy: a conversation, and the expected decision on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from specspan.call import CallContext, Message, ModelCall, Part, Request, Response, Text, ToolCall
from specspan.decision import Outcome, Override
from specspan.policy.policy import Policy


@dataclass(frozen=True, slots=True)
class Conversation:
    """Model call as a test writes it: the request, the model's answer, and the application's context."""

    request: Request
    answer: tuple[str | ToolCall, ...] = ()
    """Text and tool calls of the model, in chunks where the request is streamed."""
    context: CallContext = field(default_factory=CallContext)
    overrides: tuple[Override, ...] = ()
    """Overrides that the application declares, outermost first."""
    date: date | None = None
    """Day (UTC) of the call; None for today."""

    @property
    def call(self) -> ModelCall:
        """Return the call before any edit; evidence points into it."""
        return ModelCall(self.request, build_response(self.answer), self.context)


def build_response(chunks: Iterable[str | ToolCall]) -> Response:
    """Return the response that text and tool calls make; without either, it has no message."""
    seen = list(chunks)
    text = "".join(chunk for chunk in seen if isinstance(chunk, str))
    calls = (chunk for chunk in seen if isinstance(chunk, ToolCall))
    parts: tuple[Part, ...] = (*((Text(text),) if text else ()), *calls)
    return Response(output=(Message("assistant", parts),) if parts else ())


@dataclass(frozen=True, slots=True)
class ExpectedFinding:
    """Expected outcome of one clause."""

    outcome: Outcome
    reason: str | None = None
    """Expected reason; None for any."""


@dataclass(frozen=True, slots=True)
class Expected:
    """Expected decision; whatever it does not mention may be anything."""

    facts: Mapping[str, str | None] = field(default_factory=dict)
    """Values by name: ``verdict``, ``action``, ``would``, ``governing_clause``, ``reason``, ``handed_over``."""
    findings: Mapping[str, ExpectedFinding] = field(default_factory=dict)
    """Expected findings by clause."""


@dataclass(frozen=True, slots=True)
class Case:
    """Test of one conversation."""

    name: str
    line: int
    """Line of the test in its file."""
    conversation: Conversation
    expected: Expected


@dataclass(frozen=True, slots=True)
class Table:
    """Cases of one file, and their policy."""

    source: str
    policy: Policy
    """Policy under the mode that the file asks for."""
    cases: tuple[Case, ...]
