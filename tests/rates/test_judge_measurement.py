"""Measurement of judges on labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from judged import PRIVACY, answered

from specspan.calibration.error_rates import ErrorRates
from specspan.calibration.labels import LabelledCall
from specspan.calibration.thresholds import Guarantee
from specspan.call import Message, ModelCall, Request, Response, Text
from specspan.checks.judging.judge import Judge
from specspan.checks.judging.judge_answer import ABSTAINING
from specspan.checks.judging.judge_check import JudgeCheck
from specspan.checks.judging.judge_model import FunctionModel
from specspan.decision import Outcome
from specspan.rates.judge_measurement import JudgeOpinion, MeasuredJudge, measure_judges
from specspan.rates.measured_judges import measured_judges


def label(text: str, outcome: Outcome, clause: str = "be_kind") -> LabelledCall:
    """Answer with a person's ruling."""
    response = Response(output=(Message("assistant", (Text(text),)),))
    return LabelledCall(clause, ModelCall(Request("label"), response), outcome, "labels.jsonl:1")


def judge(ask: Callable[[str], JudgeOpinion], guarantee: Guarantee | None = None) -> MeasuredJudge:
    """Judge of ``be_kind`` that reads the answer alone."""
    return MeasuredJudge("be_kind", "model", "sha256:1", lambda asked: ask(asked.call.output_text), guarantee)


OPINIONS = {
    "rude": JudgeOpinion(Outcome.VIOLATED, 0.9),
    "kind": JudgeOpinion(Outcome.COMPLIED, 0.1),
    "off": JudgeOpinion(Outcome.NOT_APPLICABLE, 0.0),
    "odd": JudgeOpinion(Outcome.UNCERTAIN, 0.5),
    "dead": JudgeOpinion(Outcome.ERROR, None),
    "gone": JudgeOpinion(Outcome.UNASSESSED, None),
}
LABELS: Sequence[LabelledCall] = (
    label("rude", Outcome.VIOLATED),
    label("kind", Outcome.VIOLATED),
    label("off", Outcome.VIOLATED),
    label("rude", Outcome.COMPLIED),
    label("kind", Outcome.COMPLIED),
    label("off", Outcome.NOT_APPLICABLE),
    label("odd", Outcome.COMPLIED),
    label("dead", Outcome.VIOLATED),
    label("gone", Outcome.VIOLATED),
    label("rude", Outcome.VIOLATED, clause="another"),
)


def test_agreement_is_counted_on_what_the_judge_decided() -> None:
    """A violation that it finds not applicable is missed; what it does not decide is told apart."""
    answers: list[int] = []
    (found,) = measure_judges([judge(OPINIONS.__getitem__)], LABELS, on_answer=lambda: answers.append(1))
    assert found.errors == ErrorRates(violations=3, found=1, others=3, cleared=2)
    assert (found.undecided, found.failed, found.chosen) == (1, 2, None)
    assert len(answers) == 9


def test_a_judge_without_a_label_is_left_out() -> None:
    """Nothing is known of it."""
    assert measure_judges([judge(OPINIONS.__getitem__)], LABELS[-1:]) == []


def test_thresholds_are_chosen_by_other_labels_than_those_that_measure_them() -> None:
    """Half of each kind of label; the judge then abstains where the labels show too little."""
    labels = [label("rude", Outcome.VIOLATED)] * 200 + [label("odd", Outcome.COMPLIED)] * 100

    (found,) = measure_judges([judge(OPINIONS.__getitem__, Guarantee(0.95, 0.9))], labels)

    assert found.chosen is not None
    assert found.chosen.labels == 150
    assert found.chosen.thresholds.outcome(0.9) is Outcome.VIOLATED
    assert found.chosen.thresholds.complied_to is None
    assert found.errors == ErrorRates(violations=100, found=100, others=0, cleared=0)
    assert found.undecided == 50


@pytest.mark.parametrize(("outcome", "score"), [("complied", 0.05), ("uncertain", None)])
def test_no_threshold_decides_for_a_judge_that_abstains(outcome: str, score: float | None) -> None:
    """A judge that calls an answer undecided leaves it so on every call: its score there says nothing."""
    answer = {"answers": [{"clause": "protect_privacy", "applies": True, "outcome": outcome, "score": 0.05}]}
    check = JudgeCheck(Judge(FunctionModel("tests:answer", lambda _: answer)), ABSTAINING, clause=PRIVACY)
    (measured,) = measured_judges([check])
    asked = LabelledCall(PRIVACY.id, answered("hello"), Outcome.COMPLIED, "labels.jsonl:1")
    assert measured.ask(asked) == JudgeOpinion(Outcome.UNCERTAIN, score)
