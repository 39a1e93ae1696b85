"""From a call and its decision to the attributes of its span. Pure: nothing here knows a span.

The SDK keeps 128 attributes a span and drops those set first, so what matters most stands last, and everything of
unbounded number is capped: 32 clauses, 32 request parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import islice
from typing import TypeAlias

from specspan.call import NOT_COUNTED, Attribute, CallContext, Request, Response
from specspan.decision import OUTCOME_SEVERITY, OUTCOMES_WORST_FIRST, Decision, Finding, Outcome, SpecRef, Summary
from specspan.errors import Blocked
from specspan.record import conventions as names
from specspan.record.call_end import Ending, EndKind, Timing
from specspan.record.settings import FindingEvents
from specspan.scope.scope import ScopeOfAutonomy
from specspan.scope.text import digest

# MERGED autonomy: The scope of autonomy as attributes of a span. A scope is the same for many calls, so what is
# made of it is kept.


_MAX_KEPT = 256
_kept: dict[int, tuple[ScopeOfAutonomy, dict[str, str]]] = {}


def scope_attributes(context: CallContext) -> dict[str, str]:
    """What is recorded of the scope in force, as it is written; nothing where there is none."""
    found = {} if context.scope is None else dict(_of_scope(context.scope))
    if context.standing is not None:
        found[names.SCOPE_TRUST] = context.standing.trust.value
    return found


def _of_scope(scope: ScopeOfAutonomy) -> dict[str, str]:
    kept = _kept.get(id(scope))
    if kept is not None:
        return kept[1]
    if len(_kept) >= _MAX_KEPT:
        _kept.clear()
    made = _made(scope)
    _kept[id(scope)] = (scope, made)  # the scope is kept, so its id stays its own
    return made


def _made(scope: ScopeOfAutonomy) -> dict[str, str]:
    found: dict[str, str] = {names.SCOPE_DIGEST: digest(scope)}
    if scope.allowed_tools is not None:
        found[names.SCOPE_ALLOWED_TOOLS] = " ".join(scope.allowed_tools)
    if scope.deadline is not None:
        found[names.SCOPE_DEADLINE] = scope.deadline.isoformat()
    if scope.cost_limit is not None:
        found[names.SCOPE_COST_LIMIT] = str(scope.cost_limit)
    return found


Attributes: TypeAlias = dict[str, Attribute]

MAX_CLAUSES = 32
MAX_PARAMETERS = 32
MAX_NAME_CHARS = 256
MAX_VALUE_CHARS = 1024

_SPEC_FIELDS = ((names.SPEC_ID, "id"), (names.SPEC_VERSION, "version"), (names.SPEC_DIGEST, "digest"))


def safe_text(text: str, limit: int = MAX_VALUE_CHARS) -> str:
    """``text`` cut to ``limit`` characters and free of lone surrogates, which no exporter can encode."""
    if len(text) > limit:
        text = text[:limit]
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


@lru_cache(maxsize=64)
def span_name(operation: str, of: str | None) -> str:
    """The name of a call's span, ``of`` a model or a tool."""
    return safe_text(f"{operation} {of}" if of else operation, MAX_NAME_CHARS)


def at_start(request: Request, context: CallContext) -> Attributes:
    """What is known before the model is called; samplers see these."""
    found: Attributes = {
        names.OPERATION_NAME: request.operation,
        names.PROVIDER_NAME: request.provider,
    }
    if request.model is not None:
        found[names.REQUEST_MODEL] = safe_text(request.model)
    if request.executes is not None:
        found[names.TOOL_NAME] = safe_text(request.executes.name)
        if request.executes.id is not None:
            found[names.TOOL_CALL_ID] = safe_text(request.executes.id)
    if request.server_address is not None:
        found[names.SERVER_ADDRESS] = safe_text(request.server_address)
        if request.server_port is not None:
            found[names.SERVER_PORT] = request.server_port
    if request.streaming:
        found[names.REQUEST_STREAM] = True
    if request.output_type is not None:
        found[names.OUTPUT_TYPE] = request.output_type
    if request.parameters:
        for name, value in islice(request.parameters.items(), MAX_PARAMETERS):
            found[names.REQUEST_PREFIX + name] = _safe_value(value)
    add_context(found, context, request.conversation)
    return found


