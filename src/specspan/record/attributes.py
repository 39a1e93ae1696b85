"""Attributes of spans, events and log records, made from a call, its decision and its findings. Pure.

The SDK keeps 128 attributes a span and drops those set first, so what matters most stands last, and everything of
unbounded number is capped: 32 clauses, 32 request parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

from specspan._support.caches import IdentityCache
from specspan.call import NOT_COUNTED, Attribute, CallContext, Request, Response
from specspan.decision import (
    DEVIATIONS,
    FAULTS,
    OUTCOME_SEVERITY,
    OUTCOMES_WORST_FIRST,
    Decision,
    Finding,
    Outcome,
    SpecRef,
    Summary,
)
from specspan.errors import Blocked
from specspan.record import conventions as names
from specspan.record.call_end import Ending, EndKind, Timing
from specspan.record.settings import FindingEvents
from specspan.scope.scope import ScopeOfAutonomy
from specspan.scope.text import digest

if TYPE_CHECKING:
    from specspan.ledger.ledger_entry import Place

Attributes: TypeAlias = dict[str, Attribute]

MAX_CLAUSES = 32
MAX_PARAMETERS = 32
MAX_NAME_CHARS = 256
MAX_VALUE_CHARS = 1024

_SPEC_FIELDS = ((names.SPEC_ID, "id"), (names.SPEC_VERSION, "version"), (names.SPEC_DIGEST, "digest"))


def safe_text(text: str, limit: int = MAX_VALUE_CHARS) -> str:
    """Return ``text`` cut to ``limit`` characters, without lone surrogates, which no exporter can encode."""
    if len(text) > limit:
        text = text[:limit]
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


@lru_cache(maxsize=64)
def span_name(operation: str, target: str | None) -> str:
    """Return the name of a call's span; ``target`` is the model or the tool that is called."""
    return safe_text(f"{operation} {target}" if target else operation, MAX_NAME_CHARS)


def at_start(request: Request, context: CallContext) -> Attributes:
    """Return the attributes known before the model is called, which samplers see."""
    values: Attributes = {
        names.OPERATION_NAME: request.operation,
        names.PROVIDER_NAME: request.provider,
    }
    if request.model is not None:
        values[names.REQUEST_MODEL] = safe_text(request.model)
    if request.executes is not None:
        values[names.TOOL_NAME] = safe_text(request.executes.name)
        if request.executes.id is not None:
            values[names.TOOL_CALL_ID] = safe_text(request.executes.id)
    if request.server_address is not None:
        values[names.SERVER_ADDRESS] = safe_text(request.server_address)
        if request.server_port is not None:
            values[names.SERVER_PORT] = request.server_port
    if request.streaming:
        values[names.REQUEST_STREAM] = True
    if request.output_type is not None:
        values[names.OUTPUT_TYPE] = request.output_type
    if request.parameters:
        for name, value in islice(request.parameters.items(), MAX_PARAMETERS):
            values[names.REQUEST_PREFIX + name] = _safe_value(value)
    add_context(values, context, request.conversation)
    return values


def add_context(values: Attributes, context: CallContext, conversation: str | None = None) -> None:
    """Add the application's own context; its conversation goes before the provider's ``conversation``."""
    conversation = context.conversation or conversation
    if conversation is not None:
        values[names.CONVERSATION_ID] = safe_text(conversation)
    if context.user is not None:
        values[names.USER_ID] = safe_text(context.user)
    if context.scope is not None or context.standing is not None:
        for name, value in scope_attributes(context).items():
            values[name] = safe_text(value)


def at_end(
    response: Response | None, decision: Decision | None, kind: EndKind, error: str | None, timing: Timing
) -> Attributes:
    """Return the attributes known once the call is over, the summary of the decision last."""
    values: Attributes = {}
    if decision is not None and has_exceptions(decision.summary):
        _add_clauses(values, decision.summary)
    if timing.time_to_first_chunk_s is not None:
        values[names.RESPONSE_TIME_TO_FIRST_CHUNK] = timing.time_to_first_chunk_s
    if timing.held_s is not None:
        values[names.STREAM_HELD_S] = timing.held_s
    if response is not None:
        _add_response(values, response)
    add_ending(values, kind, error)
    if decision is not None:
        add_decision(values, decision)
    return values


def add_ending(values: Attributes, kind: EndKind, error: str | None) -> None:
    """Add the ending of a call that did not complete; ``error`` is its `error_type`."""
    if kind is EndKind.CLOSED or kind is EndKind.ABANDONED:
        values[names.STREAM_END] = kind.value
    if error is not None:
        values[names.ERROR_TYPE] = error


def error_type(ending: Ending) -> str | None:
    """Return ``error.type``: the exception's class name, or one of specspan's own; None when the call ended well."""
    if ending.kind is EndKind.COMPLETED or ending.kind is EndKind.CLOSED or ending.kind is EndKind.ABANDONED:
        return None
    if ending.kind is EndKind.BLOCKED or isinstance(ending.error, Blocked):
        return names.ERROR_BLOCKED
    if ending.error is not None:
        return type(ending.error).__qualname__
    return "CancelledError" if ending.kind is EndKind.CANCELLED else "_OTHER"


