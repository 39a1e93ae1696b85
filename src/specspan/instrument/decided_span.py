"""Span of a model call or a tool's run, with the decision about it.

A failure of specspan's own is counted, and never keeps the work from being done. Where a clause could still act, the
failure is ruled on as the clause's ``on_error`` says: see `DecidedSpan.rule_failure`.
"""

from __future__ import annotations

import contextvars
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.trace import Span, set_span_in_context

from specspan._support.guard import contain
from specspan.call import ModelCall, Request, Response
from specspan.decision import Stage
from specspan.engine.engine import Engine
from specspan.engine.evaluation import AFTER_CALL, BEFORE_CALL, Evaluation
from specspan.engine.rewriting import PROCEED, Ruling
from specspan.engine.waiting import Steps
from specspan.errors import Blocked
from specspan.instrument.coexistence import ActiveCall, claim_enclosing_span, context_during
from specspan.instrument.context import current_context, current_overrides, restore
from specspan.instrument.gate import Pipeline
from specspan.instrument.generators import ending_of
from specspan.record.call_end import Ending, EndKind, Timing


def _context_with(span: Span) -> contextvars.Context:
    """Return the caller's context variables, with ``span`` current: a guardrail that traces itself does so below it."""
    context = contextvars.copy_context()
    context.run(otel_context.attach, set_span_in_context(span))
    return context


