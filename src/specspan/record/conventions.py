"""Names that specspan records, each block with the convention it comes from.

GenAI names move fast. The constants of ``opentelemetry-semantic-conventions`` are marked as moved away from there, so
none is imported. `Generation` picks among names that differ between the published conventions and their successor.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

INSTRUMENTATION_NAME: Final = "specspan"

# specspan's own: the version of this module's names, stamped on spans, metrics and log records.
SCHEMA_URL: Final = "https://specspan.dev/schemas/1.0.0"


class Generation(str, Enum):
    """Generation of the GenAI conventions that is recorded (``SPECSPAN_SEMCONV``)."""

    CURRENT = "current"
    """Names of semantic conventions 1.41, the last with GenAI in them, with the token attributes' later names."""
    NEXT = "next"
    """Names of open-telemetry/semantic-conventions-genai, and its draft of guardrail events."""
    BOTH = "both"
    """Names of both generations, where they differ."""

    @property
    def current(self) -> bool:
        """True where names that the successor dropped are recorded."""
        return self is not Generation.NEXT

    @property
    def next(self) -> bool:
        """True where names that only the successor has are recorded."""
        return self is not Generation.CURRENT


# General conventions 1.41, stable: error, server. Development: user.
ERROR_TYPE: Final = "error.type"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
USER_ID: Final = "user.id"

# Resource conventions 1.41: service.
SERVICE_NAME: Final = "service.name"
SERVICE_VERSION: Final = "service.version"
SERVICE_INSTANCE_ID: Final = "service.instance.id"

# GenAI conventions (semantic-conventions-genai, docs/gen-ai/client-inference.md), span attributes.
OPERATION_NAME: Final = "gen_ai.operation.name"
PROVIDER_NAME: Final = "gen_ai.provider.name"
CONVERSATION_ID: Final = "gen_ai.conversation.id"
REQUEST_PREFIX: Final = "gen_ai.request."
REQUEST_MODEL: Final = "gen_ai.request.model"
REQUEST_STREAM: Final = "gen_ai.request.stream"
OUTPUT_TYPE: Final = "gen_ai.output.type"
RESPONSE_ID: Final = "gen_ai.response.id"
RESPONSE_MODEL: Final = "gen_ai.response.model"
RESPONSE_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
RESPONSE_TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
USAGE_PREFIX: Final = "gen_ai.usage."
USAGE_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
USAGE_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
USAGE_CACHE_READ_INPUT_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
USAGE_CACHE_WRITE_INPUT_TOKENS: Final = "gen_ai.usage.cache_write.input_tokens"
USAGE_REASONING_OUTPUT_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
USAGE: Final = (
    USAGE_INPUT_TOKENS,
    USAGE_OUTPUT_TOKENS,
    USAGE_CACHE_READ_INPUT_TOKENS,
    USAGE_CACHE_WRITE_INPUT_TOKENS,
    USAGE_REASONING_OUTPUT_TOKENS,
)

# GenAI conventions (docs/gen-ai/gen-ai-spans.md), span of a tool's execution.
TOOL_NAME: Final = "gen_ai.tool.name"
TOOL_CALL_ID: Final = "gen_ai.tool.call.id"

# GenAI conventions (docs/gen-ai/gen-ai-agent-spans.md), spans of agents and workflows.
AGENT_NAME: Final = "gen_ai.agent.name"
AGENT_ID: Final = "gen_ai.agent.id"
AGENT_DESCRIPTION: Final = "gen_ai.agent.description"
AGENT_VERSION: Final = "gen_ai.agent.version"
WORKFLOW_NAME: Final = "gen_ai.workflow.name"

# The same document: content, recorded only when it is switched on.
INPUT_MESSAGES: Final = "gen_ai.input.messages"
OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
SYSTEM_INSTRUCTIONS: Final = "gen_ai.system_instructions"
TOOL_DEFINITIONS: Final = "gen_ai.tool.definitions"
EVENT_OPERATION_DETAILS: Final = "gen_ai.client.inference.operation.details"

# GenAI conventions (docs/gen-ai/gen-ai-events.md): the result of an evaluation.
EVENT_EVALUATION_RESULT: Final = "gen_ai.evaluation.result"
EVALUATION_NAME: Final = "gen_ai.evaluation.name"
EVALUATION_SCORE_VALUE: Final = "gen_ai.evaluation.score.value"
EVALUATION_SCORE_LABEL: Final = "gen_ai.evaluation.score.label"
EVALUATION_EXPLANATION: Final = "gen_ai.evaluation.explanation"

