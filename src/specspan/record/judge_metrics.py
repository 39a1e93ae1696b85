"""Metrics of judges and of what they find after a decision. Every attribute is from a closed set."""

from __future__ import annotations

from opentelemetry.metrics import Meter

from specspan.record import attributes
from specspan.record import conventions as names
from specspan.record.attributes import Attributes
from specspan.record.late_finding import JudgeRequest, LateFinding


class JudgeMetrics:
    """Instruments for requests to judges, and for verdicts that a late finding changed."""

    def __init__(self, meter: Meter) -> None:
        self._amended = meter.create_counter(
            names.METRIC_AMENDED, "{decision}", "Decisions whose verdict a late finding changed."
        )
        self._requests = meter.create_counter(names.METRIC_JUDGE_REQUESTS, "{request}", "Requests to judges.")
        self._tokens = meter.create_counter(names.METRIC_JUDGE_TOKENS, "{token}", "Tokens that judges used.")
        self._cost = meter.create_counter(names.METRIC_JUDGE_COST, "USD", "Cost of judges, by clause.")
        self._duration = meter.create_histogram(
            names.METRIC_JUDGE_DURATION,
            "s",
            "Duration of one answer of a judge, with every attempt.",
            explicit_bucket_boundaries_advisory=names.DURATION_BUCKETS_S,
        )

    def record_request(self, request: JudgeRequest) -> None:
        """Measure one request; what it cost is shared by the clauses that it was about."""
        values: Attributes = {
            names.PROVIDER_NAME: request.provider,
            names.REQUEST_MODEL: attributes.safe_text(request.model),
        }
        failure = {} if request.failure is None else {names.ERROR_TYPE: request.failure.partition(":")[0]}
        self._requests.add(1, {**values, **failure})
        self._duration.record(request.duration_s, {**values, **failure})
        usage = request.usage
        for kind, count in (("input", usage.input_tokens), ("output", usage.output_tokens)):
            if count:
                self._tokens.add(count, {**values, names.TOKEN_TYPE: kind})
        if request.cost_usd is not None:
            share = float(request.cost_usd) / max(1, len(request.clauses))
            for clause in request.clauses:
                self._cost.add(share, {**values, names.FINDING_CLAUSE: clause})

    def record_amendment(self, late: LateFinding) -> None:
        """Count a decision whose verdict a late finding changed."""
        changed: Attributes = {
            names.DECISION_AMENDED_FROM: late.before.verdict.value,
            names.DECISION_AMENDED_TO: late.after.verdict.value,
            names.DECISION_MODE: late.after.mode.value,
        }
        self._amended.add(1, changed, late.context)
