"""Decision record v1, as ledger, database and JSON hold it. Pure; made on an exporter's thread.

Digests of content are keyed (HMAC-SHA256): a plain hash of a short text can be guessed.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from specspan._support.caches import IdentityCache
from specspan.call import CallContext, Message, ModelCall, Reasoning, Response, Side, Unknown, Usage
from specspan.decision import Decision, Evidence, Finding, OverrideRuling, SpecRef
from specspan.policy.policy import Policy
from specspan.record import content
from specspan.record import conventions as names
from specspan.record.attributes import safe_text, scope_attributes
from specspan.record.call_end import CallRecord

VERSION = 1
_ANSWER = frozenset((Side.OUTPUT, Side.TOOL_CALLS, Side.ARGUMENTS))
_MAX_SHARED = 4096
_USAGE = tuple(counter.name for counter in fields(Usage))

Record = dict[str, Any]


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


@dataclass(slots=True)
class RecordBuilder:
    """Builder of the records of one service."""

    service: Service
    with_explanations: bool = False
    """True where explanations, which may quote content, are recorded."""
    digest_key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    _service: Record = field(init=False, repr=False)
    _shared: IdentityCache[Finding, Record] = field(default_factory=lambda: IdentityCache(_MAX_SHARED), repr=False)
    """Records of findings that are one object for many calls, as those of clauses that complied are."""

    def __post_init__(self) -> None:
        self._service = asdict(self.service)

    def build(self, item: CallRecord | PolicyActivation) -> Record:
        """Return the record of a decision, or of a policy that came into force."""
        return self._policy(item) if isinstance(item, PolicyActivation) else self._decision(item)

    def _decision(self, call_record: CallRecord) -> Record:
        decision = call_record.decision
        if decision is None:
            raise ValueError("a call without a decision has no decision record")
        span = call_record.span_context
        return {
            "v": VERSION,
            "type": "decision",
            "id": decision.id,
            "time_unix_nano": decision.time_unix_nano,
            "trace_id": f"{span.trace_id:032x}" if span.is_valid else None,
            "span_id": f"{span.span_id:016x}" if span.is_valid else None,
            "service": self._service,
            "spec": [_spec(spec) for spec in decision.specs],
            "policy": {"digest": decision.policy_digest},
            "call": self._call(call_record.call)
            | ({} if call_record.dialect is None else {"dialect": call_record.dialect})
            | _unread(call_record.call, decision),
            **_ruling(decision),
            "findings": self._findings(decision.findings),
            "counts": {
                "considered": decision.summary.considered,
                "not_applicable": decision.summary.not_applicable,
                "unassessed": decision.summary.unassessed,
            },
            "overrides": [_override(ruling) for ruling in decision.overrides],
            "redacted": list(decision.redacted),
            "stream": {"released_chars": decision.released_chars},
        }

    def _policy(self, item: PolicyActivation) -> Record:
        policy = item.policy
        return {
            "v": VERSION,
            "type": "policy",
            "time_unix_nano": item.time_unix_nano,
            "service": self._service,
            "spec": [_spec(spec.ref) for spec in policy.specs],
            "policy": {
                "digest": policy.digest,
                "environment": policy.environment,
                "layers": [{"source": safe_text(layer.source), "digest": layer.digest} for layer in policy.layers],
            },
            "mode": policy.mode.value,
            "clauses": [
                {
                    "id": clause.id,
                    "title": clause.title,
                    "authority": clause.authority,
                    "checked": clause.id in policy.clauses and bool(policy.clauses[clause.id].checks),
                    "mode": policy.mode_of(clause.id).value,
                }
                for clause in policy.authority.binding
            ],
        }

    def _call(self, call: ModelCall) -> Record:
        request, response, gaps = call.request, call.response, call.gaps
        return {
            "provider": request.provider,
            "operation": request.operation,
            "model": _text(request.model),
            "tool": _text(request.executes.name) if request.executes is not None else None,
            "response_id": _text(response.id) if response is not None else None,
            "input_digest": self._digest(call.input) if gaps.input is None else None,
            "output_digest": self._digest(call.output) if gaps.reason_for(_ANSWER) is None else None,
            "usage": _usage(response),
            "scope": _scope(call.context),
        }

    def _digest(self, messages: Sequence[Message]) -> str | None:
        """Return the keyed digest of messages in the conventions' shape, as JSON with sorted keys; None for none."""
        if not messages:
            return None
        shape = [content.message_as_json(message) for message in messages]
        try:
            text = _canonical(shape)
        except (TypeError, ValueError, RecursionError):  # cycles, keys that are no strings, integers without end
            text = _canonical(content.as_json_value(shape))
        return "hmac-sha256:" + hmac.new(self.digest_key, text.encode(), hashlib.sha256).hexdigest()

    def _findings(self, findings: Sequence[Finding]) -> list[Record]:
        shared = self._shared.get
        return [shared(finding) or self._finding(finding) for finding in findings]

    def _finding(self, finding: Finding) -> Record:
        record = self._finding_record(finding)
        if finding.duration_ns or finding.evidence or finding.explanation is not None:
            return record
        return self._shared.put(finding, record)

    def _finding_record(self, finding: Finding) -> Record:
        check = finding.check
        record: Record = {
            "clause": finding.clause,
            "authority": finding.authority,
            "outcome": finding.outcome.value,
            "severity": finding.severity.value,
            "action": finding.action.value,
            "score": finding.score,
            "reason": _text(finding.reason),
            "stage": finding.stage.value,
            "check": None
            if check is None
            else {"name": check.name, "kind": check.mechanism.value, "version": check.version},
            "evidence": [asdict(piece) for piece in finding.evidence],
            "duration_ns": finding.duration_ns,
        }
        if self.with_explanations and finding.explanation is not None:
            record["explanation"] = safe_text(finding.explanation)
        return record


