"""Policy record v2: everything that is the same for all calls under one policy, written once. Pure.

It is named by its own digest, and lists every assessment that the policy can make, so that a decision names most of its
findings by their numbers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from specspan.decision import CheckRef, SpecRef, Stage
from specspan.policy.policy import ALWAYS, Policy
from specspan.record.attributes import safe_text
from specspan.record.finding_references import AssessmentKey, FindingReferences

VERSION = 2

Record = dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class PolicyRecord:
    """Record of a policy, and the index by which decisions refer to it."""

    id: str
    """``sha256:`` and the hex digest of the content as canonical JSON, which names neither time nor service."""
    content: Record = field(repr=False)
    specs: list[Record]
    """Id and version of each spec, as decisions name them."""
    reference: Record
    """Digest of the policy and id of its record, as decisions name them."""
    references: FindingReferences = field(repr=False)
    """Index of the findings."""
    overrides: int = 0
    """Number of overrides that the policy declares; those of a call come after them."""

    def activation(self, time_unix_nano: int, service: Record) -> Record:
        """Return the record as it is handed over: with the service in which it came into force, and when."""
        head = {"v": VERSION, "type": "policy", "id": self.id, "time_unix_nano": time_unix_nano, "service": service}
        return head | self.content


def build_policy_record(policy: Policy) -> PolicyRecord:
    """Return the record of a policy."""
    listed = list(_assessments(policy))
    assessments = [key for key, _ in listed]
    content: Record = {
        "spec": [spec_record(spec.ref) for spec in policy.specs],
        "policy": _policy(policy),
        "mode": policy.mode.value,
        "levels": dict(policy.authority.ranks),
        "clauses": list(_clauses(policy)),
        "assessments": [_assessment(key) for key in assessments],
    }
    if any(definition for _, definition in listed):
        content["definitions"] = [definition for _, definition in listed]
    record_id = _digest(content)
    return PolicyRecord(
        id=record_id,
        content=content,
        specs=[{name: text for name, text in spec.items() if name != "digest"} for spec in content["spec"]],
        reference={"digest": policy.digest, "record": record_id},
        references=FindingReferences(assessments),
        overrides=len(policy.overrides),
    )


def spec_record(spec: SpecRef) -> Record:
    """Return the record of a spec that was in force."""
    return without_nulls({"id": spec.id, "version": spec.version, "digest": spec.digest})


def check_record(check: CheckRef) -> Record:
    """Return the record of a check."""
    return {"name": check.name, "kind": check.mechanism.value, "version": check.version}


def without_nulls(record: Record) -> Record:
    """Return a record without the members that have no value."""
    return {name: value for name, value in record.items() if value is not None}


def _assessments(policy: Policy) -> Iterator[tuple[AssessmentKey, str | None]]:
    """Yield every assessment, and the digest of its check's definition, in the order of the findings of a call.

    That is by clause as in the specs, then by check.

    A clause that is for some circumstances only has one without a check, for calls on which it has no bearing.
    """
    order = {name: place for place, name in enumerate(policy.authority.clauses)}
    for bound in sorted(policy.clauses.values(), key=lambda each: order.get(each.clause.id, 0)):
        clause, authority = bound.clause.id, bound.clause.authority or ""
        if bound.when != ALWAYS:
            yield (clause, authority, bound.severity, bound.action, Stage.OUTPUT, None), None
        for binding in bound.checks:
            stage, ref = binding.check.traits.stage, binding.check.ref
            yield (clause, authority, bound.severity, bound.action, stage, ref), binding.definition


def _assessment(key: AssessmentKey) -> Record:
    clause, authority, severity, action, stage, check = key
    record: Record = {
        "clause": clause,
        "authority": authority,
        "severity": severity.value,
        "action": action.value,
        "stage": stage.value,
    }
    return record if check is None else record | {"check": check_record(check)}


def _policy(policy: Policy) -> Record:
    record: Record = {"digest": policy.digest}
    if policy.environment is not None:
        record["environment"] = policy.environment
    layers = [{"source": safe_text(layer.source), "digest": layer.digest} for layer in policy.layers]
    return record | {"layers": layers}


def _clauses(policy: Policy) -> Iterator[Record]:
    for clause in policy.authority.binding:
        bound = policy.clauses.get(clause.id)
        is_checked = bound is not None and bool(bound.checks)
        record: Record = {
            "id": clause.id,
            "title": clause.title,
            "authority": clause.authority,
            "checked": is_checked,
            "mode": policy.mode_of(clause.id).value,
        }
        is_reviewed = bound is not None and bound.review is not None
        yield record | {"text": clause.text} if is_reviewed else record


def _digest(content: Record) -> str:
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