def add_context(found: Attributes, context: CallContext, conversation: str | None = None) -> None:
    """Add what the application said about the work; its own ``conversation`` goes before the provider's."""
    conversation = context.conversation or conversation
    if conversation is not None:
        found[names.CONVERSATION_ID] = safe_text(conversation)
    if context.user is not None:
        found[names.USER_ID] = safe_text(context.user)
    if context.scope is not None or context.standing is not None:
        for name, value in scope_attributes(context).items():
            found[name] = safe_text(value)


def at_end(
    response: Response | None, decision: Decision | None, kind: EndKind, error: str | None, timing: Timing
) -> Attributes:
    """What is known once the call is over, the summary of the decision last."""
    found: Attributes = {}
    if decision is not None and has_exceptions(decision.summary):
        _clauses(found, decision.summary)
    if timing.time_to_first_chunk_s is not None:
        found[names.RESPONSE_TIME_TO_FIRST_CHUNK] = timing.time_to_first_chunk_s
    if response is not None:
        _response(found, response)
    add_ending(found, kind, error)
    if decision is not None:
        _decision(found, decision)
    return found


def add_ending(found: Attributes, kind: EndKind, error: str | None) -> None:
    """Add how it ended, where that was not by completing; ``error`` is its `error_type`."""
    if kind is EndKind.CLOSED or kind is EndKind.ABANDONED:
        found[names.STREAM_END] = kind.value
    if error is not None:
        found[names.ERROR_TYPE] = error


def error_type(ending: Ending) -> str | None:
    """``error.type``: the name of the exception's class, or a name of ours; None when it ended well."""
    if ending.kind is EndKind.COMPLETED or ending.kind is EndKind.CLOSED or ending.kind is EndKind.ABANDONED:
        return None
    if ending.kind is EndKind.BLOCKED or isinstance(ending.error, Blocked):
        return names.ERROR_BLOCKED
    if ending.error is not None:
        return type(ending.error).__qualname__
    return "CancelledError" if ending.kind is EndKind.CANCELLED else "_OTHER"


def spec_attribute(specs: tuple[SpecRef, ...], field: str) -> Attribute | None:
    """A field of the one spec in force; of several, an array in their order."""
    if len(specs) == 1:
        value: str | None = getattr(specs[0], field)
        return value
    return tuple(getattr(spec, field) or "" for spec in specs) or None


def clauses_worst_first(summary: Summary) -> Iterator[tuple[str, str]]:
    """Every clause that did not comply, with its outcome, the worst outcome first."""
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
    """Whether any clause did something else than comply."""
    return bool(summary.violated or summary.errored or summary.uncertain or summary.pending or summary.overridden)


def _safe_value(value: Attribute) -> Attribute:
    if isinstance(value, str):
        return safe_text(value)
    if isinstance(value, tuple):
        return tuple(safe_text(item) for item in value[:MAX_PARAMETERS])
    return value


def _response(found: Attributes, response: Response) -> None:
    if response.id is not None:
        found[names.RESPONSE_ID] = safe_text(response.id)
    if response.model is not None:
        found[names.RESPONSE_MODEL] = safe_text(response.model)
    if response.finish_reasons:
        found[names.RESPONSE_FINISH_REASONS] = _safe_value(response.finish_reasons)
    if response.usage is not NOT_COUNTED:
        found.update(usage(response))


def usage(response: Response) -> Mapping[str, int]:
    """The token counts that the provider gave."""
    counts = response.usage
    given = (
        counts.input_tokens,
        counts.output_tokens,
        counts.cache_read_input_tokens,
        counts.cache_write_input_tokens,
        counts.reasoning_output_tokens,
    )
    return {name: count for name, count in zip(names.USAGE, given) if count is not None}  # noqa: B905 - hot


def _clauses(found: Attributes, summary: Summary) -> None:
    for clause, outcome in islice(clauses_worst_first(summary), MAX_CLAUSES):
        # a clause with several outcomes keeps its worst
        found.setdefault(names.CLAUSE_PREFIX + clause[:MAX_NAME_CHARS], outcome)


