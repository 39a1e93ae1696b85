"""Findings that come after their decision, and requests to judges: what is recorded of them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext, set_span_in_context

from specspan.call import Usage
from specspan.decision import Decision, Finding, ReviewNeed
from specspan.record import attributes
from specspan.record import conventions as names
from specspan.record.attributes import Attributes

JUDGE = "judge"
"""Operation of a judge's own calls."""
PENDING_S = 1_200.0
"""Seconds after a decision by which every pending finding has come, unless its process has gone."""


class LateFinding(NamedTuple):
    """Finding that came after its decision. A named tuple, as `specspan.record.call_end.CallRecord` is."""

    span_context: SpanContext
    """Trace and span of the call."""
    response_id: str | None
    before: Decision
    """Decision as it was until then."""
    after: Decision
    """Decision with this finding."""
    position: int
    """Place of the finding among all of the decision."""
    finding: Finding
    time_unix_nano: int

    @property
    def id(self) -> str:
        """Id of the record: one decision has one late finding at a place."""
        return f"{self.after.id}/{self.position}"

    @property
    def is_amended(self) -> bool:
        """True if the verdict changed."""
        return self.before.verdict is not self.after.verdict

    @property
    def reviews(self) -> tuple[ReviewNeed, ...]:
        """Reviews that are asked for since this finding is known."""
        return self.after.reviews[len(self.before.reviews) :]

    @property
    def context(self) -> Context:
        """Context in which the call's span is current."""
        return set_span_in_context(NonRecordingSpan(self.span_context), Context())


class JudgeRequest(NamedTuple):
    """Request that a judge made of its model."""

    provider: str
    model: str
    clauses: Sequence[str]
    decision_id: str
    started_unix_nano: int
    duration_s: float
    attempts: int
    failure: str | None
    """Code of what failed; None where there was a reply."""
    usage: Usage
    cost_usd: Decimal | None
    response_model: str | None
    response_id: str | None

    @property
    def cached_share(self) -> float | None:
        """Share of the prompt's tokens that the provider had in its cache; None where it counts none."""
        read, total = self.usage.cache_read_input_tokens, self.usage.input_tokens
        return None if read is None or not total else min(1.0, read / total)


def late_finding_attributes(late: LateFinding, *, with_explanation: bool) -> Attributes:
    """Return the attributes of the span and the log record of a finding that came late."""
    values = attributes.finding_attributes(late.finding, with_explanation=with_explanation)
    values[names.DECISION_ID] = late.after.id
    if late.is_amended:
        values[names.DECISION_AMENDED_FROM] = late.before.verdict.value
        values[names.DECISION_AMENDED_TO] = late.after.verdict.value
    return values


def request_attributes(request: JudgeRequest) -> Attributes:
    """Return the attributes of the span of a judge's own call."""
    optional = {
        names.RESPONSE_MODEL: _safe(request.response_model),
        names.RESPONSE_ID: _safe(request.response_id),
        names.USAGE_INPUT_TOKENS: request.usage.input_tokens,
        names.USAGE_OUTPUT_TOKENS: request.usage.output_tokens,
        names.USAGE_CACHE_READ_INPUT_TOKENS: request.usage.cache_read_input_tokens,
        names.JUDGE_CACHED_SHARE: request.cached_share,
        names.JUDGE_COST_USD: None if request.cost_usd is None else float(request.cost_usd),
        names.ERROR_TYPE: request.failure,
    }
    return {
        names.OPERATION_NAME: JUDGE,
        names.PROVIDER_NAME: request.provider,
        names.REQUEST_MODEL: attributes.safe_text(request.model),
        names.DECISION_ID: request.decision_id,
        names.JUDGE_CLAUSES: tuple(request.clauses),
        names.JUDGE_ATTEMPTS: request.attempts,
        **{name: value for name, value in optional.items() if value is not None},
    }


def _safe(text: str | None) -> str | None:
    return None if text is None else attributes.safe_text(text)


def late_record(late: LateFinding, finding: dict[str, Any], head: dict[str, Any]) -> dict[str, Any]:
    """Return the record of a finding that came late, from its finding as a record and the members all records have."""
    record = {**head, "type": "finding", "decision": late.after.id, "finding": finding}
    if late.is_amended:
        record["amended"] = {
            "before": _ruling(late.before),
            "after": _ruling(late.after),
        }
    return record


def judgement_record(finding: Finding) -> dict[str, Any]:
    """Return the members that only a judge's finding has."""
    judgement = finding.judgement
    if judgement is None:
        return {}
    return {
        "applies": judgement.applies,
        "sampled": judgement.sampled,
        "spread": judgement.spread,
        "dropped_quotations": judgement.dropped_quotations,
        "left_out_chars": judgement.left_out_chars,
    }


def _ruling(decision: Decision) -> dict[str, Any]:
    values = {
        "verdict": decision.verdict.value,
        "action": decision.action.value,
        "governing_clause": decision.governing_clause,
        "reason": decision.reason,
    }
    return {name: value for name, value in values.items() if value is not None}
