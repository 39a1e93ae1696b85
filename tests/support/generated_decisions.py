"""Policies, findings and decisions made by hypothesis, and the full form that a decision's record is short for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from hypothesis import strategies as st
from opentelemetry.trace import SpanContext
from recording import CALL, decision

from specspan.checks.check import CheckTraits
from specspan.decision import (
    Action,
    CheckMechanism,
    CheckRef,
    Decision,
    Evidence,
    Finding,
    Mode,
    Outcome,
    Severity,
    Stage,
)
from specspan.policy.policy import ALWAYS, CheckBinding, ClausePolicy, Condition, OnError, Policy
from specspan.record.call_end import CallRecord, EndKind, Timing
from specspan.spec.spec import Clause, Spec

ONLY_HERE = Condition((("here", (True,)),))
_REASONS = (None, "not_sampled", "a:b", "ü \n")


@dataclass(frozen=True)
class NamedCheck:
    """A check that is never run: its name, its stage."""

    ref: CheckRef
    traits: CheckTraits

    def decide(self, call: object, texts: object) -> bool:
        raise AssertionError("recording runs no check")


def make_policy(bound: Sequence[tuple[str, int, bool]], digest: str = "sha256:p", mode: Mode = Mode.OBSERVE) -> Policy:
    """A policy of clauses, each with so many checks and either for all circumstances or for some only."""
    clauses = {name: Clause(name, name.title(), "", "user") for name, _, _ in bound}
    clauses["unbound"] = Clause("unbound", "Unbound", "", "root")
    spec = Spec("spec", "1", "sha256:s", ("root", "user"), clauses)
    clause_policies = {name: _clause_policy(clauses[name], checks, is_partial) for name, checks, is_partial in bound}
    return Policy((spec,), mode, digest, clause_policies)


def _clause_policy(clause: Clause, checks: int, is_partial: bool) -> ClausePolicy:
    stages = (Stage.INPUT, Stage.OUTPUT)
    named = [
        NamedCheck(CheckRef("check", CheckMechanism.PATTERN), CheckTraits(stages[number % 2]))
        for number in range(checks)
    ]
    when = ONLY_HERE if is_partial else ALWAYS
    bindings = tuple(CheckBinding(check) for check in named)
    return ClausePolicy(clause, Severity.HIGH, Action.BLOCK, OnError.OPEN, bindings, when=when)


def findings_of(policy: Policy) -> list[list[Finding]]:
    """By clause, a complied finding of each of its checks."""
    return [
        [
            Finding(
                Outcome.COMPLIED,
                clause=bound.clause.id,
                authority=bound.clause.authority or "",
                severity=bound.severity,
                action=bound.action,
                stage=binding.check.traits.stage,
                check=binding.check.ref,
            )
            for binding in bound.checks
        ]
        for bound in policy.clauses.values()
    ]


policies = st.lists(
    st.tuples(st.sampled_from([f"clause_{letter}" for letter in "abcdefgh"]), st.integers(1, 3), st.booleans()),
    min_size=1,
    max_size=6,
    unique_by=lambda bound: bound[0],
).map(make_policy)


@st.composite
def decisions(draw: st.DrawFn, policy: Policy, number: int) -> Decision:
    """A decision under a policy: any outcomes, clauses set aside, and what findings may say besides."""
    findings: list[Finding] = []
    for of_clause in findings_of(policy):
        first = of_clause[0]
        set_aside = draw(st.sampled_from([None, None, Outcome.NOT_APPLICABLE, Outcome.OVERRIDDEN]))
        if set_aside is not None:
            findings.append(replace(first, outcome=set_aside, reason="why", stage=Stage.OUTPUT, check=None))
            continue
        findings += [draw(_changed(finding)) for finding in of_clause]
    if draw(st.booleans()):
        findings.insert(0, Finding(Outcome.OVERRIDDEN, "override", clause="unbound", authority="root"))
    governing = draw(st.sampled_from([None, findings[0].clause]))
    when = draw(st.integers(0, 3)) * 1_800_000_000_000
    made = decision(
        *findings, id=f"d-{number}", time_unix_nano=when, governing_clause=governing, policy_digest=policy.digest
    )
    return replace(made, specs=tuple(spec.ref for spec in policy.specs))


@st.composite
def _changed(draw: st.DrawFn, finding: Finding) -> Finding:
    if draw(st.integers(0, 2)):
        return finding
    outcome = draw(st.sampled_from(list(Outcome)))
    return replace(
        finding,
        outcome=outcome,
        reason=draw(st.sampled_from(_REASONS)),
        score=draw(st.sampled_from([None, 0.5])),
        duration_ns=draw(st.sampled_from([0, 7])),
        evidence=draw(st.sampled_from([(), (Evidence("/output/0/parts/0", 1, 2),)])),
    )


def call_record(made: Decision, span_number: int = 1) -> CallRecord:
    """The end of a call on which a decision was made."""
    span = SpanContext(span_number, span_number, is_remote=False)
    return CallRecord(span, CALL, made, EndKind.COMPLETED, None, Timing(1.0))


def full_findings(made: Decision) -> list[dict[str, Any]]:
    """Every finding of a decision in full, in the form of the first version."""
    return [_full(finding) for finding in made.findings]


def _full(finding: Finding) -> dict[str, Any]:
    check: Mapping[str, Any] | None = None
    if finding.check is not None:
        check = {"name": finding.check.name, "kind": finding.check.mechanism.value, "version": finding.check.version}
    return {
        "clause": finding.clause,
        "authority": finding.authority,
        "outcome": finding.outcome.value,
        "severity": finding.severity.value,
        "action": finding.action.value,
        "score": finding.score,
        "reason": finding.reason,
        "stage": finding.stage.value,
        "check": check,
        "evidence": [asdict(piece) for piece in finding.evidence],
        "duration_ns": finding.duration_ns,
    }