def spec_attribute(specs: tuple[SpecRef, ...], field: str) -> Attribute | None:
    """Return a field of the spec in force; of several specs, an array in their order."""
    if len(specs) == 1:
        value: str | None = getattr(specs[0], field)
        return value
    return tuple(getattr(spec, field) or "" for spec in specs) or None


def clauses_worst_first(summary: Summary) -> Iterator[tuple[str, str]]:
    """Yield every clause that did not comply, with its outcome, the worst outcome first."""
    clauses_by_outcome = {
        Outcome.VIOLATED: summary.violated,
        Outcome.ERROR: summary.errored,
        Outcome.UNCERTAIN: summary.uncertain,
        Outcome.PENDING: summary.pending,
        Outcome.OVERRIDDEN: summary.overridden,
    }
    for outcome in OUTCOMES_WORST_FIRST:
        for clause in clauses_by_outcome.get(outcome, ()):
            yield clause, outcome.value


def has_exceptions(summary: Summary) -> bool:
    """Return whether any clause that applied did not comply."""
    return bool(summary.violated or summary.errored or summary.uncertain or summary.pending or summary.overridden)


def _safe_value(value: Attribute) -> Attribute:
    if isinstance(value, str):
        return safe_text(value)
    if isinstance(value, tuple):
        return tuple(safe_text(item) for item in value[:MAX_PARAMETERS])
    return value


def _add_response(values: Attributes, response: Response) -> None:
    if response.id is not None:
        values[names.RESPONSE_ID] = safe_text(response.id)
    if response.model is not None:
        values[names.RESPONSE_MODEL] = safe_text(response.model)
    if response.finish_reasons:
        values[names.RESPONSE_FINISH_REASONS] = _safe_value(response.finish_reasons)
    if response.usage is not NOT_COUNTED:
        values.update(usage(response))


def usage(response: Response) -> Mapping[str, int]:
    """Return the token counts that the provider gave."""
    counts = response.usage
    token_counts = (
        counts.input_tokens,
        counts.output_tokens,
        counts.cache_read_input_tokens,
        counts.cache_write_input_tokens,
        counts.reasoning_output_tokens,
    )
    return {name: count for name, count in zip(names.USAGE, token_counts) if count is not None}  # noqa: B905 - hot


def _add_clauses(values: Attributes, summary: Summary) -> None:
    for clause, outcome in islice(clauses_worst_first(summary), MAX_CLAUSES):
        # a clause with several outcomes keeps its worst
        values.setdefault(names.CLAUSE_PREFIX + clause[:MAX_NAME_CHARS], outcome)


def add_decision(values: Attributes, decision: Decision) -> None:
    """Add the summary of a decision, with the clauses that did not comply by name and the others as numbers."""
    summary = decision.summary
    values.update(_policy_attributes(decision.specs, decision.policy_digest))
    if decision.released_chars is not None:
        values[names.STREAM_RELEASED_CHARS] = decision.released_chars
    if decision.redacted:
        values[names.REDACTIONS] = decision.redacted
    if decision.governing_clause is not None:
        values[names.DECISION_GOVERNING_CLAUSE] = decision.governing_clause
    if decision.reason is not None:
        values[names.DECISION_REASON] = safe_text(decision.reason)
    if decision.would is not None:
        values[names.DECISION_WOULD] = str(decision.would)
    if has_exceptions(summary):
        _add_clause_lists(values, summary)
    if decision.reviews:
        values[names.CLAUSES_TO_REVIEW] = tuple(need.clause for need in decision.reviews[:MAX_CLAUSES])
    if decision.overrides:
        _add_refused_overrides(values, decision)
    values[names.CLAUSES_COMPLIED] = summary.complied
    values[names.CLAUSES_CONSIDERED] = summary.considered
    values[names.CLAUSES_NOT_APPLICABLE] = summary.not_applicable
    values[names.CLAUSES_UNASSESSED] = summary.unassessed
    values[names.CLAUSES_PENDING] = len(summary.pending)
    values[names.DECISION_MODE] = str(decision.mode)
    values[names.DECISION_ACTION] = str(decision.action)
    values[names.DECISION_VERDICT] = str(decision.verdict)
    values[names.DECISION_ID] = decision.id


def _add_refused_overrides(values: Attributes, decision: Decision) -> None:
    clauses = (ruling.override.clause for ruling in decision.overrides if not ruling.granted)
    refused = tuple(safe_text(clause, MAX_NAME_CHARS) for clause in islice(dict.fromkeys(clauses), MAX_CLAUSES))
    if refused:
        values[names.OVERRIDES_REFUSED] = refused


