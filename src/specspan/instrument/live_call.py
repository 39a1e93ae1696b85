"""One model call, from before it is made until its answer is handed over.

Start the span; input stage; the call, with the span current; output stage; end the span, once. What waits is written
as steps (`specspan.engine.waiting`), so that sync and async callers share all of it. A failure of our own is counted
and changes nothing for the application: the call is made once, and its answer is returned.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry.trace import Span

from specspan._support.guard import contain
from specspan.call import ModelCall, Request
from specspan.engine.evaluation import Evaluation
from specspan.engine.waiting import Steps
from specspan.errors import Blocked
from specspan.instrument.adapter import Adapter, Invocation
from specspan.instrument.coexistence import ActiveCall, active_call_in, claim_enclosing_span, context_during
from specspan.instrument.context import current_context, current_overrides
from specspan.instrument.pipeline import Pipeline
from specspan.instrument.work_span import COMPLETED, ending_of, once_flag
from specspan.record.call_end import Ending, EndKind, Timing

_SUPPRESSED = (otel_context._SUPPRESS_INSTRUMENTATION_KEY, "suppress_instrumentation")


def should_skip(package: str | None) -> bool:
    """Whether a call is to be left alone: instrumentation is suppressed, or it is part of a call already met."""
    current = otel_context.get_current()
    if not current:
        return False
    loan = active_call_in(current)
    part = loan is not None and package is not None and (loan.gateway or loan.package == package)
    return part or any(current.get(key) for key in _SUPPRESSED)


class LiveCall:
    """A model call under way."""

    __slots__ = (
        "_active_call",
        "_first",
        "_recorder",
        "adapter",
        "asks",
        "call",
        "evaluation",
        "first_chunk_s",
        "over",
        "span",
        "started_s",
    )

    def __init__(self, adapter: Adapter, pipeline: Pipeline, invocation: Invocation) -> None:
        self._first = once_flag()
        self._recorder = pipeline.recorder
        self.adapter = adapter
        self.evaluation: Evaluation | None = None
        self.first_chunk_s: float | None = None
        self.over = False
        request = None
        try:
            request = adapter.request(invocation)
        except Exception as error:
            contain("instrument.request", error)
        self.call = ModelCall(request or Request(adapter.provider, adapter.operation), None, current_context())
        """As far as it is known; as it was sent and handed over."""
        self.asks = False
        """Whether `input` is to be run before the call is made."""
        if pipeline.engine is not None:
            try:
                self.evaluation = pipeline.engine.open(current_overrides(), self.call)
                self.asks = request is not None and self.evaluation.reads_input
            except Exception as error:
                contain("instrument.open", error)
        self.started_s = time.perf_counter()
        self.span, joined = self._begun()
        self._active_call = ActiveCall(
            adapter.package, self.span, joined=joined, executes=self.call.request.executes, gateway=adapter.gateway
        )

    def _begun(self) -> tuple[Span, bool]:
        """The call's span, and whether it is somebody else's."""
        request, context = self.call.request, self.call.context
        try:
            theirs = claim_enclosing_span(self._recorder, request.executes)
            if theirs is not None:
                self._recorder.join_call(theirs, request, context)
                return theirs, True
        except Exception as error:
            contain("instrument.join", error)
        return self._recorder.start_call(request, context), False

    @property
    def joined(self) -> bool:
        """Whether its span is somebody else's, who ends it."""
        return self._active_call.joined

    def input(self, invocation: Invocation) -> Steps[Invocation]:
        """Have what is to be sent decided. Returns what to send.

        Raises:
            Blocked: the policy sends nothing.
        """
        if self.asks and self.evaluation is not None:
            try:
                ruling = yield from self.evaluation.input(self.call)
                if ruling.action.stops:
                    raise self.block(self.evaluation)
                if ruling.edits:
                    invocation = self.adapter.edit_request(invocation, ruling.edits)
                    self.call = replace(self.call, request=self.adapter.request(invocation))
            except Blocked:
                raise
            except Exception as error:
                contain("instrument.input", error)
        return invocation

    def kept(self, result: Any) -> Any:
        """An answer as it came, with what can be read of it only once still to be read."""
        if self.adapter.keep is None:
            return result
        try:
            return self.adapter.keep(result)
        except Exception as error:
            contain("instrument.keep", error)
            return result

    def output(self, result: Any) -> Steps[Any]:
        """Have an answer decided, and end the call. Returns what to hand over.

        Raises:
            Blocked: the policy hands nothing over.
        """
        try:
            self.answered(result)
            if self.evaluation is not None and self._answer_came:
                ruling = yield from self.evaluation.output(self.call)
                if ruling.action.stops:
                    raise self.block(self.evaluation)
                if ruling.edits:
                    result = self.adapter.edit_response(result, ruling.edits)
                    self.answered(result)
        except Blocked:
            raise
        except Exception as error:
            contain("instrument.output", error)
        self.end(COMPLETED)
        return result

    @property
    def _answer_came(self) -> bool:
        response = self.call.response
        return response is not None and not response.in_progress

    def answered(self, result: Any) -> None:
        """Take in an answer, or what a stream came to so far."""
        self.call = ModelCall(self.call.request, self.adapter.response(result), self.call.context)

    def attach(self) -> Any:
        """Make the span current; give what is returned to `specspan.instrument.context.restore`."""
        return otel_context.attach(context_during(self._active_call))

    def block(self, evaluation: Evaluation) -> Blocked:
        """End the call as one that the policy stopped. Returns what to raise."""
        error = Blocked(evaluation.decide())
        self.end(Ending(EndKind.BLOCKED, error))
        return error

    def left_by(self, error: BaseException) -> None:
        """End the call as one that ``error`` left."""
        self.end(ending_of(error))

    def end(self, ending: Ending) -> None:
        """Decide, record and end the span; only the first ending counts."""
        if not self._first():
            return
        self.over = True
        duration_s = time.perf_counter() - self.started_s
        decision = None
        overhead_ns: Mapping[str, int] = {}
        if self.evaluation is not None:
            try:
                decision = self.evaluation.decide()
                overhead_ns = self.evaluation.overhead_ns
            except Exception as error:
                contain("instrument.decide", error)
        timing = Timing(duration_s, self.first_chunk_s, overhead_ns)
        try:
            sharing = self._active_call.sharing(ending.kind, streaming=self.call.request.streaming)
            self._recorder.end_call(self.span, self.call, decision, ending, timing, sharing)
        except Exception as error:
            contain("instrument.end_call", error)
