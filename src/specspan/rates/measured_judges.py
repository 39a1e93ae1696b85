"""Judges of a policy, as they are measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from specspan.calibration.labels import LabelledCall
from specspan.checks.judging.judge_answer import BELOW_THRESHOLD
from specspan.checks.judging.judge_check import JudgeCheck
from specspan.decision import Outcome
from specspan.rates.judge_measurement import JudgeOpinion, MeasuredJudge
from specspan.spec.spec import Clause


def measured_judges(checks: Iterable[JudgeCheck]) -> Iterator[MeasuredJudge]:
    """Yield the judges behind the checks of a policy, each once."""
    seen = set()
    for check in checks:
        key = None if check.clause is None else (check.clause.id, check.ref.version)
        if check.clause is not None and key not in seen:
            seen.add(key)
            yield _measured_judge(check, check.clause)


def _measured_judge(check: JudgeCheck, clause: Clause) -> MeasuredJudge:
    def ask(label: LabelledCall) -> JudgeOpinion:
        # an example of the clause is left out of the prompt, which would else hold the answer with its verdict
        examples = tuple(each for each in clause.examples if each is not label.example)
        answer = check.judge.judge(replace(clause, examples=examples), label.call, check.thresholds)
        abstains = answer.outcome is Outcome.UNCERTAIN and answer.reason != BELOW_THRESHOLD
        return JudgeOpinion(answer.outcome, None if abstains else answer.score)  # no threshold makes it decide

    return MeasuredJudge(clause.id, check.ref.name, check.ref.version, ask, check.demands.guarantee)