def _add_clause_lists(values: Attributes, summary: Summary) -> None:
    for name, clauses in (
        (names.CLAUSES_VIOLATED, summary.violated),
        (names.CLAUSES_UNCERTAIN, summary.uncertain),
        (names.CLAUSES_OVERRIDDEN, summary.overridden),
        (names.CLAUSES_ERRORED, summary.errored),
    ):
        if clauses:
            values[name] = clauses


@lru_cache(maxsize=16)
def _policy_attributes(specs: tuple[SpecRef, ...], policy_digest: str) -> Attributes:
    """Return the attributes of specs and policy, which every call under one policy shares."""
    values = {name: spec_attribute(specs, field) for name, field in _SPEC_FIELDS}
    return {name: value for name, value in values.items() if value is not None} | {names.POLICY_DIGEST: policy_digest}


_scope_attributes: IdentityCache[ScopeOfAutonomy, dict[str, str]] = IdentityCache(max_size=256)
"""Attributes of scopes, which many calls share."""


def scope_attributes(context: CallContext) -> dict[str, str]:
    """Return the attributes of the scope of autonomy in force, uncut; none where there is no scope."""
    scope = context.scope
    values = {} if scope is None else dict(_scope_attributes.get(scope) or _read_scope(scope))
    if context.standing is not None:
        values[names.SCOPE_TRUST] = context.standing.trust.value
    return values


def _read_scope(scope: ScopeOfAutonomy) -> dict[str, str]:
    values: dict[str, str] = {names.SCOPE_DIGEST: digest(scope)}
    if scope.allowed_tools is not None:
        values[names.SCOPE_ALLOWED_TOOLS] = " ".join(scope.allowed_tools)
    if scope.deadline is not None:
        values[names.SCOPE_DEADLINE] = scope.deadline.isoformat()
    if scope.cost_limit is not None:
        values[names.SCOPE_COST_LIMIT] = str(scope.cost_limit)
    return _scope_attributes.put(scope, values)


MAX_EVENTS = 64
"""Largest number of events of one span; the SDK keeps 128, and other instrumentation adds its own."""
MAX_EVIDENCE = 4
"""Most places that an event or a log record lists; the decision record has every one."""

_LOGGED = DEVIATIONS | {Outcome.COMPLIED}


def finding_attributes(finding: Finding, *, with_explanation: bool) -> Attributes:
    """Return a finding's attributes; its explanation only where ``with_explanation``, as it may quote content."""
    values: Attributes = {
        names.FINDING_CLAUSE: finding.clause,
        names.FINDING_AUTHORITY: finding.authority,
        names.FINDING_SEVERITY: finding.severity.value,
        names.FINDING_OUTCOME: finding.outcome.value,
        names.FINDING_STAGE: finding.stage.value,
        names.FINDING_ACTION: finding.action.value,
    }
    if finding.reason is not None:
        values[names.FINDING_REASON] = safe_text(finding.reason)
    if finding.score is not None:
        values[names.FINDING_SCORE] = finding.score
    if finding.evidence:
        places = finding.evidence
        values[names.FINDING_EVIDENCE] = tuple(
            [f"{piece.pointer}:{piece.start}-{piece.end}" for piece in places[:MAX_EVIDENCE]]
        )
        if len(places) > MAX_EVIDENCE:
            values[names.FINDING_EVIDENCE_COUNT] = len(places)
    if finding.check is not None:
        values[names.CHECK_NAME] = finding.check.name
        values[names.CHECK_KIND] = finding.check.mechanism.value
        values[names.CHECK_VERSION] = finding.check.version
    if with_explanation and finding.explanation is not None:
        values[names.FINDING_EXPLANATION] = safe_text(finding.explanation)
    return values


def place_attributes(place: Place) -> Attributes:
    """Return what lets a span vouch for the ledger: the place of the decision, and the last checkpoint before it."""
    values: Attributes = {names.LEDGER_STREAM: place.stream, names.LEDGER_SEQUENCE: place.seq}
    if place.checkpoint:
        values[names.LEDGER_CHECKPOINT] = place.checkpoint
    return values


def faulty_findings(decision: Decision) -> Iterator[Finding]:
    """Return the findings that did not comply."""
    return (finding for finding in decision.deviating if finding.outcome in FAULTS)


def findings_for_logs(decision: Decision, which: FindingEvents) -> Iterable[Finding]:
    """Return the findings that become log records: those that deviate, or all that applied to the call."""
    if which is FindingEvents.ALL:
        return [finding for finding in decision.findings if finding.outcome in _LOGGED]
    if which is FindingEvents.NONE or not has_exceptions(decision.summary):
        return ()
    return decision.deviating


def findings_for_events(decision: Decision, which: FindingEvents) -> list[Finding]:
    """Return the findings that become span events, the worst first."""
    if which is FindingEvents.NONE:
        return []
    if which is FindingEvents.ALL:
        return sorted(decision.findings, key=lambda finding: -OUTCOME_SEVERITY[finding.outcome])
    summary = decision.summary
    if not (summary.violated or summary.uncertain or summary.errored):
        return []
    return sorted(faulty_findings(decision), key=lambda finding: -OUTCOME_SEVERITY[finding.outcome])