def _decision(found: Attributes, decision: Decision) -> None:
    summary = decision.summary
    found.update(_texts(decision.specs, decision.policy_digest))
    if decision.released_chars is not None:
        found[names.STREAM_RELEASED_CHARS] = decision.released_chars
    if decision.redacted:
        found[names.REDACTIONS] = decision.redacted
    if decision.governing_clause is not None:
        found[names.DECISION_GOVERNING_CLAUSE] = decision.governing_clause
    if decision.reason is not None:
        found[names.DECISION_REASON] = safe_text(decision.reason)
    if decision.would is not None:
        found[names.DECISION_WOULD] = str(decision.would)
    if has_exceptions(summary):
        _exceptions(found, summary)
    if decision.overrides:
        _refused(found, decision)
    found[names.CLAUSES_APPLIED] = summary.applied
    found[names.CLAUSES_CONSIDERED] = summary.considered
    found[names.CLAUSES_NOT_APPLICABLE] = summary.not_applicable
    found[names.CLAUSES_UNASSESSED] = summary.unassessed
    found[names.CLAUSES_PENDING] = len(summary.pending)
    found[names.DECISION_MODE] = str(decision.mode)
    found[names.DECISION_ACTION] = str(decision.action)
    found[names.DECISION_VERDICT] = str(decision.verdict)
    found[names.DECISION_ID] = decision.id


def _refused(found: Attributes, decision: Decision) -> None:
    clauses = (ruling.override.clause for ruling in decision.overrides if not ruling.granted)
    refused = tuple(safe_text(clause, MAX_NAME_CHARS) for clause in islice(dict.fromkeys(clauses), MAX_CLAUSES))
    if refused:
        found[names.OVERRIDES_REFUSED] = refused


def _exceptions(found: Attributes, summary: Summary) -> None:
    for name, clauses in (
        (names.CLAUSES_VIOLATED, summary.violated),
        (names.CLAUSES_UNCERTAIN, summary.uncertain),
        (names.CLAUSES_OVERRIDDEN, summary.overridden),
        (names.CLAUSES_ERRORED, summary.errored),
    ):
        if clauses:
            found[name] = clauses


@lru_cache(maxsize=16)
def _texts(specs: tuple[SpecRef, ...], policy_digest: str) -> Attributes:
    """Which texts were in force: the same for every call under one policy."""
    found = {name: spec_attribute(specs, field) for name, field in _SPEC_FIELDS}
    return {name: value for name, value in found.items() if value is not None} | {names.POLICY_DIGEST: policy_digest}


# MERGED findings: One finding as attributes: the same on span events and log records. Pure.


MAX_EVENTS = 64
"""Events of one span; the SDK keeps 128, and other instrumentation adds its own."""
MAX_EVIDENCE = 16

FAULTS = frozenset({Outcome.VIOLATED, Outcome.ERROR, Outcome.UNCERTAIN})
"""Outcomes of a clause that was looked at and did not comply."""
APPLIED = FAULTS | {Outcome.COMPLIED, Outcome.OVERRIDDEN}
"""Outcomes of a clause that had a bearing on the call."""


def finding_attributes(finding: Finding, *, explained: bool) -> Attributes:
    """A finding's attributes; its explanation only where ``explained``, as it may quote content."""
    found: Attributes = {
        names.FINDING_CLAUSE: finding.clause,
        names.FINDING_AUTHORITY: finding.authority,
        names.FINDING_SEVERITY: finding.severity.value,
        names.FINDING_OUTCOME: finding.outcome.value,
        names.FINDING_STAGE: finding.stage.value,
        names.FINDING_ACTION: finding.action.value,
    }
    if finding.reason is not None:
        found[names.FINDING_REASON] = safe_text(finding.reason)
    if finding.score is not None:
        found[names.FINDING_SCORE] = finding.score
    if finding.evidence:
        found[names.FINDING_EVIDENCE] = tuple(
            f"{piece.pointer}:{piece.start}-{piece.end}" for piece in finding.evidence[:MAX_EVIDENCE]
        )
    if finding.check is not None:
        found[names.CHECK_NAME] = finding.check.name
        found[names.CHECK_KIND] = finding.check.mechanism.value
        found[names.CHECK_VERSION] = finding.check.version
    if explained and finding.explanation is not None:
        found[names.FINDING_EXPLANATION] = safe_text(finding.explanation)
    return found


def faulty_findings(decision: Decision) -> Iterator[Finding]:
    """The findings that did not comply."""
    return (finding for finding in decision.findings if finding.outcome in FAULTS)


def findings_for_events(decision: Decision, which: FindingEvents) -> list[Finding]:
    """The findings that become span events, the worst first."""
    if which is FindingEvents.NONE:
        return []
    if which is FindingEvents.ALL:
        return sorted(decision.findings, key=lambda finding: -OUTCOME_SEVERITY[finding.outcome])
    summary = decision.summary
    if not (summary.violated or summary.uncertain or summary.errored):
        return []
    return sorted(faulty_findings(decision), key=lambda finding: -OUTCOME_SEVERITY[finding.outcome])
