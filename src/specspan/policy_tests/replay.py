"""Replay of a written conversation: every step of a real call but the model.

The adapter translates `specspan.call` into itself, so that instrumentation, engine and recorder do all they do for an
application: what a policy lets through here is what it lets through there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date, datetime, timezone
from typing import Any, TypeAlias

from opentelemetry import _logs, metrics, trace
from opentelemetry.trace import Span

from specspan.call import Message, ModelCall, Part, Request, Response, Text, ToolCall, ToolCallResponse
from specspan.decision import Decision
from specspan.engine.engine import Engine
from specspan.errors import Blocked
from specspan.instrument.adapter import Adapter, Edits, Invocation, Streaming
from specspan.instrument.context import OverrideBlock, context
from specspan.instrument.gate import Pipeline
from specspan.instrument.wrapper import run_call
from specspan.policy.policy import Policy
from specspan.policy_tests.case import Conversation, build_response
from specspan.record.call_end import NOT_SHARED, Ending, SharedWith, Timing
from specspan.record.recorder import Recorder

_Chunk: TypeAlias = "str | ToolCall"


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """Result of one conversation."""

    decision: Decision
    handed_over: str | None
    """Text that reached the application; None where none did."""


class Replay:
    """Replay of conversations under one policy."""

    def __init__(self, policy: Policy) -> None:
        self._date: date | None = None
        self._recorder = _DecisionRecorder()
        self._pipeline = Pipeline(self._recorder, Engine(policy.without_sampling(), now_ns=self._now_ns))

    def run(self, conversation: Conversation) -> ReplayResult:
        """Replay one conversation on its date.

        Raises:
            RuntimeError: an internal error, after which there is no decision.
        """
        self._date = conversation.date
        with ExitStack() as stack:
            stack.enter_context(_build_context(conversation))
            for each in conversation.overrides:
                stack.enter_context(OverrideBlock(each))
            handed_over = _run_call(self._pipeline, conversation)
        return ReplayResult(self._recorder.take_decision(), handed_over)

    def close(self) -> None:
        """Shut the recorder down."""
        self._recorder.shutdown()

    def _now_ns(self) -> int:
        if self._date is None:
            return time.time_ns()
        day = datetime(self._date.year, self._date.month, self._date.day, 12, tzinfo=timezone.utc)
        return int(day.timestamp()) * 10**9


class _DecisionRecorder(Recorder):
    """Recorder that exports nothing and keeps the last decision."""

    def __init__(self) -> None:
        super().__init__(
            tracer_provider=trace.NoOpTracerProvider(),
            meter_provider=metrics.NoOpMeterProvider(),
            logger_provider=_logs.NoOpLoggerProvider(),
        )
        self._decision: Decision | None = None

    def take_decision(self) -> Decision:
        """Return the last decision, once."""
        decision, self._decision = self._decision, None
        if decision is None:
            raise RuntimeError("nothing was decided; the log says why")
        return decision

    def end_call(
        self,
        span: Span,
        call: ModelCall,
        decision: Decision | None,
        ending: Ending,
        timing: Timing,
        shared_with: SharedWith = NOT_SHARED,
    ) -> None:
        self._decision = decision
        super().end_call(span, call, decision, ending, timing, shared_with)


def _build_context(conversation: Conversation) -> context:
    declared = conversation.context
    return context(conversation=declared.conversation, user=declared.user, scope=declared.scope, **declared.attributes)


def _run_call(pipeline: Pipeline, conversation: Conversation) -> str | None:
    """Return the text that the application receives, None where it is blocked before any."""
    received: list[str] = []
    try:
        answer = run_call(_ADAPTER, pipeline, _model(conversation), Invocation(None, (conversation.request,), {}))
        if isinstance(answer, Response):
            received.append(ModelCall(conversation.request, answer).output_text)
        else:
            received.extend(chunk for chunk in answer if isinstance(chunk, str))
    except Blocked:
        return "".join(received) or None
    return "".join(received)


def _model(conversation: Conversation) -> Callable[[Request], Response | Iterator[_Chunk]]:
    """Return a model that answers as the conversation is written."""

    def answer(request: Request) -> Response | Iterator[_Chunk]:
        return (chunk for chunk in conversation.answer) if request.streaming else build_response(conversation.answer)

    return answer


class _Accumulator:
    """Accumulator that builds a response from its chunks."""

    finished = False  # the stream simply ends

    def __init__(self) -> None:
        self._chunks: list[_Chunk] = []

    def add(self, chunk: Any) -> None:
        self._chunks.append(chunk)

    def result(self) -> Response:
        return build_response(self._chunks)


def _edit_request(invocation: Invocation, edits: Edits) -> Invocation:
    request: Request = invocation.args[0]
    return replace(invocation, args=(replace(request, input=_edit_messages("input", request.input, edits)),))


def _edit_response(response: Response, edits: Edits) -> Response:
    return replace(response, output=_edit_messages("output", response.output, edits))


def _edit_messages(side: str, messages: Iterable[Message], edits: Mapping[str, str]) -> tuple[Message, ...]:
    return tuple(
        replace(
            message,
            parts=tuple(_with_text(part, edits.get(f"/{side}/{i}/parts/{j}")) for j, part in enumerate(message.parts)),
        )
        for i, message in enumerate(messages)
    )


def _with_text(part: Part, text: str | None) -> Part:
    if text is None:
        return part
    return replace(part, response=text) if isinstance(part, ToolCallResponse) else Text(text)


def _deltas(chunk: Any) -> tuple[tuple[int, str], ...]:
    return ((0, chunk),) if isinstance(chunk, str) else ()


_ADAPTER = Adapter(
    provider="test",
    request=lambda invocation: invocation.args[0],
    response=lambda answer: answer,
    edit_request=_edit_request,
    edit_response=_edit_response,
    streaming=Streaming(
        accumulator=lambda _: _Accumulator(),
        deltas=_deltas,
        cut=lambda _chunk, _choice, text: text,
        find_stream=lambda answer: None if isinstance(answer, Response) else answer,
    ),
)
