"""Recorder of calls and decisions: spans, events, metrics, log records and decision records. It decides nothing."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry._logs import LoggerProvider
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import Span, SpanContext, SpanKind, StatusCode, Tracer

from specspan._support import drop_counts, otel_private, process
from specspan._support.guard import contain, guard
from specspan._support.interruption import raise_interruption
from specspan.call import Attribute, CallContext, ModelCall, Request
from specspan.decision import Decision, Verdict
from specspan.policy.policy import Policy
from specspan.record import attributes, content, conventions
from specspan.record.batching import BatchWorker
from specspan.record.call_end import NOT_SHARED, CallRecord, Ending, EndKind, SharedWith, Timing
from specspan.record.call_record import make_call_record
from specspan.record.decision_record import PolicyActivation, Recorded, kind_of, record_builder
from specspan.record.export import DecisionExporter, DecisionLog, ExportWorker
from specspan.record.kept_content import KeptContent
from specspan.record.late_finding import JudgeRequest, LateFinding
from specspan.record.late_spans import write_late_span, write_request_span
from specspan.record.ledger_metrics import LedgerMetrics
from specspan.record.logs import LogRecords
from specspan.record.metrics import Metrics
from specspan.record.notice import Notice
from specspan.record.policy_announcer import PolicyAnnouncer
from specspan.record.settings import FindingEvents, Settings
from specspan.version import __version__

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

    from specspan.ledger.ledger_entry import Place

_SHUTDOWN_S = 5.0


class Recorder:
    """Writer of spans, events, metrics, log records and decision records of one configuration.

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
        ledger: DecisionLog | None = None,
    ) -> None:
        """Record to the providers given, and to the global ones in place of those not given.

        Args:
            settings: by default, those in the environment.
            tracer_provider: where spans go.
            meter_provider: where metrics go; without one, none are made.
            logger_provider: where log records go; without one, none are made.
            resource: names the service in decision records; by default the tracer provider's.
            decision_exporters: where decision records go; they are shut down with the recorder.
            ledger: log that has each decision before it goes anywhere else; it is shut down with the recorder.
        """
        self._settings = settings if settings is not None else Settings.from_env()
        self._is_content_on_spans = self._settings.content.on_spans
        self._tracer = trace.get_tracer(
            conventions.INSTRUMENTATION_NAME, __version__, tracer_provider, conventions.SCHEMA_URL
        )
        self._metrics = Metrics(meter_provider, self._settings)
        self._logs = LogRecords(logger_provider, self._settings)
        self._builder = record_builder(self._settings, resource or getattr(tracer_provider, "resource", None))
        self._ledger = ledger
        self._ledger_metrics = None if ledger is None else LedgerMetrics(meter_provider, ledger)
        self._kept = KeptContent(ledger, self._settings) if ledger is not None and ledger.keeps_content else None
        self._exports = tuple(map(self._export_worker, decision_exporters))
        self._forget_exit = process.at_exit(self.shutdown)

    def start_call(self, request: Request, context: CallContext, parent: Context | None = None) -> Span:
        """Start the span of a model call or a tool's run, below ``parent`` or the current span; it is not made
        current.
        """
        try:
            target = request.model if request.executes is None else request.executes.name
            return self._tracer.start_span(
                attributes.span_name(request.operation, target),
                parent,
                SpanKind.CLIENT if request.executes is None else SpanKind.INTERNAL,
                attributes.at_start(request, context),
            )
        except Exception as error:
            contain("record.start_call", error)
            return trace.INVALID_SPAN

    def without_spans(self) -> Recorder:
        """Return a recorder that makes no spans, and hands everything else over as this one does."""
        spanless = copy.copy(self)
        spanless._tracer = trace.NoOpTracer()
        return spanless

    def can_write_on(self, span: Span) -> bool:
        """Return whether a span of any instrumentation goes to our span processor and can still be written on."""
        ours = otel_private.processor_of_tracer(self._tracer)
        return ours is not None and ours is otel_private.processor_of_span(span) and span.is_recording()

    def has_same_processor(self, tracer: Tracer) -> bool:
        """Return whether the spans of a tracer of any instrumentation go to our span processor."""
        ours = otel_private.processor_of_tracer(self._tracer)
        return ours is not None and ours is otel_private.processor_of_tracer(tracer)

    def join_call(self, span: Span, request: Request, context: CallContext) -> None:
        """Set the attributes of a call that another instrumentation's span of it does not have yet."""
        with guard("record.join_call"):
            known = getattr(span, "attributes", None) or {}
            start_attributes = attributes.at_start(request, context)
            span.set_attributes({name: value for name, value in start_attributes.items() if name not in known})

    def end_call(
        self,
        span: Span,
        call: ModelCall,
        decision: Decision | None,
        ending: Ending,
        timing: Timing,
        shared_with: SharedWith = NOT_SHARED,
    ) -> None:
        """Record the outcome of a call and end its span.

        ``call`` is the call as it was sent and handed over, without redacted content. ``shared_with`` names the parts
        that another instrumentation records. Where the application interrupts the recording, the call is recorded as
        interrupted, and the interruption raised.
        """
        is_queued, place = False, None
        try:
            record = make_call_record(span, call, decision, ending, timing, shared_with)
            place = self._queue(record)
            is_queued = True
            self._end_span(span, record, ending, place)
        except BaseException as error:
            ending = Ending.from_error(error)
            record = make_call_record(span, call, decision, ending, timing, shared_with)
            if not is_queued:
                place = self._queue(record)
            if not (shared_with.span or span.is_recording()) and record.span_context.trace_flags.sampled:
                drop_counts.count("span", "interrupted")  # perhaps between its end and its processor
            try:
                self._end_span(span, record, ending, place)
            finally:
                if not shared_with.span and span.is_recording():
                    span.end()
            raise

    def _queue(self, record: CallRecord) -> Place | None:
        try:
            return self._enqueue(record)
        except Exception as error:
            contain("record.end_call.enqueue", error)
            return None

    def _end_span(self, span: Span, record: CallRecord, ending: Ending, place: Place | None) -> None:
        try:
            if span.is_recording():
                self._write(span, record, place)
                self._set_status(span, record.decision, record.error_type, ending.error)
            elif record.shared_with.span and record.span_context.trace_flags.sampled:
                drop_counts.count("decision_on_span", "ended_by_another")
        except Exception as error:
            contain("record.end_call.span", error)
        if not record.shared_with.span and span.is_recording():
            span.end()

    def record_bridged_call(
        self, record: CallRecord, tracer_provider: trace.TracerProvider | None, started_ns: int
    ) -> None:
        """Record the decision about a call whose own span, made by other instrumentation, has ended.

        An ended span takes no attributes any more, so they are on a span right below it, in its trace and where its
        own spans go. Log and decision records, and exemplars, name the call's own span. ``started_ns`` is the Unix time
        at which deciding began.
        """
        place = None
        with guard("record.record_bridged_call"):
            place = self._enqueue(record)
        with guard("record.record_bridged_call.span"):
            tracer = trace.get_tracer(
                conventions.INSTRUMENTATION_NAME, __version__, tracer_provider, conventions.SCHEMA_URL
            )
            link = trace.Link(record.span_context)
            span = tracer.start_span(
                conventions.DECISION, record.context, SpanKind.INTERNAL, links=(link,), start_time=started_ns
            )
            try:
                if span.is_recording() and record.decision is not None:
                    self._write_bridged_call(span, record, record.decision, place)
            finally:
                span.end()

    def start_work(
        self,
        name: str,
        context: CallContext,
        own_attributes: Mapping[str, Attribute],
        parent: Context | None = None,
    ) -> Span:
        """Start the span of a decorated function, below ``parent`` or the current span; it is not made current."""
        with guard("record.start_work"):
            span_attributes = dict(own_attributes)
            attributes.add_context(span_attributes, context)
            return self._tracer.start_span(name, parent, SpanKind.INTERNAL, span_attributes)
        return trace.INVALID_SPAN

    def end_work(self, span: Span, ending: Ending) -> None:
        """Record the ending of a decorated function and end its span."""
        try:
            if ending.kind is not EndKind.COMPLETED:
                with guard("record.end_work"):
                    end_attributes: attributes.Attributes = {}
                    error_type = attributes.error_type(ending)
                    attributes.add_ending(end_attributes, ending.kind, error_type)
                    span.set_attributes(end_attributes)
                    self._set_status(span, None, error_type, ending.error)
        finally:
            span.end()

    def record_policy(self, policy: Policy) -> None:
        """Record the spec and the policy that came into force, and start the counters of violations at zero."""
        with guard("record.record_policy"):
            if self._metrics.live:
                self._metrics.start_at_zero(policy)
            activation = PolicyActivation(policy, time.time_ns())
            self._builder.add_policy(activation)
            if self._ledger is not None:
                self._ledger.append_policy(self._builder.build(activation))
            for export in self._exports:
                export.put(activation)

    def record_late_finding(self, late: LateFinding) -> None:
        """Record a finding that came after its decision: a span below that of the call, and all that a decision has."""
        with guard("record.late_finding"):
            if self._ledger is not None:
                self._log(self._ledger, late)
            for live, worker in ((self._metrics.live, self._metrics.worker), (self._logs.live, self._logs.worker)):
                if live:
                    worker.put(late)
            for export in self._exports:
                export.put(late)
        with guard("record.late_finding.span"):
            write_late_span(self._tracer, late, with_explanation=self._is_content_on_spans)

    def record_notice(self, notice: Notice) -> None:
        """Hand a notice to the exporters of decision records; a ledger takes none, and it is counted as lost."""
        with guard("record.notice"):
            if self._ledger is not None:
                drop_counts.count(notice.type, "ledger")
            for export in self._exports:
                export.put(notice)

    def record_judge_request(self, request: JudgeRequest, call: SpanContext) -> None:
        """Record a judge's own call: a span below that of the call it judged, and linked to it, and what it cost."""
        with guard("record.judge_request"):
            self._metrics.record_judge_request(request)
            write_request_span(self._tracer, request, call)

    def force_flush(self, timeout_s: float) -> bool:
        """Hand over everything recorded so far; return False when some was lost or left after ``timeout_s``."""
        deadline_s = time.monotonic() + timeout_s
        written = [worker.flush() for worker in self._workers]
        is_safe = self._ledger is None or self._ledger.force_flush(max(0.0, deadline_s - time.monotonic()))
        return is_safe and all(event.wait(max(0.0, deadline_s - time.monotonic())) for event in written)

    def shutdown(self, timeout_s: float = _SHUTDOWN_S) -> None:
        """Flush, shut exporters down and end the threads; count what was not written in ``timeout_s`` as dropped.

        Later calls are recorded on spans alone.
        """
        self._forget_exit()
        deadline_s = time.monotonic() + timeout_s
        for worker in self._workers:  # all of them first, so that one that hangs takes no time from the others
            worker.close()
        if self._ledger is not None:
            with guard("record.shutdown.ledger"):
                self._ledger.shutdown(max(0.0, deadline_s - time.monotonic()))
        if self._ledger_metrics is not None:
            self._ledger_metrics.close()
        for worker in self._workers:
            with guard("record.shutdown"):
                worker.shutdown(max(0.0, deadline_s - time.monotonic()))

    @property
    def _workers(self) -> tuple[BatchWorker[Any], ...]:
        kept = () if self._kept is None else (self._kept.worker,)
        return (self._metrics.worker, self._logs.worker, *kept, *(export.worker for export in self._exports))

    def _export_worker(self, exporter: DecisionExporter) -> ExportWorker[Recorded, Mapping[str, Any]]:
        export = PolicyAnnouncer(exporter, self._builder.policy_record).export
        build, on_close = self._builder.build, exporter.shutdown
        return ExportWorker("decision", export, build, self._settings, on_close=on_close, kind_of=kind_of)

    def _enqueue(self, record: CallRecord) -> Place | None:
        """Hand a call to everybody who records it; return where the ledger has its decision."""
        place = None
        if self._ledger is not None and record.decision is not None:
            place = self._log(self._ledger, record)
            if self._kept is not None:
                self._kept.worker.put(record)
        if self._metrics.live:
            self._metrics.worker.put(record)
        if self._logs.live:
            self._logs.worker.put(record)
        if record.decision is not None:
            for export in self._exports:
                export.put(record)
        return place

    def _log(self, ledger: DecisionLog, record: CallRecord | LateFinding) -> Place | None:
        try:
            encoded = self._builder.encode(record)
        except Exception as error:
            ledger.drop("internal")
            contain("record.ledger", error)
            return None
        return ledger.append_encoded(
            encoded.type, encoded.id, encoded.data, encoded.policy, self._builder.policy_record
        )

    def _write(self, span: Span, record: CallRecord, place: Place | None) -> None:
        decision = record.decision
        end_attributes = attributes.at_end(
            record.call.response, decision, record.kind, record.error_type, record.timing
        )
        if self._is_content_on_spans:
            end_attributes = content.content_attributes(record.call) | end_attributes
        if decision is not None:
            self._add_events(span, decision, end_attributes)
            end_attributes = self._applied_clauses(decision) | end_attributes
        if place is not None:
            end_attributes = attributes.place_attributes(place) | end_attributes
        otel_private.set_clean_attributes(span, end_attributes)

    def _write_bridged_call(self, span: Span, record: CallRecord, decision: Decision, place: Place | None) -> None:
        span_attributes: attributes.Attributes = {
            **({} if place is None else attributes.place_attributes(place)),
            **self._applied_clauses(decision),
            conventions.CALL_SPAN_ID: trace.format_span_id(record.span_context.span_id),
            **({} if record.dialect is None else {conventions.CALL_DIALECT: record.dialect}),
        }
        attributes.add_context(span_attributes, record.call.context)
        span_attributes |= attributes.at_end(None, decision, record.kind, None, record.timing)
        self._add_events(span, decision, span_attributes)
        span.set_attributes(span_attributes)
        self._set_status(span, decision, None, None)

    def _add_events(self, span: Span, decision: Decision, span_attributes: attributes.Attributes) -> None:
        findings = attributes.findings_for_events(decision, self._settings.finding_events)
        for finding in findings[: attributes.MAX_EVENTS]:
            values = attributes.finding_attributes(finding, with_explanation=self._is_content_on_spans)
            values[conventions.DECISION_ID] = decision.id
            otel_private.add_clean_event(span, conventions.EVENT_FINDING, values)
        dropped = len(findings) - attributes.MAX_EVENTS
        if dropped > 0:
            span_attributes[conventions.EVENTS_DROPPED] = dropped
            drop_counts.count("finding_event", "span_limit", dropped)

    def _applied_clauses(self, decision: Decision) -> attributes.Attributes:
        """Return the ids of the clauses that applied, for whoever wants each of them on the span."""
        if self._settings.finding_events is not FindingEvents.ALL:
            return {}
        return {conventions.CLAUSES_APPLIED: decision.summary.applied}

    def _set_status(
        self, span: Span, decision: Decision | None, error_type: str | None, error: BaseException | None
    ) -> None:
        if error_type is not None:
            span.set_status(StatusCode.ERROR, self._description(error_type, error))
        elif self._settings.violations_are_errors and decision is not None and decision.verdict is Verdict.VIOLATED:
            span.set_attribute(conventions.ERROR_TYPE, conventions.ERROR_VIOLATED)
            span.set_status(StatusCode.ERROR, f"violated: {decision.governing_clause}")

    def _description(self, error_type: str, error: BaseException | None) -> str:
        """Return the status description: without content only the error's name, as its message may quote a prompt."""
        if error is None or not self._is_content_on_spans:
            return error_type
        try:
            return f"{error_type}: {attributes.safe_text(str(error))}"
        except Exception as failure:  # somebody's `__str__`
            raise_interruption(failure)
            return error_type