# GenAI conventions, draft (docs/gen-ai/gen-ai-guardrails.md): next only.
EVENT_GUARDRAIL_RESULT: Final = "gen_ai.guardrail.result"
GUARDRAIL_COMPONENT_NAME: Final = "gen_ai.guardrail.component.name"
GUARDRAIL_POLICY_ID: Final = "gen_ai.guardrail.policy.id"
GUARDRAIL_POLICY_VERSION: Final = "gen_ai.guardrail.policy.version"
GUARDRAIL_POLICY_RULE_ID: Final = "gen_ai.guardrail.policy.rule.id"
GUARDRAIL_RESULT_TYPE: Final = "gen_ai.guardrail.result.type"
GUARDRAIL_RESULT_VALUE: Final = "gen_ai.guardrail.result.value"
GUARDRAIL_RESULT_REASON: Final = "gen_ai.guardrail.result.reason"
GUARDRAIL_SOURCE: Final = "gen_ai.guardrail.source"

# GenAI metrics, current (semantic conventions 1.41, docs/gen-ai/gen-ai-metrics.md).
METRIC_OPERATION_DURATION: Final = "gen_ai.client.operation.duration"
METRIC_OPERATION_TIME_TO_FIRST_CHUNK: Final = "gen_ai.client.operation.time_to_first_chunk"
METRIC_TOKEN_USAGE: Final = "gen_ai.client.token.usage"  # noqa: S105 - a metric's name
TOKEN_TYPE: Final = "gen_ai.token.type"  # noqa: S105 - an attribute's name

# GenAI metrics, next (semantic-conventions-genai, docs/gen-ai/client-inference.md and gen-ai-token-metrics.md).
# Operations that are no inference keep `gen_ai.client.operation.duration`.
INFERENCE_OPERATIONS: Final = frozenset({"chat", "generate_content", "text_completion"})
METRIC_INFERENCE_DURATION: Final = "gen_ai.client.inference.duration"
METRIC_INFERENCE_TIME_TO_FIRST_CHUNK: Final = "gen_ai.client.inference.time_to_first_chunk"
METRIC_INFERENCE_USAGE_PREFIX: Final = "gen_ai.client.inference.usage."

# Bucket boundaries that the same documents advise; seconds and tokens.
DURATION_BUCKETS_S: Final = tuple(0.01 * 2**power for power in range(14))
TOKEN_BUCKETS: Final = tuple(4**power for power in range(14))

# specspan's own: the log record of a decision, and the span of one about a call whose own span, made by other
# instrumentation, had ended.
DECISION: Final = "specspan.decision"

# specspan's own: log records that hold a whole decision record, a policy's, or that of a finding which came late.
DECISION_RECORD: Final = "specspan.decision_record"
FINDING_RECORD: Final = "specspan.finding_record"
POLICY_RECORD: Final = "specspan.policy_record"

# specspan's own: the span of a call.
DECISION_ID: Final = "specspan.decision.id"
DECISION_VERDICT: Final = "specspan.decision.verdict"
DECISION_ACTION: Final = "specspan.decision.action"
DECISION_MODE: Final = "specspan.decision.mode"
DECISION_WOULD: Final = "specspan.decision.would"
DECISION_GOVERNING_CLAUSE: Final = "specspan.decision.governing_clause"
DECISION_REASON: Final = "specspan.decision.reason"
DECISION_AMENDED_FROM: Final = "specspan.decision.amended.from"
DECISION_AMENDED_TO: Final = "specspan.decision.amended.to"
SPEC_ID: Final = "specspan.spec.id"
SPEC_VERSION: Final = "specspan.spec.version"
SPEC_DIGEST: Final = "specspan.spec.digest"
POLICY_DIGEST: Final = "specspan.policy.digest"
CLAUSES_APPLIED: Final = "specspan.clauses.applied"
CLAUSES_COMPLIED: Final = "specspan.clauses.complied"
CLAUSES_VIOLATED: Final = "specspan.clauses.violated"
CLAUSES_UNCERTAIN: Final = "specspan.clauses.uncertain"
CLAUSES_OVERRIDDEN: Final = "specspan.clauses.overridden"
CLAUSES_ERRORED: Final = "specspan.clauses.errored"
CLAUSES_CONSIDERED: Final = "specspan.clauses.considered"
CLAUSES_NOT_APPLICABLE: Final = "specspan.clauses.not_applicable"
CLAUSES_UNASSESSED: Final = "specspan.clauses.unassessed"
CLAUSES_PENDING: Final = "specspan.clauses.pending"
CLAUSES_TO_REVIEW: Final = "specspan.clauses.to_review"
CLAUSE_PREFIX: Final = "specspan.clause."
OVERRIDES_REFUSED: Final = "specspan.overrides.refused"
REDACTIONS: Final = "specspan.redactions"
STREAM_RELEASED_CHARS: Final = "specspan.stream.released_chars"
STREAM_END: Final = "specspan.stream.end"
STREAM_HELD_S: Final = "specspan.stream.held_s"
SCOPE_ALLOWED_TOOLS: Final = "specspan.scope.allowed_tools"
SCOPE_DEADLINE: Final = "specspan.scope.deadline"
SCOPE_COST_LIMIT: Final = "specspan.scope.cost_limit"
SCOPE_DIGEST: Final = "specspan.scope.digest"
SCOPE_TRUST: Final = "specspan.scope.trust"
CONTENT_TRUNCATED: Final = "specspan.content.truncated"
CALL_DIALECT: Final = "specspan.call.dialect"
CALL_FACTS: Final = "specspan.call.facts"
CALL_SPAN_ID: Final = "specspan.call.span_id"
SAMPLING_KEPT: Final = "specspan.sampling.kept"
LEDGER_STREAM: Final = "specspan.ledger.stream"
LEDGER_SEQUENCE: Final = "specspan.ledger.sequence"
LEDGER_CHECKPOINT: Final = "specspan.ledger.checkpoint"
EVENTS_DROPPED: Final = "specspan.findings.events_dropped"

