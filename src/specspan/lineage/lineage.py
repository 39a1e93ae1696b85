"""Lineage of a decision as one document: every link of the chain, or why it is not known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from specspan.calibration.calibration_file import Calibration, JudgeCalibration
from specspan.checks.judging.judge_check import JudgeCheck
from specspan.checks.judging.rubrics import load_rubric
from specspan.lineage.policy_source import PolicySource
from specspan.spec.spec import Clause, Spec

Record = Mapping[str, Any]
Document = dict[str, Any]

_ORDINARY = frozenset(("complied", "not_applicable", "unassessed"))


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything that a lineage is read from, as far as it is at hand."""

    decision: Record
    """Decision record, with every finding in full."""
    policy_record: Record | None
    policy: PolicySource
    specs: Sequence[Spec]
    """Texts that the user names, besides those of the policy."""
    calibrations: Sequence[Calibration] = ()
    has_content: bool = False
    """True where the content of the call is recorded."""
    reviews: Sequence[Document] = ()
    ledger: Document | None = None
    """Place, checkpoint and proof; None where no ledger was named."""
    lacks: Sequence[str] = field(default_factory=tuple)
    """What else is missing, in sentences."""


def build_lineage(sources: Sources, clauses: Sequence[str]) -> Document:
    """Return the lineage of a decision, of some clauses; without any, of those that deviate, or else of all checked."""
    decision = sources.decision
    lacks = [*sources.lacks, *sources.policy.lacks]
    shown = list(clauses) or _deviating(decision)
    document: Document = {
        "v": 1,
        "type": "lineage",
        "decision": {
            key: decision.get(key)
            for key in ("id", "time_unix_nano", "verdict", "action", "would", "mode", "governing_clause", "reason")
        },
        "call": {**_call(decision), "content_recorded": sources.has_content},
        "spec": list(decision.get("spec") or ()),
        "policy": _policy(sources),
        "clauses": [_clause(sources, name, lacks) for name in shown],
        "overrides": list(decision.get("overrides") or ()),
        "amended": decision.get("amended"),
        "reviews": list(sources.reviews),
        "ledger": sources.ledger,
    }
    return document | {"lacks": list(dict.fromkeys(lacks))}


def _deviating(decision: Record) -> list[str]:
    governing = decision.get("governing_clause")
    findings = decision.get("findings") or ()
    found = [str(each.get("clause")) for each in findings if each.get("outcome") not in _ORDINARY]
    names = [*([str(governing)] if governing else []), *found]
    if not names:
        names = [str(each.get("clause")) for each in findings if each.get("check")]
    return list(dict.fromkeys(names))


def _call(decision: Record) -> Document:
    call = decision.get("call") or {}
    service = decision.get("service") or {}
    return {
        "trace_id": decision.get("trace_id"),
        "span_id": decision.get("span_id"),
        "service": {name: value for name, value in service.items() if value is not None},
        **{name: value for name, value in call.items() if value not in (None, {})},
    }


def _policy(sources: Sources) -> Document:
    recorded = sources.policy_record or {}
    return {
        **(sources.decision.get("policy") or {}),
        "record": recorded.get("id"),
        "environment": (recorded.get("policy") or {}).get("environment"),
        "files": list((recorded.get("policy") or {}).get("layers") or ()),
        "is_at_hand": sources.policy.policy is not None,
    }


def _clause(sources: Sources, name: str, lacks: list[str]) -> Document:
    listed = (sources.policy_record or {}).get("clauses") or ()
    recorded: Record = next((each for each in listed if each.get("id") == name), {})
    findings = [each for each in sources.decision.get("findings") or () if each.get("clause") == name]
    if not findings:
        lacks.append(f"The decision has no finding about {name!r}: no check is bound to it, or it is another spec's.")
    clause, spec = _text_of(sources, name)
    if clause is None and "text" not in recorded:
        lacks.append(f"The text of {name!r} is not here: no spec at hand has the digest of then; --spec names one.")
    return {
        "clause": name,
        "title": recorded.get("title") or (None if clause is None else clause.title),
        "authority": recorded.get("authority") or (None if clause is None else clause.authority),
        "mode": recorded.get("mode"),
        "text": recorded.get("text") if clause is None else clause.text,
        "text_of": None if spec is None else {"id": spec.id, "version": spec.version, "digest": spec.digest},
        "bound_at": [
            {"file": each.file, "line": each.line, "what": each.what, "definition": each.definition}
            for each in sources.policy.lines(name)
        ],
        "findings": [_finding(sources, each, lacks) for each in findings],
    }


def _text_of(sources: Sources, name: str) -> tuple[Clause | None, Spec | None]:
    """Return a clause in the text whose digest the decision names."""
    wanted = {str(each.get("digest")) for each in sources.decision.get("spec") or ()}
    policy = sources.policy.policy
    for spec in (*(() if policy is None else policy.specs), *sources.specs):
        if spec.digest in wanted and (clause := spec.clauses.get(name.rpartition("/")[2])) is not None:
            return clause, spec
    return None, None


def _finding(sources: Sources, finding: Record, lacks: list[str]) -> Document:
    told = {name: value for name, value in finding.items() if value not in (None, [], {}, 0)}
    check = finding.get("check") or {}
    if check.get("kind") == "judge":
        told["judge"] = _judge(sources, finding, str(check.get("version")), lacks)
    return told


def _judge(sources: Sources, finding: Record, version: str, lacks: list[str]) -> Document:
    clause = str(finding.get("clause"))
    found: Document = {"digest": version, "prompt": None, "calibration": None}
    for binding in sources.policy.bindings(clause):
        check = binding.check
        if isinstance(check, JudgeCheck) and check.ref.version == version:
            settings = check.judge.settings
            rubric = load_rubric(settings.rubric)
            found["prompt"] = {"rubric": rubric.name, "instructions": rubric.text, "order": settings.order.value}
            found["model"] = check.judge.model.name
            found["parameters"] = dict(settings.parameters)
            found["samples"] = settings.samples
    if found["prompt"] is None:
        lacks.append(f"The prompt of the judge of {clause!r} is not here: no policy at hand has a judge of its digest.")
    calibration = next(_calibrations(sources, clause, version), None)
    if calibration is None:
        lacks.append(f"No calibration of the judge of {clause!r} is at hand; --calibration names one.")
    else:
        found["calibration"] = _calibration(*calibration)
    return found


def _calibrations(sources: Sources, clause: str, version: str) -> Iterator[tuple[Calibration, JudgeCalibration]]:
    for each in reversed(sources.calibrations):
        found = each.find(clause, version)
        if found is not None:
            yield each, found


def _calibration(calibration: Calibration, judge: JudgeCalibration) -> Document:
    errors = judge.errors
    return {
        "digest": calibration.digest,
        "labels": {"source": calibration.labels_source, "digest": calibration.labels_digest},
        "time_unix_nano": calibration.time_unix_nano,
        "sensitivity": {"found": errors.found, "of": errors.violations},
        "specificity": {"cleared": errors.cleared, "of": errors.others},
    }
