"""Sequence of judges, each asked where those before it abstain, with a person at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from specspan.calibration.thresholds import Guarantee, ScoredLabel, Thresholds, choose_thresholds
from specspan.decision import Outcome

HUMAN = "human"
"""Last member of a cascade, to which nothing is sent: the outcome stays `Outcome.UNCERTAIN` until a person rules."""


@dataclass(frozen=True, slots=True)
class CascadeStep:
    """State of a cascade after some of its judges answered."""

    ask: str | None
    """Judge to ask next, or `HUMAN`; None where a judge decided, or nobody is left."""
    outcome: Outcome
    """Outcome as it stands: `Outcome.UNCERTAIN` where no judge decided."""
    decided_by: str | None = None
    """Judge that decided."""


@dataclass(frozen=True, slots=True)
class Cascade:
    """Judges in the order in which they are asked, the cheapest first, each with its thresholds."""

    judges: Mapping[str, Thresholds]
    has_human: bool = False
    """True where a person is asked about what every judge abstains from."""

    def step(self, scores: Sequence[float | None]) -> CascadeStep:
        """Return where the cascade stands after the scores of its first judges.

        None stands for a judge that gave no score, because it failed or was not reached: the next one is asked.
        """
        names = list(self.judges)
        for name, score in zip(names, scores, strict=False):
            outcome = Outcome.UNCERTAIN if score is None else self.judges[name].outcome(score)
            if outcome is not Outcome.UNCERTAIN:
                return CascadeStep(None, outcome, name)
        if len(scores) < len(names):
            return CascadeStep(names[len(scores)], Outcome.UNCERTAIN)
        return CascadeStep(HUMAN if self.has_human else None, Outcome.UNCERTAIN)


def choose_cascade(
    scores: Mapping[str, Sequence[float]],
    violations: Sequence[bool],
    guarantee: Guarantee,
    *,
    has_human: bool = False,
) -> Cascade:
    """Return a cascade whose verdicts keep a guarantee, whichever judge gave them.

    Each judge is tested on the labels that those before it leave undecided, as it is asked about nothing else, and with
    an equal share of the error that the confidence leaves.

    Args:
        scores: by judge, in the order in which they are asked, its score of every labelled answer.
        violations: for every labelled answer, whether it is a violation.
        guarantee: agreement that is asked of all verdicts together.
        has_human: whether a person is asked at the end.
    """
    judges: dict[str, Thresholds] = {}
    each_one = guarantee.shared_by(len(scores))
    undecided = list(range(len(violations)))
    for name, of_judge in scores.items():
        thresholds = choose_thresholds([ScoredLabel(of_judge[at], violations[at]) for at in undecided], each_one)
        judges[name] = thresholds
        undecided = [at for at in undecided if thresholds.outcome(of_judge[at]) is Outcome.UNCERTAIN]
    return Cascade(judges, has_human)
