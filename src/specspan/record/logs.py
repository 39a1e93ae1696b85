"""Log records: what was found, and content where asked for. Made off the caller's thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opentelemetry._logs import LoggerProvider, LogRecord, SeverityNumber, get_logger, get_logger_provider
from opentelemetry.context import Context
from opentelemetry.util.types import AnyValue

from specspan.decision import Decision, Finding, Outcome
from specspan.record import attributes, content
from specspan.record import attributes as findings
from specspan.record import conventions as names
from specspan.record.batching import BatchWorker
from specspan.record.call_end import CallRecord
from specspan.record.liveness import Liveness
from specspan.record.settings import Settings
from specspan.version import __version__


class LogRecords:
    """Writes one log record for each finding that applied, correlated with the span of the call."""

    def __init__(self, provider: LoggerProvider | None, settings: Settings) -> None:
        self._logger = get_logger(names.INSTRUMENTATION_NAME, __version__, provider, names.SCHEMA_URL)
        self._content = settings.content.on_events
        self._guardrails = settings.generation.next
        self.live = Liveness(provider, get_logger_provider)
        self.worker: BatchWorker[CallRecord] = BatchWorker(
            "log_record",
            self._write,
            queue_size=settings.queue_size,
            batch_size=settings.batch_size,
            interval_s=settings.interval_s,
        )
        """Where to put calls that are over."""

    def _write(self, ended: Sequence[CallRecord]) -> None:
        for call in ended:
            self._write_call(call, call.context)

    def _write_call(self, ended: CallRecord, context: Context) -> None:
        if self._content and ended.dialect is None:
            self._write_content(ended, context)
        if ended.decision is None:
            return
        for finding in ended.decision.findings:
            if finding.outcome in findings.APPLIED:
                self._write_finding(ended, ended.decision, finding, context)

    def _write_finding(self, ended: CallRecord, decision: Decision, finding: Finding, context: Context) -> None:
        own = findings.finding_attributes(finding, explained=False)
        own[names.DECISION_ID] = decision.id
        response = ended.call.response
        if response is not None and response.id is not None:
            own[names.RESPONSE_ID] = attributes.safe_text(response.id)
        explanation = finding.explanation if self._content else None
        fault = finding.outcome in findings.FAULTS
        given = _evaluation(finding, explanation) | own
        self._emit(names.EVENT_EVALUATION_RESULT, given, context, decision.time_unix_nano, fault=fault)
        if self._guardrails:
            given = _guardrail(finding, decision) | own
            self._emit(names.EVENT_GUARDRAIL_RESULT, given, context, decision.time_unix_nano, fault=fault)

    def _emit(
        self,
        name: str,
        given: Mapping[str, AnyValue],
        context: Context,
        time_unix_nano: int | None = None,
        *,
        fault: bool = False,
    ) -> None:
        self._logger.emit(
            LogRecord(
                timestamp=time_unix_nano,
                context=context,
                severity_number=SeverityNumber.WARN if fault else SeverityNumber.INFO,
                severity_text="WARN" if fault else "INFO",
                attributes=given,
                event_name=name,
            )
        )

    def _write_content(self, ended: CallRecord, context: Context) -> None:
        """The conventions' event of an inference's details, content in structured form."""
        captured = content.capture_content(ended.call)
        if not captured.structures:
            return
        given: dict[str, AnyValue] = {
            **attributes.at_start(ended.call.request, ended.call.context),
            **attributes.at_end(ended.call.response, None, ended.kind, ended.error_type, ended.timing),
            **captured.structures,
        }
        if captured.truncated:
            given[names.CONTENT_TRUNCATED] = True
        self._emit(names.EVENT_OPERATION_DETAILS, given, context)


def _evaluation(finding: Finding, explanation: str | None) -> attributes.Attributes:
    found: attributes.Attributes = {
        names.EVALUATION_NAME: finding.clause,
        names.EVALUATION_SCORE_LABEL: finding.outcome.value,
    }
    if finding.score is not None:
        found[names.EVALUATION_SCORE_VALUE] = finding.score
    if explanation is not None:
        found[names.EVALUATION_EXPLANATION] = attributes.safe_text(explanation)
    if finding.outcome is Outcome.ERROR:
        found[names.ERROR_TYPE] = attributes.safe_text(finding.reason or "_OTHER")
    return found


def _guardrail(finding: Finding, decision: Decision) -> attributes.Attributes:
    found: attributes.Attributes = {
        names.GUARDRAIL_COMPONENT_NAME: names.INSTRUMENTATION_NAME,
        names.GUARDRAIL_POLICY_ID: decision.policy_digest,
        names.GUARDRAIL_POLICY_RULE_ID: finding.clause,
        names.GUARDRAIL_RESULT_TYPE: "outcome",
        names.GUARDRAIL_RESULT_VALUE: finding.outcome.value,
        names.GUARDRAIL_SOURCE: finding.stage.value,
    }
    version = attributes.spec_attribute(decision.specs, "version")
    if version is not None:
        found[names.GUARDRAIL_POLICY_VERSION] = version
    if finding.reason is not None:
        found[names.GUARDRAIL_RESULT_REASON] = attributes.safe_text(finding.reason)
    return found