def service_from_resource(resource: Mapping[str, Any]) -> Service:
    """Return the service that a resource describes."""
    version, instance = resource.get("service.version"), resource.get("service.instance.id")
    return Service(
        str(resource.get("service.name") or "unknown_service"),
        None if version is None else str(version),
        None if instance is None else str(instance),
    )


def _canonical(shape: Any) -> str:
    return json.dumps(shape, sort_keys=True, separators=(",", ":"), default=content.as_json_value)


def _scope(context: CallContext) -> Record | None:
    """Return the scope of autonomy in force, its digest None where the scope cannot be read; None without a scope."""
    if context.scope is None and context.standing is None:
        return None
    values = scope_attributes(context)
    return {"digest": values.get(names.SCOPE_DIGEST), "trust": values.get(names.SCOPE_TRUST)}


def _unread(call: ModelCall, decision: Decision) -> Record:
    """Return the number of parts that no check could read, or asked for; nothing where there are none."""
    classes = [part.__class__ for message in (*call.input, *call.output) for part in message.parts]
    counts = {
        "reasoning": 0 if decision.reads_reasoning else classes.count(Reasoning),
        "not_understood": classes.count(Unknown),
    }
    counts = {kind: count for kind, count in counts.items() if count}
    return {"unread": counts} if counts else {}


def _usage(response: Response | None) -> Record:
    if response is None:
        return {}
    counts = ((name, getattr(response.usage, name)) for name in _USAGE)
    return {name: count for name, count in counts if count is not None}


def _ruling(decision: Decision) -> Record:
    return {
        "mode": decision.mode.value,
        "verdict": decision.verdict.value,
        "action": decision.action.value,
        "would": None if decision.would is None else decision.would.value,
        "governing_clause": decision.governing_clause,
        "reason": _text(decision.reason),
    }


def _spec(spec: SpecRef) -> Record:
    return {"id": spec.id, "version": spec.version, "digest": spec.digest}


def _override(ruling: OverrideRuling) -> Record:
    override = ruling.override
    return {
        "clause": override.clause,
        "by": override.by,
        "granted": ruling.granted,
        "kind": override.kind.value,
        "reason": safe_text(override.reason),
        "until": None if override.until is None else override.until.isoformat(),
        "source": _source(override.source),
        "refusal": ruling.refusal,
    }


def _source(source: str | Evidence | None) -> Record | None:
    if source is None:
        return None
    return (
        {"pointer": safe_text(source)}
        if isinstance(source, str)
        else {**asdict(source), "pointer": safe_text(source.pointer)}
    )


def _text(text: str | None) -> str | None:
    return None if text is None else safe_text(text)
