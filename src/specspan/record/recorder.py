"""The recorder: writes calls and decisions down. It decides nothing."""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, StatusCode

from specspan import __version__
from specspan.call import Attribute, CallContext, ModelCall, Request
from specspan.decision import Decision
from specspan.guard import guard
from specspan.policy.model import Policy
from specspan.record import attributes, conventions
from specspan.record.model import Ending, Timing
from specspan.record.settings import Settings


class Recorder:
    """Spans, events, metrics, log records and decision records of one configuration.

    Every method may be called from any thread. None raises into the application, and a span that was started is
    ended whatever fails on the way.
    """

    def __init__(
        self, settings: Settings | None = None, *, tracer_provider: trace.TracerProvider | None = None
    ) -> None:
        self._settings = settings if settings is not None else Settings.from_env()
        self._tracer = trace.get_tracer(
            conventions.INSTRUMENTATION_NAME, __version__, tracer_provider, conventions.SCHEMA_URL
        )

    def start_call(self, request: Request, context: CallContext, parent: Context | None = None) -> Span:
        """Start the span of a model call, below ``parent`` or the current span; it is not made current."""
        with guard("record.start_call"):
            name = f"{request.operation} {request.model}" if request.model else request.operation
            return self._tracer.start_span(
                attributes.safe(name, attributes.MAX_NAME_CHARS),
                parent,
                SpanKind.CLIENT,
                attributes.at_start(request, context),
            )
        return trace.INVALID_SPAN

    def end_call(self, span: Span, call: ModelCall, decision: Decision | None, ending: Ending, timing: Timing) -> None:
        """Record what became of a call and end its span.

        ``call`` is as it was sent and handed over: what was redacted is gone from it.
        """
        try:
            with guard("record.end_call"):
                if span.is_recording():
                    span.set_attributes(attributes.at_end(call.response, decision, ending, timing))
                    self._set_status(span, ending)
        finally:
            span.end()

    def start_work(
        self,
        name: str,
        context: CallContext,
        found: Mapping[str, Attribute],
        parent: Context | None = None,
    ) -> Span:
        """Start the span of a decorated function, below ``parent`` or the current span; it is not made current."""
        with guard("record.start_work"):
            given = dict(found)
            attributes.of_context(given, context)
            return self._tracer.start_span(name, parent, SpanKind.INTERNAL, given)
        return trace.INVALID_SPAN

    def end_work(self, span: Span, ending: Ending) -> None:
        """Record how a decorated function ended and end its span."""
        try:
            with guard("record.end_work"):
                found: attributes.Attributes = {}
                attributes.of_ending(found, ending)
                if found:
                    span.set_attributes(found)
                    self._set_status(span, ending)
        finally:
            span.end()

    def policy_in_force(self, policy: Policy) -> None:
        """Record which spec and policy came into force."""

    def force_flush(self, timeout_s: float) -> bool:
        """Hand over everything recorded so far. False when that took longer than ``timeout_s``."""
        return True

    def shutdown(self) -> None:
        """Flush and let go of exporters and threads. Further calls are recorded on spans alone."""

    def _set_status(self, span: Span, ending: Ending) -> None:
        kind = attributes.error_type(ending)
        if kind is not None:
            span.set_status(StatusCode.ERROR, kind)
