"""Evaluation of a policy's checks on the answers that a spec's examples compare."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from os import PathLike

from specspan.call import ModelCall
from specspan.checks.judging.judge_check import JudgeCheck
from specspan.decision import CheckMechanism, Finding, Mode, Outcome
from specspan.engine.bound_check import NOTHING_TO_READ
from specspan.engine.engine import Engine
from specspan.engine.outcomes import worst_outcome
from specspan.engine.waiting import run_sync
from specspan.errors import PolicyError
from specspan.policy.authority import build_authority
from specspan.policy.load import load_policy
from specspan.policy.policy import ClausePolicy, Policy
from specspan.policy.spec_problems import clause_problem, override_problem
from specspan.spec.spec import Answer, Clause, Example, Spec, Verdict
from specspan.spec_examples.calls import build_calls
from specspan.spec_examples.results import Agreement, ExampleResult, Match

_NOT_ASSESSED = frozenset((Outcome.UNASSESSED, Outcome.OVERRIDDEN))
_UNDECIDED = frozenset((Outcome.UNCERTAIN, Outcome.PENDING, Outcome.ERROR))


@dataclass(frozen=True, slots=True)
class JudgedAnswer:
    """Answer with a verdict, and its place in the spec."""

    holder: Clause
    example: Example
    compared: int
    """Index of the comparison in the example."""
    answer: Answer
    verdict: Verdict

    @property
    def clause(self) -> str:
        """Return the id of the clause that the verdict is about."""
        return self.verdict.charged or self.holder.id


def evaluate(spec: Spec, policy: Policy, *, clause: str | None = None, unbound: Sequence[str] = ()) -> Agreement:
    """Decide every answer that ``spec`` gives a verdict on, with the engine that decides calls, in observe mode.

    Args:
        spec: the document with the examples.
        policy: a policy for that document; `load_policy_for` adapts one that is written for another version.
        clause: only answers about the clause with this id.
        unbound: clauses of the policy that did not fit, for the record.
    """
    observing = _observing(policy)
    engine = Engine(observing)
    answers = [each for each in judged_answers(spec) if clause in (None, each.clause)]
    comparisons = len({(id(each.example), each.compared) for each in answers})
    return Agreement(
        spec,
        policy,
        tuple(
            _evaluate_answer(
                _engine_without(each.example, observing) or engine, each, policy.authority.name(spec, each.clause)
            )
            for each in answers
        ),
        comparisons,
        tuple(unbound),
    )


def load_policy_for(path: str | PathLike[str], spec: Spec) -> tuple[Policy, tuple[str, ...]]:
    """Load a policy with ``spec`` in place of the one it names; also return the ids that ``spec`` lacks.

    A policy may be written for another version of its spec: clauses with the same id are bound, the rest is named.

    Raises:
        PolicyError: the policy is refused with ``spec``, and also with its own, or it has other specs beside it.
    """
    try:
        return load_policy(path, spec=spec), ()
    except PolicyError:
        with suppress(PolicyError):
            policy = load_policy(path)
            if len(policy.specs) == 1:
                return _bind_to(policy, spec)
        raise


def _bind_to(policy: Policy, spec: Spec) -> tuple[Policy, tuple[str, ...]]:
    authority = build_authority((spec,))
    unbound = tuple(id_ for id_ in policy.clauses if clause_problem(authority, id_) is not None)
    bound = {id_: each.for_clause(spec.clauses[id_]) for id_, each in policy.clauses.items() if id_ not in unbound}
    overrides = tuple(each for each in policy.overrides if override_problem(authority, each) is None)
    return replace(policy, specs=(spec,), order=(), clauses=bound, overrides=overrides), unbound


def _observing(policy: Policy) -> Policy:
    """Return the policy in observe mode, with every check on every answer: a sample of so few would say nothing."""
    return replace(policy.without_sampling(), mode=Mode.OBSERVE)


def _engine_without(example: Example, policy: Policy) -> Engine | None:
    """Return an engine whose judges are not shown an example, with its verdicts; None where none would be."""
    clauses = {name: _bound_without(example, bound) for name, bound in policy.clauses.items()}
    if all(clauses[name] is bound for name, bound in policy.clauses.items()):
        return None
    return Engine(replace(policy, clauses=clauses))


def _bound_without(example: Example, bound: ClausePolicy) -> ClausePolicy:
    checks = tuple(
        replace(each, check=each.check.without_example(example)) if isinstance(each.check, JudgeCheck) else each
        for each in bound.checks
    )
    is_same = all(new.check is old.check for new, old in zip(checks, bound.checks, strict=True))
    return bound if is_same else replace(bound, checks=checks)


def judged_answers(spec: Spec) -> Iterator[JudgedAnswer]:
    """Yield every answer of a spec's examples that has a verdict, in the order of the document."""
    for holder in spec.clauses.values():
        for example in holder.examples:
            for compared, comparison in enumerate(example.comparisons):
                for answer in comparison.answers:
                    if answer.verdict is not None:
                        yield JudgedAnswer(holder, example, compared, answer, answer.verdict)


def _evaluate_answer(engine: Engine, answer: JudgedAnswer, name: str) -> ExampleResult:
    """Return the result of one answer; ``name`` is the name of its clause in the policy."""
    calls = build_calls(answer.example, answer.compared, answer.answer)
    findings = [(at, finding) for at, call in enumerate(calls) for finding in _findings(engine, call)]
    about = [(at, finding) for at, finding in findings if finding.clause == name]
    outcomes = [finding.outcome for _, finding in about if _has_assessed(finding)]
    outcome = worst_outcome(outcomes) if outcomes else Outcome.UNASSESSED
    violated = (finding.clause for _, finding in findings if finding.outcome is Outcome.VIOLATED)
    judged = [(finding.check, finding.outcome) for _, finding in about if _is_judged(finding)]
    judges = {check for check, _ in judged}
    return ExampleResult(
        example=answer.example,
        holder=answer.holder,
        verdict=answer.verdict,
        clause=answer.clause,
        calls=calls,
        match=_match(answer.verdict, outcome),
        outcome=outcome,
        findings=tuple((at, finding) for at, finding in about if finding.outcome is not Outcome.COMPLIED),
        elsewhere=tuple(dict.fromkeys(id_ for id_ in violated if id_ != name)),
        judge=judges.pop() if len(judges) == 1 else None,
        judge_outcome=worst_outcome([outcome for _, outcome in judged]) if judged else None,
    )


def _findings(engine: Engine, call: ModelCall) -> tuple[Finding, ...]:
    evaluation = engine.open((), call)
    run_sync(evaluation.input(replace(call, response=None)))
    run_sync(evaluation.output(call))
    return evaluation.decide().findings


def _has_assessed(finding: Finding) -> bool:
    """Return whether a check assessed the answer, rather than finding nothing there to read."""
    return finding.outcome not in _NOT_ASSESSED and finding.reason != NOTHING_TO_READ


def _is_judged(finding: Finding) -> bool:
    return finding.check is not None and finding.check.mechanism is CheckMechanism.JUDGE and _has_assessed(finding)


def _match(verdict: Verdict, outcome: Outcome) -> Match:
    if outcome in _NOT_ASSESSED:
        return Match.UNASSESSED
    if outcome in _UNDECIDED:
        return Match.UNDECIDED
    if verdict.label == "BAD":
        return Match.CAUGHT if outcome is Outcome.VIOLATED else Match.MISSED
    return Match.FALSE_ALARM if outcome is Outcome.VIOLATED else Match.CLEAR
