"""Decision record v2, as ledger, database and JSON hold it. Pure; made on an exporter's thread.

What is the same for every call under one policy stands in the policy's record (`specspan.record.policy_record`), which
the decision names.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from specspan._support.caches import BoundedCache
from specspan._support.process import process_identity
from specspan.call import CallContext, ModelCall, Reasoning, Response, Side, Unknown, Usage
from specspan.decision import Decision, Evidence, Finding, Outcome, OverrideRuling, ReviewNeed, SpecRef
from specspan.policy.policy import Policy
from specspan.record import conventions as names
from specspan.record.attributes import safe_text, scope_attributes
from specspan.record.call_end import CallRecord
from specspan.record.content_digest import ContentDigest
from specspan.record.decision_template import DecisionTemplates, encode_record
from specspan.record.finding_references import Findings
from specspan.record.late_finding import PENDING_S, LateFinding, judgement_record, late_record
from specspan.record.notice import Notice, notice_record
from specspan.record.policy_record import (
    VERSION,
    PolicyRecord,
    build_policy_record,
    check_record,
    spec_record,
    without_nulls,
)
from specspan.record.settings import Content, Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

_ANSWER = frozenset((Side.OUTPUT, Side.TOOL_CALLS, Side.ARGUMENTS))
_MAX_POLICIES = 64
_NO_DECISION = "a call without a decision has no decision record"
_USAGE = tuple(counter.name for counter in fields(Usage))

Record = dict[str, Any]
Recorded: TypeAlias = "CallRecord | LateFinding | PolicyActivation | Notice"
"""Item that becomes a record for the exporters of decision records."""
_PolicyKey: TypeAlias = "tuple[str, tuple[SpecRef, ...]]"
"""Digests of a policy and of its specs, which a decision knows of the policy it was made under."""


@dataclass(frozen=True, slots=True)
class Service:
    """Service that records, as its resource describes it."""

    name: str
    version: str | None = None
    instance: str | None = None


@dataclass(frozen=True, slots=True)
class PolicyActivation:
    """Moment at which a policy, and its specs, came into force."""

    policy: Policy
    time_unix_nano: int


class EncodedRecord(NamedTuple):
    """Record as a ledger takes it."""

    type: str
    id: str
    policy: str | None
    """Id of the policy record that a decision names."""
    data: bytes
    """Canonical JSON, the time as a string."""


@dataclass(slots=True)
class RecordBuilder:
    """Builder of the records of one service.

    A decision refers to the record of its policy if that was announced by `add_policy`; else it says everything itself.
    """

    service: Service
    with_explanations: bool = False
    """True where explanations, which may quote content, are recorded."""
    digest_key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    _service: Record = field(init=False, repr=False)
    _activations: BoundedCache[_PolicyKey, PolicyActivation] = field(init=False, repr=False)
    _records: BoundedCache[int, tuple[PolicyActivation, PolicyRecord]] = field(init=False, repr=False)
    """By identity of an activation, the record of its policy: made by whichever thread needs it first."""
    _digest: ContentDigest = field(init=False, repr=False)
    _templates: DecisionTemplates = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._digest = ContentDigest(self.digest_key)
        self._templates = DecisionTemplates(self._decision, self._digest)
        self._service = without_nulls(asdict(self.service))
        self._activations = BoundedCache(_MAX_POLICIES)
        self._records = BoundedCache(_MAX_POLICIES)

    def add_policy(self, activation: PolicyActivation) -> None:
        """Have decisions under a policy refer to its record from now on."""
        policy = activation.policy
        self._activations[policy.digest, tuple(spec.ref for spec in policy.specs)] = activation

    def build(self, item: Recorded) -> Record:
        """Return the record of a decision, a finding that came late, a policy that came into force, or a notice."""
        if isinstance(item, Notice):
            return notice_record(item, VERSION, self._service)
        if isinstance(item, LateFinding):
            return self._late_finding(item)
        return self._activation(item) if isinstance(item, PolicyActivation) else self._decision(item)

    def encode(self, item: CallRecord | LateFinding) -> EncodedRecord:
        """Return the record of a decision or late finding as canonical JSON, fast where little of it is new."""
        if isinstance(item, LateFinding):
            record = self._late_finding(item)
            return EncodedRecord(record["type"], item.id, record["policy"].get("record"), encode_record(record))
        decision = item.decision
        if decision is None:
            raise ValueError(_NO_DECISION)
        policy = self._policy_of(decision)
        data = self._templates.encode(item, decision, policy)
        return EncodedRecord("decision", decision.id, None if policy is None else policy.id, data)

    def policy_record(self, record_id: str) -> Record | None:
        """Return the policy record of an id, for an exporter that lacks it; None for one of somebody else."""
        for activation, record in list(self._records.values()):
            if record.id == record_id:
                return record.activation(activation.time_unix_nano, self._service)
        return None

    def _activation(self, activation: PolicyActivation) -> Record:
        return self._policy_record(activation).activation(activation.time_unix_nano, self._service)

    def _policy_of(self, decision: Decision) -> PolicyRecord | None:
        activation = self._activations.get((decision.policy_digest, decision.specs))
        return None if activation is None else self._policy_record(activation)

    def _policy_record(self, activation: PolicyActivation) -> PolicyRecord:
        known = self._records.get(id(activation))
        if known is None:
            known = self._records[id(activation)] = activation, build_policy_record(activation.policy)
        return known[1]

    def _decision(self, call_record: CallRecord) -> Record:
        decision = call_record.decision
        if decision is None:
            raise ValueError(_NO_DECISION)
        span = call_record.span_context
        policy = self._policy_of(decision)
        record: Record = {
            "v": VERSION,
            "type": "decision",
            "id": decision.id,
            "time_unix_nano": decision.time_unix_nano,
        }
        if span.is_valid:
            record |= {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"}
        record["service"] = self._service
        if policy is None:
            record |= {
                "spec": [spec_record(spec) for spec in decision.specs],
                "policy": {"digest": decision.policy_digest},
            }
        else:
            record |= {"spec": policy.specs, "policy": policy.reference}
        record["call"] = self._call(call_record)
        record |= _ruling(decision)
        record |= self._findings(decision, policy)
        record["counts"] = {
            "considered": decision.summary.considered,
            "not_applicable": decision.summary.not_applicable,
            "unassessed": decision.summary.unassessed,
        }
        if overhead_ns := sum(call_record.timing.overhead_ns.values()):
            record["overhead_ns"] = overhead_ns
        record |= _effects(decision, None if policy is None else policy.overrides)
        if decision.reviews:
            record["reviews"] = self._reviews(decision.reviews)
        if any(finding["outcome"] == Outcome.PENDING for finding in record.get("findings", ())):
            until = decision.time_unix_nano + int(PENDING_S * 1e9)
            record["pending"] = {"until_unix_nano": until, "process": process_identity()}
        return record

    def _late_finding(self, late: LateFinding) -> Record:
        span, policy = late.span_context, self._policy_of(late.after)
        head: Record = {"v": VERSION, "id": late.id, "time_unix_nano": late.time_unix_nano}
        if span.is_valid:
            head |= {"trace_id": f"{span.trace_id:032x}", "span_id": f"{span.span_id:016x}"}
        head["service"] = self._service
        head["policy"] = {"digest": late.after.policy_digest} if policy is None else policy.reference
        record = late_record(late, self._finding(late.position, late.finding), head)
        return record | {"reviews": self._reviews(late.reviews)} if late.reviews else record

    def _reviews(self, needs: Sequence[ReviewNeed]) -> list[Record]:
        return [
            without_nulls(
                {
                    "clause": need.clause,
                    "outcome": need.outcome.value,
                    "causes": [cause.value for cause in need.causes],
                    "rulings": need.rulings,
                    "expires_unix_nano": need.expires_unix_nano,
                    "content": self.with_explanations,
                }
            )
            for need in needs
        ]

    def _call(self, call_record: CallRecord) -> Record:
        call, decision = call_record.call, call_record.decision
        request, response, gaps = call.request, call.response, call.gaps
        record = {
            "provider": request.provider,
            "operation": request.operation,
            "model": _text(request.model),
            "tool": _text(request.executes.name) if request.executes is not None else None,
            "response_id": _text(response.id) if response is not None else None,
            "input_digest": self._digest.of(call.input) if gaps.input is None else None,
            "output_digest": self._digest.of(call.output) if gaps.reason_for(_ANSWER) is None else None,
            "usage": _usage(response) or None,
            "scope": _scope(call.context),
            "dialect": call_record.dialect,
            "unread": None if decision is None else _unread(call, decision) or None,
        }
        return without_nulls(record)

    def _findings(self, decision: Decision, policy: PolicyRecord | None) -> Record:
        if policy is None:
            found = Findings({}, list(enumerate(decision.findings)), {}, {})
        else:
            found = policy.references.refer(
                decision.findings, decision.governing_clause, with_explanations=self.with_explanations
            )
        record: Record = {}
        if found.outcomes:
            record["outcomes"] = found.outcomes
        if found.scores:
            record["scores"] = found.scores
        if found.durations_ns:
            record["durations_ns"] = found.durations_ns
        if found.in_full:
            record["findings"] = [self._finding(position, finding) for position, finding in found.in_full]
        return record

    def _finding(self, position: int, finding: Finding) -> Record:
        record: Record = {
            "position": position,
            "clause": finding.clause,
            "authority": finding.authority,
            "outcome": finding.outcome.value,
            "severity": finding.severity.value,
            "action": finding.action.value,
            "score": finding.score,
            "reason": _text(finding.reason),
            "stage": finding.stage.value,
            "check": None if finding.check is None else check_record(finding.check),
            "evidence": [_evidence(piece) for piece in finding.evidence] or None,
            "duration_ns": finding.duration_ns or None,
            **judgement_record(finding),
        }
        if self.with_explanations and finding.explanation is not None:
            record["explanation"] = safe_text(finding.explanation)
        return without_nulls(record)


def kind_of(item: Recorded | Mapping[str, Any]) -> str:
    """Return the kind of an item in loss counts: a lost policy is no lost decision, nor is a late finding."""
    if isinstance(item, Mapping):
        kind: str = item["type"]
        return kind
    if isinstance(item, Notice):
        return item.type
    if isinstance(item, LateFinding):
        return "finding"
    return "policy" if isinstance(item, PolicyActivation) else "decision"


def record_builder(settings: Settings, resource: Resource | None) -> RecordBuilder:
    """Return the builder of the records of a service, as its settings and its resource describe them."""
    service = service_from_resource(resource.attributes if resource is not None else {})
    with_explanations = settings.content is not Content.NO_CONTENT
    if settings.digest_key is None:
        return RecordBuilder(service, with_explanations)
    return RecordBuilder(service, with_explanations, settings.digest_key)


def service_from_resource(resource: Mapping[str, Any]) -> Service:
    """Return the service that a resource describes."""
    version, instance = resource.get("service.version"), resource.get("service.instance.id")
    return Service(
        str(resource.get("service.name") or "unknown_service"),
        None if version is None else str(version),
        None if instance is None else str(instance),
    )


def _scope(context: CallContext) -> Record | None:
    """Return the scope of autonomy in force, its digest None where the scope cannot be read; None without a scope."""
    if context.scope is None and context.standing is None:
        return None
    values = scope_attributes(context)
    return without_nulls({"digest": values.get(names.SCOPE_DIGEST), "trust": values.get(names.SCOPE_TRUST)})


def _unread(call: ModelCall, decision: Decision) -> Record:
    """Return the number of parts that no check could read, or asked for, by kind; empty where there are none."""
    classes = [part.__class__ for message in (*call.input, *call.output) for part in message.parts]
    counts = {
        "reasoning": 0 if decision.reads_reasoning else classes.count(Reasoning),
        "not_understood": classes.count(Unknown),
    }
    return {kind: count for kind, count in counts.items() if count}


def _usage(response: Response | None) -> Record:
    if response is None:
        return {}
    counts = ((name, getattr(response.usage, name)) for name in _USAGE)
    return {name: count for name, count in counts if count is not None}


def _ruling(decision: Decision) -> Record:
    record = {
        "mode": decision.mode.value,
        "verdict": decision.verdict.value,
        "action": decision.action.value,
        "would": None if decision.would is None else decision.would.value,
        "governing_clause": decision.governing_clause,
        "reason": _text(decision.reason),
    }
    return without_nulls(record)


def _effects(decision: Decision, of_policy: int | None) -> Record:
    """Return the overrides that were asked for and what was done to the texts, where there is anything of it.

    ``of_policy``: number of the overrides, the first ones, that the policy declares; None where that is not known.
    """
    record: Record = {}
    if decision.overrides:
        known = len(decision.overrides) if of_policy is None else of_policy
        record["overrides"] = [
            _override(ruling) | ({"of_call": True} if place >= known else {})
            for place, ruling in enumerate(decision.overrides)
        ]
    if decision.redacted:
        record["redacted"] = list(decision.redacted)
    if decision.released_chars is not None:
        record["stream"] = {"released_chars": decision.released_chars}
    return record


def _override(ruling: OverrideRuling) -> Record:
    override = ruling.override
    record = {
        "clause": override.clause,
        "by": override.by,
        "granted": ruling.granted,
        "kind": override.kind.value,
        "reason": safe_text(override.reason),
        "until": None if override.until is None else override.until.isoformat(),
        "source": _source(override.source),
        "refusal": ruling.refusal,
    }
    return without_nulls(record)


def _source(source: str | Evidence | None) -> Record | None:
    if source is None:
        return None
    return (
        {"pointer": safe_text(source)}
        if isinstance(source, str)
        else {**_evidence(source), "pointer": safe_text(source.pointer)}
    )


def _evidence(piece: Evidence) -> Record:
    return {"pointer": piece.pointer, "start": piece.start, "end": piece.end}  # `asdict` takes ten times as long


def _text(text: str | None) -> str | None:
    return None if text is None else safe_text(text)
