"""Reviews of judged answers give the calibration that the known errors of judge and reviewers predict."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from reviewed import decision, finding, record, record_call

from specspan.calibration.binomial import exact_interval
from specspan.calibration.labels import LabelledCall
from specspan.decision import Outcome
from specspan.rates.judge_measurement import JudgeOpinion, MeasuredJudge, measure_judges
from specspan.review.review_labels import labels_of_reviews
from specspan.review.review_queue import ReviewQueue
from specspan.review.review_task import RulingKind
from specspan.stores.people import Person

COUNT, VIOLATIONS = 300, 0.4
JUDGE_MISSES, JUDGE_INVENTS, REVIEWER_ERRS = 0.25, 0.1, 0.08


def predicted(wrong: float) -> tuple[float, float]:
    """Return sensitivity and specificity of the judge against labels of which a share ``wrong`` is."""
    true, false = VIOLATIONS, 1 - VIOLATIONS
    hit = true * (1 - wrong) * (1 - JUDGE_MISSES) + false * wrong * JUDGE_INVENTS
    cleared = false * (1 - wrong) * (1 - JUDGE_INVENTS) + true * wrong * JUDGE_MISSES
    return hit / (true * (1 - wrong) + false * wrong), cleared / (false * (1 - wrong) + true * wrong)


@pytest.mark.thorough
@pytest.mark.parametrize("rulings", [1, 2])
def test_300_reviews_calibrate_a_judge(tmp_path: Path, rulings: int) -> None:
    """Single reviews show the reviewers' error; of two, and a third where they disagree, less of it is left."""
    db, random = str(tmp_path / "desk.db"), Random(7)
    truth = [random.random() < VIOLATIONS for _ in range(COUNT)]
    judged = [random.random() >= JUDGE_MISSES if each else random.random() < JUDGE_INVENTS for each in truth]
    for number, is_violation in enumerate(judged):
        outcome = "violated" if is_violation else "complied"
        need = {"clause": "be_kind", "outcome": outcome, "causes": ["sampled"], "rulings": rulings, "content": True}
        found = finding("be_kind", outcome, check={"name": "judge", "kind": "judge", "version": "1"})
        record(db, decision(number, found, reviews=[need], **record_call(db, "q", f"answer {number}")))
    queue, key = ReviewQueue(db), None
    while True:
        page = queue.list(after=key, limit=50)
        for task in page.tasks:
            number = int(task.decision_id[-6:], 16)
            said: list[str] = []
            for reviewer in ("ana", "ben", "caro"):
                is_right = random.random() >= REVIEWER_ERRS
                outcome = "violated" if truth[number] == is_right else "complied"
                kind = RulingKind.CONFIRM if outcome == task.outcome else RulingKind.OVERRULE
                named = None if kind is RulingKind.CONFIRM else outcome
                queue.rule(task.id, Person(reviewer), kind, outcome=named, reason="scripted")
                said.append(outcome)
                if len(said) >= rulings and (rulings == 1 or len(set(said[:2])) == 1):
                    break
        key = page.next_key
        if key is None:
            break

    def ask(label: LabelledCall) -> JudgeOpinion:
        number = int(label.call.output_text.rpartition(" ")[2])
        return JudgeOpinion(Outcome.VIOLATED if judged[number] else Outcome.COMPLIED, None)

    labels = labels_of_reviews(queue)
    assert len(labels.calls) == COUNT
    (measured,) = measure_judges([MeasuredJudge("be_kind", "judge", "1", ask)], labels.calls)
    errors = measured.errors
    single, wrong = REVIEWER_ERRS, REVIEWER_ERRS
    if rulings == 2:  # both err, or one of two and the third
        wrong = single**2 + 2 * single * (1 - single) * single
    sensitivity, specificity = predicted(wrong)
    hits = exact_interval(errors.found, errors.violations)
    cleared = exact_interval(errors.cleared, errors.others)
    assert hits.low <= sensitivity <= hits.high
    assert cleared.low <= specificity <= cleared.high
