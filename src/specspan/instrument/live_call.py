"""One model call, from before it is made until its answer is handed over.

Start the span; input stage; the call, with the span current; output stage; end the span, once. What waits is written
as steps (`specspan.engine.waiting`), so that sync and async callers share all of it.

A failure of specspan's own is counted, and the call is made once whatever fails. Where a clause could still act, the
failure is ruled on as its ``on_error`` says: see `LiveCall.rule_failure`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry.trace import Span

from specspan._support.guard import contain
from specspan.call import ModelCall, Request
from specspan.decision import Stage
from specspan.engine.engine import Engine
from specspan.engine.evaluation import AFTER_CALL, BEFORE_CALL, Evaluation
from specspan.engine.rewriting import PROCEED, Ruling
from specspan.engine.waiting import Steps
from specspan.errors import Blocked
from specspan.instrument.adapter import Adapter, Invocation
from specspan.instrument.coexistence import ActiveCall, claim_enclosing_span, context_during
from specspan.instrument.context import current_context, current_overrides
from specspan.instrument.generators import COMPLETED, ending_of
from specspan.instrument.pipeline import Pipeline
from specspan.instrument.work_span import once_flag
from specspan.record.call_end import Ending, EndKind, Timing


class LiveCall:
    """A model call under way."""

    __slots__ = (
        "_active_call",
        "_failure",
        "_first",
        "_recorder",
        "adapter",
        "asks",
        "call",
        "ended",
        "evaluation",
        "first_chunk_s",
        "span",
        "started_s",
    )

    def __init__(self, adapter: Adapter, pipeline: Pipeline, invocation: Invocation) -> None:
        self._first = once_flag()
        self._recorder = pipeline.recorder
        self._failure = PROCEED  # what is to be done about a failure before the input stage
        self.adapter = adapter
        self.evaluation: Evaluation | None = None
        self.first_chunk_s: float | None = None
        self.ended = False
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
            self._open(pipeline.engine, is_read=request is not None)
        self.started_s = time.perf_counter()
        self.span, joined = self._begun()
        self._active_call = ActiveCall(
            adapter.package, self.span, joined=joined, executes=self.call.request.executes, gateway=adapter.gateway
        )

    def _open(self, engine: Engine, *, is_read: bool) -> None:
        """Open the evaluation. Where that fails, or the request could not be read, clauses fail as they say."""
        try:
            self.evaluation = engine.open(current_overrides(), self.call)
            self.asks = is_read and self.evaluation.reads_input
            if not is_read:
                self._failure = self.evaluation.fail(BEFORE_CALL)
        except Exception as error:
            contain("instrument.open", error)
            self.evaluation = engine.open_plain(self.call)
            self._failure = self.evaluation.fail_whole()
        self.asks = self.asks or self._failure.action.stops

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
        if self._failure.action.stops:
            raise self.block()
        if not self.asks or self.evaluation is None:
            return invocation
        try:
            ruling = yield from self.evaluation.input(self.call)
        except Exception as error:
            self.rule_failure("instrument.input", error, BEFORE_CALL)
            return invocation
        if ruling.action.stops:
            raise self.block()
        if not ruling.edits:
            return invocation
        try:
            edited = self.adapter.edit_request(invocation, ruling.edits)
            self.call = replace(self.call, request=self.adapter.request(edited))
        except Exception as error:
            self.rule_failure("instrument.edit_request", error, BEFORE_CALL, self.evaluation.fail_rewrite)
            return invocation
        return edited

    def buffer_response(self, result: Any) -> Any:
        """Return an answer that the application can still read after what can be read only once was read of it.

        Raises:
            Blocked: it cannot be read, and a clause fails closed.
        """
        if self.adapter.keep is None:
            return result
        try:
            return self.adapter.keep(result)
        except Exception as error:
            self.rule_failure("instrument.keep", error, AFTER_CALL)
            return result

    def output(self, result: Any) -> Steps[Any]:
        """Have an answer decided, and end the call. Returns what to hand over.

        Raises:
            Blocked: the policy hands nothing over.
        """
        result = yield from self.decide_response(result)
        self.end(COMPLETED)
        return result

    def decide_response(self, result: Any) -> Steps[Any]:
        """Have an answer decided. Returns what to hand over.

        Raises:
            Blocked: the policy hands nothing over.
        """
        try:
            self.set_response(result)
            if self.evaluation is None or not self._is_answered:
                return result
            ruling = yield from self.evaluation.output(self.call)
        except Exception as error:
            self.rule_failure("instrument.output", error, AFTER_CALL)
            return result
        if ruling.action.stops:
            raise self.block()
        if not ruling.edits:
            return result
        try:
            edited = self.adapter.edit_response(result, ruling.edits)
            self.set_response(edited)
        except Exception as error:
            self.rule_failure("instrument.edit_response", error, AFTER_CALL, self.evaluation.fail_rewrite)
            return result
        return edited

    @property
    def _is_answered(self) -> bool:
        response = self.call.response
        return response is not None and not response.in_progress

    def set_response(self, result: Any) -> None:
        """Take in an answer, or what a stream came to so far."""
        self.call = ModelCall(self.call.request, self.adapter.response(result), self.call.context)

    def attach(self) -> Any:
        """Make the span current; give what is returned to `specspan.instrument.context.restore`."""
        return otel_context.attach(context_during(self._active_call))

    def rule_failure(
        self,
        place: str,
        error: Exception,
        stages: Sequence[Stage],
        fail: Callable[[Sequence[Stage]], Ruling] | None = None,
    ) -> None:
        """Contain a failure of specspan's own at a point where the checks of some stages could still act.

        ``fail`` is how the evaluation takes it: by default as `Evaluation.fail`.

        Raises:
            Blocked: a clause that could have acted fails closed.
        """
        contain(place, error)
        if self.evaluation is None:
            return
        try:
            ruling = (fail or self.evaluation.fail)(stages)
        except Exception as failure:
            contain("instrument.fail", failure)
            return
        if ruling.action.stops:
            raise self.block()

    def block(self) -> Blocked:
        """End the call as one that the policy stopped. Returns what to raise."""
        if self.evaluation is None:
            raise RuntimeError("a call without an evaluation cannot be stopped by the policy")
        error = Blocked(self.evaluation.decide())
        self.end(Ending(EndKind.BLOCKED, error))
        return error

    def fail(self, error: BaseException) -> None:
        """End the call as one that ``error`` left."""
        self.end(ending_of(error))

    def end(self, ending: Ending) -> None:
        """Decide, record and end the span; only the first ending counts."""
        if not self._first():
            return
        self.ended = True
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