# specspan's own: values of `error.type`.
ERROR_BLOCKED: Final = "specspan.blocked"
ERROR_VIOLATED: Final = "specspan.violated"

# specspan's own: one finding, in span events, log records and metrics.
EVENT_FINDING: Final = "specspan.finding"
FINDING_CLAUSE: Final = "specspan.finding.clause"
FINDING_AUTHORITY: Final = "specspan.finding.authority"
FINDING_SEVERITY: Final = "specspan.finding.severity"
FINDING_OUTCOME: Final = "specspan.finding.outcome"
FINDING_REASON: Final = "specspan.finding.reason"
FINDING_SCORE: Final = "specspan.finding.score"
FINDING_EXPLANATION: Final = "specspan.finding.explanation"
FINDING_STAGE: Final = "specspan.finding.stage"
FINDING_ACTION: Final = "specspan.finding.action"
FINDING_EVIDENCE: Final = "specspan.finding.evidence"
FINDING_EVIDENCE_COUNT: Final = "specspan.finding.evidence_count"
CHECK_NAME: Final = "specspan.check.name"
CHECK_KIND: Final = "specspan.check.kind"
CHECK_VERSION: Final = "specspan.check.version"

# specspan's own: the span of a finding that came after its decision, the log record of a decision whose verdict it
# changed, and the span of a judge's own call.
LATE_FINDING: Final = "specspan.late_finding"
EVENT_AMENDED: Final = "specspan.decision.amended"
JUDGE_CLAUSES: Final = "specspan.judge.clauses"
JUDGE_ATTEMPTS: Final = "specspan.judge.attempts"
JUDGE_CACHED_SHARE: Final = "specspan.judge.cached_share"
JUDGE_COST_USD: Final = "specspan.judge.cost_usd"

# specspan's own: the span and the log record of a reviewer's ruling.
REVIEW: Final = "specspan.review"
REVIEW_TASK: Final = "specspan.review.task"
REVIEW_RULING: Final = "specspan.review.ruling"
REVIEW_REVIEWER: Final = "specspan.review.reviewer"

# specspan's own: metrics and their attributes.
METRIC_RULINGS: Final = "specspan.review.rulings"
METRIC_DECISIONS: Final = "specspan.decisions"
METRIC_FINDINGS: Final = "specspan.findings"
METRIC_AMENDED: Final = "specspan.decisions.amended"
METRIC_JUDGE_REQUESTS: Final = "specspan.judge.requests"
METRIC_JUDGE_DURATION: Final = "specspan.judge.duration"
METRIC_JUDGE_TOKENS: Final = "specspan.judge.tokens"
METRIC_JUDGE_COST: Final = "specspan.judge.cost"
METRIC_CHECK_DURATION: Final = "specspan.check.duration"
METRIC_OVERHEAD_DURATION: Final = "specspan.overhead.duration"
METRIC_DROPPED: Final = "specspan.dropped"
METRIC_OVERRIDES: Final = "specspan.overrides"
METRIC_SCOPES: Final = "specspan.scopes"
METRIC_POLICY_RELOAD: Final = "specspan.policy.reload"
METRIC_POLICY_STALE: Final = "specspan.policy.stale"
METRIC_LEDGER_DECISIONS: Final = "specspan.ledger.decisions"
METRIC_LEDGER_OUTAGE: Final = "specspan.ledger.outage"
CHECK_FAILED: Final = "specspan.check.failed"
STAGE: Final = "specspan.stage"
LEDGER_RESULT: Final = "specspan.ledger.result"
LEDGER_BACKEND: Final = "specspan.ledger.backend"
DROPPED_WHAT: Final = "specspan.dropped.what"
DROPPED_REASON: Final = "specspan.dropped.reason"
OVERRIDE_CLAUSE: Final = "specspan.override.clause"
OVERRIDE_LEVEL: Final = "specspan.override.level"
OVERRIDE_RULING: Final = "specspan.override.ruling"
OVERRIDE_REFUSAL: Final = "specspan.override.refusal"
OTHER: Final = "_OTHER"  # replaces a name that is not from a closed set
RELOAD_RESULT: Final = "specspan.policy.reload.result"
OWN_BUCKETS_S: Final = (0.000005, 0.00001, 0.00005, 0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0)
