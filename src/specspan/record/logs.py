"""Log records of decisions and findings, and of content where it is switched on; made off the caller's thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from opentelemetry._logs import LoggerProvider, LogRecord, SeverityNumber, get_logger, get_logger_provider
from opentelemetry.context import Context
from opentelemetry.util.types import AnyValue

from specspan.decision import FAULTS, Decision, Finding, Outcome, Verdict
from specspan.record import attributes, content
from specspan.record import conventions as names
from specspan.record.batching import BatchWorker
from specspan.record.call_end import CallRecord
from specspan.record.late_finding import LateFinding, late_finding_attributes
from specspan.record.liveness import Liveness
from specspan.record.pacing import Pacer
from specspan.record.settings import Settings
from specspan.version import __version__

_SOUND = frozenset((Verdict.COMPLIED, Verdict.UNASSESSED))
"""Verdicts of calls on which nothing was found amiss."""


class LogRecords:
    """Logger that writes one record for each decision and one for each finding that deviates, correlated with the span
    of the call.
    """

    def __init__(self, provider: LoggerProvider | None, settings: Settings) -> None:
        self._logger = get_logger(names.INSTRUMENTATION_NAME, __version__, provider, names.SCHEMA_URL)
        self._content = settings.content.on_events
        self._finding_events = settings.finding_events
        self._guardrails = settings.generation.next
        self.live = Liveness(provider, get_logger_provider)
        self.worker: BatchWorker[CallRecord | LateFinding] = BatchWorker(
            "log_record",
            self._write,
            queue_size=settings.queue_size,
            batch_size=settings.batch_size,
            interval_s=settings.interval_s,
        )
        """Queue of calls that are over."""

    def _write(self, records: Sequence[CallRecord | LateFinding]) -> None:
        pacer = Pacer()
        for record in records:
            pacer.pause_if_due()
            if isinstance(record, LateFinding):
                self._write_late_finding(record)
            else:
                self._write_call(record, record.context)

    def _write_late_finding(self, late: LateFinding) -> None:
        """Write a finding that came after its decision, and that the verdict changed where it did."""
        finding = late.finding
        explanation = finding.explanation if self._content else None
        values = _evaluation_attributes(finding, explanation) | late_finding_attributes(late, with_explanation=False)
        if late.response_id is not None:
            values[names.RESPONSE_ID] = attributes.safe_text(late.response_id)
        fault = finding.outcome in FAULTS
        self._emit(names.EVENT_EVALUATION_RESULT, values, late.context, late.time_unix_nano, fault=fault)
        if late.is_amended:
            summary: attributes.Attributes = {
                names.DECISION_AMENDED_FROM: late.before.verdict.value,
                names.DECISION_AMENDED_TO: late.after.verdict.value,
            }
            attributes.add_decision(summary, late.after)
            fault = late.after.verdict not in _SOUND
            self._emit(names.EVENT_AMENDED, summary, late.context, late.time_unix_nano, fault=fault)

    def _write_call(self, record: CallRecord, context: Context) -> None:
        if self._content and record.dialect is None:
            self._write_content(record, context)
        if record.decision is None:
            return
        self._write_decision(record, record.decision, context)
        for finding in attributes.findings_for_logs(record.decision, self._finding_events):
            self._write_finding(record, record.decision, finding, context)

    def _write_decision(self, record: CallRecord, decision: Decision, context: Context) -> None:
        values = _response_attributes(record)
        attributes.add_decision(values, decision)
        fault = decision.verdict not in _SOUND
        self._emit(names.DECISION, values, context, decision.time_unix_nano, fault=fault)

    def _write_finding(self, record: CallRecord, decision: Decision, finding: Finding, context: Context) -> None:
        common = attributes.finding_attributes(finding, with_explanation=False)
        common[names.DECISION_ID] = decision.id
        common |= _response_attributes(record)
        explanation = finding.explanation if self._content else None
        fault = finding.outcome in FAULTS
        values = _evaluation_attributes(finding, explanation) | common
        self._emit(names.EVENT_EVALUATION_RESULT, values, context, decision.time_unix_nano, fault=fault)
        if self._guardrails:
            values = _guardrail_attributes(finding, decision) | common
            self._emit(names.EVENT_GUARDRAIL_RESULT, values, context, decision.time_unix_nano, fault=fault)

    def _emit(
        self,
        name: str,
        values: Mapping[str, AnyValue],
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
                attributes=values,
                event_name=name,
            )
        )

    def _write_content(self, record: CallRecord, context: Context) -> None:
        """Write the conventions' event of an inference's details, with content in structured form."""
        captured = content.capture_content(record.call)
        if not captured.structures:
            return
        values: dict[str, AnyValue] = {
            **attributes.at_start(record.call.request, record.call.context),
            **attributes.at_end(record.call.response, None, record.kind, record.error_type, record.timing),
            **captured.structures,
        }
        if captured.truncated:
            values[names.CONTENT_TRUNCATED] = True
        self._emit(names.EVENT_OPERATION_DETAILS, values, context)


def _response_attributes(record: CallRecord) -> attributes.Attributes:
    response = record.call.response
    if response is None or response.id is None:
        return {}
    return {names.RESPONSE_ID: attributes.safe_text(response.id)}


def _evaluation_attributes(finding: Finding, explanation: str | None) -> attributes.Attributes:
    values: attributes.Attributes = {
        names.EVALUATION_NAME: finding.clause,
        names.EVALUATION_SCORE_LABEL: finding.outcome.value,
    }
    if finding.score is not None:
        values[names.EVALUATION_SCORE_VALUE] = finding.score
    if explanation is not None:
        values[names.EVALUATION_EXPLANATION] = attributes.safe_text(explanation)
    if finding.outcome is Outcome.ERROR:
        values[names.ERROR_TYPE] = attributes.safe_text(finding.reason or "_OTHER")
    return values


def _guardrail_attributes(finding: Finding, decision: Decision) -> attributes.Attributes:
    values: attributes.Attributes = {
        names.GUARDRAIL_COMPONENT_NAME: names.INSTRUMENTATION_NAME,
        names.GUARDRAIL_POLICY_ID: decision.policy_digest,
        names.GUARDRAIL_POLICY_RULE_ID: finding.clause,
        names.GUARDRAIL_RESULT_TYPE: "outcome",
        names.GUARDRAIL_RESULT_VALUE: finding.outcome.value,
        names.GUARDRAIL_SOURCE: finding.stage.value,
    }
    version = attributes.spec_attribute(decision.specs, "version")
    if version is not None:
        values[names.GUARDRAIL_POLICY_VERSION] = version
    if finding.reason is not None:
        values[names.GUARDRAIL_RESULT_REASON] = attributes.safe_text(finding.reason)
    return values