class DecidedSpan:
    """Span with a decision: started here and now, ended exactly once."""

    __slots__ = (
        "_active_call",
        "_context",
        "_ends",
        "_failure",
        "_is_recorded",
        "_judged",
        "_outer_context",
        "_recorder",
        "_shadow",
        "asks",
        "call",
        "ended",
        "evaluation",
        "first_chunk_s",
        "held_s",
        "span",
        "started_s",
    )

    def __init__(
        self,
        pipeline: Pipeline,
        request: Request,
        *,
        is_read: bool = True,
        package: str | None = None,
        gateway: bool = False,
    ) -> None:
        """Start the span, or join the one that other instrumentation has made for the call.

        Args:
            pipeline: what records and decides the call.
            request: what is asked for.
            is_read: False where the request could not be read, and only names the operation.
            package: the package of the client that makes the call; None for a tool's run.
            gateway: True where calls of other clients are part of this call.
        """
        self._ends = iter((True,))  # stepping an iterator is atomic
        self._is_recorded = False
        self._recorder = pipeline.recorder
        self._failure = PROCEED  # the ruling on a failure before the input stage
        self._judged: ModelCall | None = None  # as its checks read it, before any edit of the answer
        self._shadow = None if pipeline.engine is None else pipeline.engine.shadow
        self.evaluation: Evaluation | None = None
        self.first_chunk_s: float | None = None
        self.held_s: float | None = None
        """Longest time in seconds for which a policy held back a chunk of a stream; None where none holds back."""
        self.ended = False
        self.call = ModelCall(request, None, current_context())
        """The call as far as it is known; as it was sent and handed over."""
        self.asks = False
        """True where the input stage is to be run before the call is made."""
        self._context: Context | None = None
        self._outer_context: Context | None = None
        if pipeline.engine is not None:
            self._open(pipeline.engine, is_read=is_read)
        self.started_s = time.perf_counter()
        self.span, joined = self._start_or_join()
        self._active_call = ActiveCall(package, self.span, joined=joined, executes=request.executes, gateway=gateway)
        self._share_span()

    def _open(self, engine: Engine, *, is_read: bool) -> None:
        """Open the evaluation. Where that fails, or the request could not be read, clauses fail as they say."""
        try:
            evaluation = self.evaluation = engine.open(current_overrides(), self.call)
            if is_read:
                self.asks = evaluation.reads_input
                return
            self._failure = evaluation.fail(BEFORE_CALL)
        except Exception as error:
            contain("instrument.open", error)
            self.evaluation = engine.open_plain(self.call)
            self._failure = self.evaluation.fail_whole()
        self.asks = self._failure.action.stops

    def _share_span(self) -> None:
        """Have checks on other threads run below the span. No cycle: the function holds the span alone."""
        if self.evaluation is not None:
            self.evaluation.context_of_checks = partial(_context_with, self.span)

    def _start_or_join(self) -> tuple[Span, bool]:
        """Return the span of the call, and whether other instrumentation made it."""
        request, context = self.call.request, self.call.context
        try:
            enclosing = claim_enclosing_span(self._recorder, request.executes)
            if enclosing is not None:
                self._recorder.join_call(enclosing, request, context)
                return enclosing, True
        except Exception as error:
            contain("instrument.join", error)
        return self._recorder.start_call(request, context), False

    @property
    def joined(self) -> bool:
        """Return whether other instrumentation made the span, and ends it."""
        return self._active_call.joined

    def attach(self) -> Any:
        """Make the span current. Returns the token for `specspan.instrument.context.restore`."""
        self._outer_context = otel_context.get_current()
        self._context = context_during(self._active_call)
        return otel_context.attach(self._context)

    def during(self, step: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``step`` as a function that runs as part of the work: what it calls belongs to this call."""

        def step_during(*args: Any) -> Any:
            token = self.attach()
            try:
                return step(*args)
            finally:
                restore(token)

        return step_during

    def during_async(self, step: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """Return a ``step`` that is awaited, as `during` does."""

        async def step_during(*args: Any) -> Any:
            token = self.attach()
            try:
                return await step(*args)
            finally:
                restore(token)

        return step_during

    def decide_output(self, read: Callable[[], Response | None]) -> Steps[Ruling]:
        """Have the response that ``read`` returns decided.

        Raises:
            Blocked: the policy hands nothing over.
        """
        if self._failure.action.stops:
            raise self.block()
        try:
            response = read()
            self.call = ModelCall(self.call.request, response, self.call.context)
            if self.evaluation is None or response is None or response.in_progress:
                return PROCEED
            self._judged = self.call
            ruling = yield from self.evaluation.output(self.call)
        except Exception as error:
            self.rule_failure("instrument.output", error, AFTER_CALL)
            return PROCEED
        if ruling.action.stops:
            raise self.block()
        return ruling

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
        """End the span of a call that the policy stopped. Returns the error to raise."""
        if self.evaluation is None:
            raise RuntimeError("a call without an evaluation cannot be stopped by the policy")
        error = Blocked(self.evaluation.decide())
        self.end(Ending(EndKind.BLOCKED, error))
        return error

    def fail(self, error: BaseException) -> None:
        """End the span of a call that raised ``error``."""
        self.end(ending_of(error))

    def end(self, ending: Ending) -> None:
        """Decide, record and end the span; only the first ending counts."""
        if ending.error is not None:
            self._leave_context()
        if not next(self._ends, False):
            return
        self.ended = True
        duration_s = time.perf_counter() - self.started_s
        try:
            self._record(ending, duration_s)
        except BaseException as error:
            if not self._is_recorded:
                self._record(Ending.from_error(error), duration_s)
            raise

    def _leave_context(self) -> None:
        """Make the context current that was so before the span's, where an interruption came in between."""
        if self._outer_context is not None and otel_context.get_current() is self._context:
            otel_context.attach(self._outer_context)

    def _record(self, ending: Ending, duration_s: float) -> None:
        decision = None
        overhead_ns: Mapping[str, int] = {}
        if self.evaluation is not None:
            try:
                if ending.kind is EndKind.INTERRUPTED:
                    self.evaluation.interrupt()
                decision = self.evaluation.decide()
                overhead_ns = self.evaluation.overhead_ns
            except Exception as error:
                contain("instrument.decide", error)
        timing = Timing(duration_s, self.first_chunk_s, overhead_ns, self.held_s)
        try:
            sharing = self._active_call.sharing(ending.kind, streaming=self.call.request.streaming)
            self._is_recorded = True  # from here on the recorder sees to it
            self._recorder.end_call(self.span, self.call, decision, ending, timing, sharing)
            if self.evaluation is not None and self.evaluation.has_late_findings:
                from specspan.judges.late_results import attach_late_results  # not where no policy has a judge

                attach_late_results(self.evaluation, self._recorder, self.span.get_span_context(), self.call)
            if self._shadow is not None and self.evaluation is not None and decision is not None:
                is_whole = ending.kind in (EndKind.COMPLETED, EndKind.BLOCKED) or not self.call.request.streaming
                judged = self._judged or self.call
                self._shadow.take(judged, decision, is_cut_short=not is_whole and self.call.response is not None)
        except Exception as error:
            contain("instrument.end_call", error)
