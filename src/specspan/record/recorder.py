"""The recorder: writes calls and decisions down. It decides nothing."""

from __future__ import annotations

import atexit
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry._logs import LoggerProvider
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import Span, SpanKind, StatusCode, Tracer

from specspan._support import drop_counts
from specspan._support.guard import contain, guard
from specspan.call import Attribute, CallContext, ModelCall, Request
from specspan.decision import Decision, Verdict
from specspan.policy.policy import Policy
from specspan.record import attributes, content, conventions
from specspan.record import attributes as findings
from specspan.record.batching import BatchWorker
from specspan.record.call_end import NOT_SHARED, CallRecord, Ending, EndKind, SharedWith, Timing
from specspan.record.decision_record import PolicyActivation, RecordBuilder, service_from_resource
from specspan.record.export import DecisionExporter, ExportWorker
from specspan.record.logs import LogRecords
from specspan.record.metrics import Metrics
from specspan.record.settings import Content, Settings
from specspan.version import __version__

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

_SHUTDOWN_S = 5.0


class Recorder:
    """Spans, events, metrics, log records and decision records of one configuration.

    Every method may be called from any thread. None raises into the application, and a span that was started is
    ended whatever fails on the way. Metrics, log records and decision records do not depend on whether the span was
    sampled; they are made on threads of their own.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        logger_provider: LoggerProvider | None = None,
        resource: Resource | None = None,
        decision_exporters: Sequence[DecisionExporter] = (),
        pending: Callable[[], int] | None = None,
    ) -> None:
        """Providers are the global ones unless given.

        Args:
            settings: by default, those of the environment.
            tracer_provider: where spans go.
            meter_provider: where metrics go; without one, none are made.
            logger_provider: where log records go; without one, none are made.
            resource: who is recording, for decision records; by default the tracer provider's.
            decision_exporters: where decision records go; they are shut down with the recorder.
            pending: how many findings of background checks are waited for, for the gauge ``specspan.pending``.
        """
        self._settings = settings if settings is not None else Settings.from_env()
        self._tracer = trace.get_tracer(
            conventions.INSTRUMENTATION_NAME, __version__, tracer_provider, conventions.SCHEMA_URL
        )
        self._metrics = Metrics(meter_provider, self._settings, pending)
        self._logs = LogRecords(logger_provider, self._settings)
        maker = _record_maker(self._settings, resource or getattr(tracer_provider, "resource", None))
        self._exports = tuple(ExportWorker(exporter, maker.record, self._settings) for exporter in decision_exporters)
        atexit.register(self.shutdown)

    def start_call(self, request: Request, context: CallContext, parent: Context | None = None) -> Span:
        """Start the span of a model call or a tool's run, below ``parent`` or the current span; it is not made
        current.
        """
        try:
            of = request.model if request.executes is None else request.executes.name
            return self._tracer.start_span(
                attributes.span_name(request.operation, of),
                parent,
                SpanKind.CLIENT if request.executes is None else SpanKind.INTERNAL,
                attributes.at_start(request, context),
            )
        except Exception as error:
            contain("record.start_call", error)
            return trace.INVALID_SPAN

    def can_write_on(self, span: Span) -> bool:
        """Whether a span, of whatever instrumentation, goes where ours go, and can still be written on."""
        ours = _processor_of(self._tracer)
        return ours is not None and ours is getattr(span, "_span_processor", None) and span.is_recording()

    def has_same_processor(self, tracer: Tracer) -> bool:
        """Whether the spans of a tracer, of whatever instrumentation, go where ours go."""
        ours = _processor_of(self._tracer)
        return ours is not None and ours is _processor_of(tracer)

    def join_call(self, span: Span, request: Request, context: CallContext) -> None:
        """Say on another instrumentation's span of a call what it does not say yet."""
        with guard("record.join_call"):
            known = getattr(span, "attributes", None) or {}
            found = attributes.at_start(request, context)
            span.set_attributes({name: value for name, value in found.items() if name not in known})

    def end_call(
        self,
        span: Span,
        call: ModelCall,
        decision: Decision | None,
        ending: Ending,
        timing: Timing,
        shared_with: SharedWith = NOT_SHARED,
    ) -> None:
        """Record what became of a call and end its span.

        ``call`` is as it was sent and handed over: what was redacted is gone from it. What another instrumentation sees
        to, by ``shared_with``, is left to it.
        """
        try:
            ended = CallRecord(
                span.get_span_context(), call, decision, ending.kind, attributes.error_type(ending), timing, shared_with
            )
            try:
                self._enqueue(ended)
            except Exception as error:
                contain("record.end_call.enqueue", error)
            if span.is_recording():
                self._write(span, ended)
                self._set_status(span, decision, ended.error_type, ending.error)
            elif shared_with.span and span.get_span_context().trace_flags.sampled:
                drop_counts.count("decision_on_span", "ended_by_another")
        except Exception as error:
            contain("record.end_call.span", error)
        finally:
            if not shared_with.span:
                span.end()

    def record_bridged_call(
        self, ended: CallRecord, tracer_provider: trace.TracerProvider | None, started_ns: int
    ) -> None:
        """Record the decision about a call whose own span, somebody else's, has ended.

        An ended span takes no attributes any more, so they are on a span right below it, in its trace and where its
        own spans go. Log and decision records, and exemplars, name the call's own span. ``started_ns``: when the
        deciding began, of Unix time.
        """
        with guard("record.record_bridged_call"):
            self._enqueue(ended)
        with guard("record.record_bridged_call.span"):
            tracer = trace.get_tracer(
                conventions.INSTRUMENTATION_NAME, __version__, tracer_provider, conventions.SCHEMA_URL
            )
            link = trace.Link(ended.span_context)
            span = tracer.start_span(
                conventions.DECISION_SPAN, ended.context, SpanKind.INTERNAL, links=(link,), start_time=started_ns
            )
            try:
                if span.is_recording() and ended.decision is not None:
                    self._write_bridged_call(span, ended, ended.decision)
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
            attributes.add_context(given, context)
            return self._tracer.start_span(name, parent, SpanKind.INTERNAL, given)
        return trace.INVALID_SPAN

    def end_work(self, span: Span, ending: Ending) -> None:
        """Record how a decorated function ended and end its span."""
        try:
            if ending.kind is not EndKind.COMPLETED:
                with guard("record.end_work"):
                    found: attributes.Attributes = {}
                    error_type = attributes.error_type(ending)
                    attributes.add_ending(found, ending.kind, error_type)
                    span.set_attributes(found)
                    self._set_status(span, None, error_type, ending.error)
        finally:
            span.end()

    def record_policy(self, policy: Policy) -> None:
        """Record which spec and policy came into force, and that none of its clauses has been violated yet."""
        with guard("record.record_policy"):
            if self._metrics.live:
                self._metrics.start_at_zero(policy)
            for export in self._exports:
                export.put(PolicyActivation(policy, time.time_ns()))

    def force_flush(self, timeout_s: float) -> bool:
        """Hand over everything recorded so far. False when that took longer than ``timeout_s``."""
        deadline_s = time.monotonic() + timeout_s
        written = [worker.flush() for worker in self._workers]
        return all(event.wait(max(0.0, deadline_s - time.monotonic())) for event in written)

    def shutdown(self) -> None:
        """Flush, let go of exporters and end the threads; what was not written in 5 s is counted as dropped.

        Later calls are recorded on spans alone.
        """
        atexit.unregister(self.shutdown)
        deadline_s = time.monotonic() + _SHUTDOWN_S
        for worker in self._workers:  # all of them first, so that one that hangs takes no time from the others
            worker.close()
        for worker in self._workers:
            with guard("record.shutdown"):
                worker.shutdown(max(0.0, deadline_s - time.monotonic()))

    @property
    def _workers(self) -> tuple[BatchWorker[Any], ...]:
        return (self._metrics.worker, self._logs.worker, *(export.worker for export in self._exports))

    def _enqueue(self, ended: CallRecord) -> None:
        if self._metrics.live:
            self._metrics.worker.put(ended)
        if self._logs.live:
            self._logs.worker.put(ended)
        if ended.decision is not None:
            for export in self._exports:
                export.put(ended)

    def _write(self, span: Span, ended: CallRecord) -> None:
        decision = ended.decision
        found = attributes.at_end(ended.call.response, decision, ended.kind, ended.error_type, ended.timing)
        if self._settings.content.on_spans:
            found = _content(ended.call) | found
        if decision is not None:
            self._add_events(span, decision, found)
        span.set_attributes(found)

    def _write_bridged_call(self, span: Span, ended: CallRecord, decision: Decision) -> None:
        found: attributes.Attributes = {
            conventions.CALL_SPAN_ID: trace.format_span_id(ended.span_context.span_id),
            **({} if ended.dialect is None else {conventions.CALL_DIALECT: ended.dialect}),
        }
        attributes.add_context(found, ended.call.context)
        found |= attributes.at_end(None, decision, ended.kind, None, ended.timing)
        self._add_events(span, decision, found)
        span.set_attributes(found)
        self._set_status(span, decision, None, None)

    def _add_events(self, span: Span, decision: Decision, found: attributes.Attributes) -> None:
        chosen = findings.findings_for_events(decision, self._settings.finding_events)
        for finding in chosen[: findings.MAX_EVENTS]:
            given = findings.finding_attributes(finding, explained=self._settings.content.on_spans)
            span.add_event(conventions.EVENT_FINDING, given | {conventions.DECISION_ID: decision.id})
        left_out = len(chosen) - findings.MAX_EVENTS
        if left_out > 0:
            found[conventions.EVENTS_DROPPED] = left_out
            drop_counts.count("finding_event", "span_limit", left_out)

    def _set_status(
        self, span: Span, decision: Decision | None, error_type: str | None, error: BaseException | None
    ) -> None:
        if error_type is not None:
            span.set_status(StatusCode.ERROR, self._description(error_type, error))
        elif self._settings.violations_are_errors and decision is not None and decision.verdict is Verdict.VIOLATED:
            span.set_attribute(conventions.ERROR_TYPE, conventions.ERROR_VIOLATED)
            span.set_status(StatusCode.ERROR, f"violated: {decision.governing_clause}")

    def _description(self, error_type: str, error: BaseException | None) -> str:
        """The name of the error alone: an exception's message may quote a prompt, so it is content."""
        if error is None or not self._settings.content.on_spans:
            return error_type
        try:
            return f"{error_type}: {attributes.safe_text(str(error))}"
        except Exception:  # somebody's `__str__`
            return error_type


def _processor_of(tracer: Any) -> Any | None:
    """Where the spans of a tracer go, whatever stands in for it, of the API or of somebody else's make."""
    while not hasattr(tracer, "span_processor"):
        within = getattr(tracer, "_tracer", None) or getattr(tracer, "tracer", None)
        if within is None or within is tracer:
            return None
        tracer = within
    return tracer.span_processor


def _record_maker(settings: Settings, resource: Resource | None) -> RecordBuilder:
    service = service_from_resource(resource.attributes if resource is not None else {})
    explained = settings.content is not Content.NO_CONTENT
    if settings.digest_key is None:
        return RecordBuilder(service, explained)
    return RecordBuilder(service, explained, settings.digest_key)


def _content(call: ModelCall) -> attributes.Attributes:
    captured = content.capture_content(call)
    found: attributes.Attributes = dict(captured.texts)
    if captured.truncated:
        found[conventions.CONTENT_TRUNCATED] = True
    return found
