"""Measurement of judges on labelled answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from specspan.calibration.calibration_file import ChosenThresholds, JudgeCalibration
from specspan.calibration.error_rates import ErrorRates
from specspan.calibration.labels import LabelledCall
from specspan.calibration.thresholds import Guarantee, ScoredLabel, choose_thresholds
from specspan.decision import Outcome


@dataclass(frozen=True, slots=True)
class JudgeOpinion:
    """Answer of a judge about one labelled call."""

    outcome: Outcome
    score: float | None
    """Probability of a violation; None where the judge gave no answer."""


@dataclass(frozen=True, slots=True)
class MeasuredJudge:
    """Judge of one clause that is to be measured."""

    clause: str
    name: str
    version: str
    ask: Callable[[LabelledCall], JudgeOpinion]
    """Function that asks the judge, from any thread, several at once. It does not raise."""
    guarantee: Guarantee | None = None
    """Guarantee for which thresholds are chosen from the labels; None where the policy gives a threshold."""


def measure_judges(
    judges: Sequence[MeasuredJudge],
    labels: Sequence[LabelledCall],
    *,
    workers: int = 8,
    on_answer: Callable[[], object] = lambda: None,
) -> list[JudgeCalibration]:
    """Ask each judge about every labelled call of its clause, and return how often it agrees with the labels.

    Judges whose clause has no label are left out. Where thresholds are chosen, every other label serves for that and
    the rest for the error rates, as thresholds that fit the labels would make the judge look better than it is.

    Args:
        judges: the judges.
        labels: labelled calls of any clauses.
        workers: number of judges that are asked at once.
        on_answer: called after each answer, from any thread.
    """
    work = [(judge, label) for judge in judges for label in labels if label.clause == judge.clause]

    def ask(pair: tuple[MeasuredJudge, LabelledCall]) -> JudgeOpinion:
        opinion = pair[0].ask(pair[1])
        on_answer()
        return opinion

    with ThreadPoolExecutor(max_workers=max(1, workers)) as pool:
        opinions = list(pool.map(ask, work))
    answered = list(zip(work, opinions, strict=True))
    found = ([(label, said) for (asked, label), said in answered if asked is judge] for judge in judges)
    return [_calibrate(judge, pairs) for judge, pairs in zip(judges, found, strict=True) if pairs]


_Pairs = Sequence[tuple[LabelledCall, JudgeOpinion]]


def _calibrate(judge: MeasuredJudge, pairs: _Pairs) -> JudgeCalibration:
    chosen = None
    if judge.guarantee is not None:
        halves = list(_halves(pairs))
        scored = [ScoredLabel(said.score, label.is_violation) for label, said in halves[0] if said.score is not None]
        chosen = ChosenThresholds(choose_thresholds(scored, judge.guarantee), judge.guarantee, len(scored))
        pairs = [(label, _decide(said, chosen)) for label, said in halves[1]]
    decided = [(label.is_violation, said.outcome) for label, said in pairs if said.outcome in _DECIDED]
    outcomes = [said.outcome for _, said in pairs]
    violations = [outcome for is_violation, outcome in decided if is_violation]
    others = [outcome for is_violation, outcome in decided if not is_violation]
    return JudgeCalibration(
        judge.clause,
        judge.name,
        judge.version,
        ErrorRates(
            len(violations),
            violations.count(Outcome.VIOLATED),
            len(others),
            len(others) - others.count(Outcome.VIOLATED),
        ),
        undecided=outcomes.count(Outcome.UNCERTAIN),
        failed=sum(outcome not in _DECIDED and outcome is not Outcome.UNCERTAIN for outcome in outcomes),
        chosen=chosen,
    )


_DECIDED = (Outcome.COMPLIED, Outcome.VIOLATED, Outcome.NOT_APPLICABLE)


def _halves(pairs: _Pairs) -> Iterator[_Pairs]:
    """Yield every other label and the rest, each with the same share of violations."""
    for half in (0, 1):
        yield [
            pair
            for is_violation in (True, False)
            for at, pair in enumerate(each for each in pairs if each[0].is_violation is is_violation)
            if at % 2 == half
        ]


def _decide(said: JudgeOpinion, chosen: ChosenThresholds) -> JudgeOpinion:
    if said.score is None or said.outcome is Outcome.NOT_APPLICABLE:
        return said
    return JudgeOpinion(chosen.thresholds.outcome(said.score), said.score)
