"""Putting the answers that a spec's examples compare before a policy's checks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from specspan.call import ModelCall
from specspan.decision import Finding, Mode, Outcome
from specspan.engine.bound_check import NOTHING_TO_READ
from specspan.engine.engine import Engine
from specspan.engine.outcomes import worst_outcome
from specspan.engine.waiting import run_sync
from specspan.policy.policy import Policy
from specspan.spec.spec import Answer, Clause, Example, Spec, Verdict
from specspan.spec_examples.calls import build_calls
from specspan.spec_examples.results import Agreement, ExampleResult, Match

_NOT_ASSESSED = frozenset((Outcome.UNASSESSED, Outcome.OVERRIDDEN))
_UNDECIDED = frozenset((Outcome.UNCERTAIN, Outcome.PENDING, Outcome.ERROR))


@dataclass(frozen=True, slots=True)
class _JudgedAnswer:
    """An answer with a verdict, and where it stands."""

    holder: Clause
    example: Example
    compared: int
    """Which of the example's comparisons."""
    answer: Answer
    verdict: Verdict

    @property
    def clause(self) -> str:
        return self.verdict.charged or self.holder.id


def evaluate(spec: Spec, policy: Policy, *, clause: str | None = None, unbound: Sequence[str] = ()) -> Agreement:
    """Decide every answer that ``spec`` gives a verdict on, with the engine that decides calls, in observe mode.

    Args:
        spec: the document with the examples.
        policy: a policy for that document; `specspan.spec_examples.calls` makes one of a policy for another version.
        clause: only answers about the clause with this id.
        unbound: clauses of the policy that did not fit, for the record.
    """
    engine = Engine(_observing(policy))
    judged = [each for each in _judged_answers(spec) if clause in (None, each.clause)]
    comparisons = len({(id(each.example), each.compared) for each in judged})
    return Agreement(
        spec,
        policy,
        tuple(_evaluate_answer(engine, each, policy.authority.name(spec, each.clause)) for each in judged),
        comparisons,
        tuple(unbound),
    )


def _observing(policy: Policy) -> Policy:
    """The policy, changing nothing and looking at every answer: a share of so few would say nothing."""
    return replace(policy.without_sampling(), mode=Mode.OBSERVE)


def _judged_answers(spec: Spec) -> Iterator[_JudgedAnswer]:
    for holder in spec.clauses.values():
        for example in holder.examples:
            for compared, comparison in enumerate(example.comparisons):
                for answer in comparison.answers:
                    if answer.verdict is not None:
                        yield _JudgedAnswer(holder, example, compared, answer, answer.verdict)


def _evaluate_answer(engine: Engine, judged: _JudgedAnswer, name: str) -> ExampleResult:
    """``name``: what the clause is called in the policy."""
    calls = build_calls(judged.example, judged.compared, judged.answer)
    found = [(at, finding) for at, call in enumerate(calls) for finding in _findings(engine, call)]
    about = [(at, finding) for at, finding in found if finding.clause == name]
    looked = [finding.outcome for _, finding in about if _has_assessed(finding)]
    outcome = worst_outcome(looked) if looked else Outcome.UNASSESSED
    violated = (finding.clause for _, finding in found if finding.outcome is Outcome.VIOLATED)
    return ExampleResult(
        example=judged.example,
        holder=judged.holder,
        verdict=judged.verdict,
        clause=judged.clause,
        calls=calls,
        match=_match(judged.verdict, outcome),
        outcome=outcome,
        findings=tuple((at, finding) for at, finding in about if finding.outcome is not Outcome.COMPLIED),
        elsewhere=tuple(dict.fromkeys(id_ for id_ in violated if id_ != name)),
    )


def _findings(engine: Engine, call: ModelCall) -> tuple[Finding, ...]:
    evaluation = engine.open((), call)
    run_sync(evaluation.input(replace(call, response=None)))
    run_sync(evaluation.output(call))
    return evaluation.decide().findings


def _has_assessed(finding: Finding) -> bool:
    """Whether a check looked at the answer, rather than finding nothing there that it reads."""
    return finding.outcome not in _NOT_ASSESSED and finding.reason != NOTHING_TO_READ


def _match(verdict: Verdict, outcome: Outcome) -> Match:
    if outcome in _NOT_ASSESSED:
        return Match.UNASSESSED
    if outcome in _UNDECIDED:
        return Match.UNDECIDED
    if verdict.label == "BAD":
        return Match.CAUGHT if outcome is Outcome.VIOLATED else Match.MISSED
    return Match.FALSE_ALARM if outcome is Outcome.VIOLATED else Match.CLEAR
