"""Choice of thresholds, and what a cascade of judges does with them."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest
from benchmarks.agreement import GUARANTEE, keeps_guarantee, try_cascade, try_thresholds
from hypothesis import given
from hypothesis import strategies as st

from specspan.calibration.cascade import HUMAN, Cascade, CascadeStep, choose_cascade
from specspan.calibration.thresholds import (
    ABSTAINING,
    Guarantee,
    ScoredLabel,
    Thresholds,
    choose_thresholds,
    least_labels,
)
from specspan.decision import Outcome

ASKED = Guarantee(agreement=0.95, confidence=0.9)


def test_a_judge_that_is_always_right_decides_everything_that_it_has_an_opinion_on() -> None:
    """With enough labels of either kind."""
    labels = [ScoredLabel(0.9, True)] * 60 + [ScoredLabel(0.1, False)] * 60

    thresholds = choose_thresholds(labels, ASKED)

    assert thresholds.outcome(0.9) is Outcome.VIOLATED
    assert thresholds.outcome(0.1) is Outcome.COMPLIED
    assert thresholds.outcome(0.5) is Outcome.UNCERTAIN


def test_too_few_labels_show_nothing() -> None:
    """One label less than the least, all in agreement, and the judge abstains; with one more it decides."""
    least = least_labels(ASKED)
    assert choose_thresholds([ScoredLabel(0.9, True)] * (least - 1), ASKED) == ABSTAINING
    assert choose_thresholds([ScoredLabel(0.9, True)] * least, ASKED).outcome(0.9) is Outcome.VIOLATED


def test_the_first_failure_ends_the_trial() -> None:
    """Labels below it agree again, and are not looked at: each further try would add to the error."""
    labels = [ScoredLabel(0.95, True)] * 100 + [ScoredLabel(0.75, False)] * 60 + [ScoredLabel(0.6, True)] * 5000

    thresholds = choose_thresholds(labels, ASKED)

    assert thresholds.outcome(0.95) is Outcome.VIOLATED
    assert thresholds.outcome(0.75) is Outcome.UNCERTAIN
    assert thresholds.outcome(0.6) is Outcome.UNCERTAIN


def test_between_the_thresholds_a_judge_abstains() -> None:
    """And where it has none it decides nothing."""
    thresholds = Thresholds(violated_from=0.8, complied_to=0.2)
    assert [thresholds.outcome(score) for score in (0.2, 0.21, 0.79, 0.8)] == [
        Outcome.COMPLIED,
        Outcome.UNCERTAIN,
        Outcome.UNCERTAIN,
        Outcome.VIOLATED,
    ]
    assert {ABSTAINING.outcome(score) for score in (0.0, 0.5, 1.0)} == {Outcome.UNCERTAIN}


@pytest.mark.parametrize(("agreement", "confidence"), [(1.0, 0.9), (0.95, 1.0), (0, 0.9), (0.95, 0.0)])
def test_what_no_labels_show_is_refused(agreement: float, confidence: float) -> None:
    """Certainty, and nothing at all."""
    with pytest.raises(ValueError, match="above 0 and below 1"):
        Guarantee(agreement, confidence)


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.2, 0.5, 0.8, 0.99, 1.0]), st.booleans()), max_size=300), st.randoms())
def test_the_order_of_labels_is_of_no_matter(pairs: list[tuple[float, bool]], shuffler: random.Random) -> None:
    """The same labels in another order choose the same thresholds."""
    labels = [ScoredLabel(*pair) for pair in pairs]
    other = labels[:]
    shuffler.shuffle(other)
    assert choose_thresholds(labels, ASKED) == choose_thresholds(other, ASKED)


def test_a_guarantee_holds_in_as_many_calibrations_as_it_says() -> None:
    """A small form of the benchmark: of 300 calibrations, the judge agrees with people in 95% of them or more."""
    kept = [keeps_guarantee(try_thresholds(random.Random(seed), labels=600)) for seed in range(300)]
    assert sum(kept) / len(kept) >= GUARANTEE.confidence


def test_a_cascade_keeps_the_guarantee_of_all_its_judges_together() -> None:
    """A small form of the benchmark, with a small judge, a large one and a person."""
    kept = [keeps_guarantee(try_cascade(random.Random(seed), labels=500)) for seed in range(100)]
    assert sum(kept) / len(kept) >= GUARANTEE.confidence


STEPS = Cascade({"small": Thresholds(0.9, 0.1), "large": Thresholds(0.7, 0.3)}, has_human=True)


@pytest.mark.parametrize(
    ("scores", "step"),
    [
        ([], CascadeStep("small", Outcome.UNCERTAIN)),
        ([0.95], CascadeStep(None, Outcome.VIOLATED, "small")),
        ([0.05], CascadeStep(None, Outcome.COMPLIED, "small")),
        ([0.5], CascadeStep("large", Outcome.UNCERTAIN)),
        ([None], CascadeStep("large", Outcome.UNCERTAIN)),
        ([0.5, 0.2], CascadeStep(None, Outcome.COMPLIED, "large")),
        ([0.5, 0.5], CascadeStep(HUMAN, Outcome.UNCERTAIN)),
    ],
)
def test_each_judge_is_asked_where_those_before_it_abstain(scores: Sequence[float | None], step: CascadeStep) -> None:
    """And a person at the end."""
    assert STEPS.step(scores) == step


def test_without_a_person_a_cascade_ends_undecided() -> None:
    """Nobody is asked any more, and nothing is called complied."""
    assert Cascade({"small": Thresholds(0.9, 0.1)}).step([0.5]) == CascadeStep(None, Outcome.UNCERTAIN)


def test_later_judges_are_tested_on_what_is_left_to_them() -> None:
    """The large judge is right about all that the small one leaves open, and would not pass on the rest."""
    is_violation = [True] * 100 + [False] * 100
    small = [0.95] * 100 + [0.5] * 100
    large = [0.01] * 100 + [0.02] * 100

    cascade = choose_cascade({"small": small, "large": large}, is_violation, ASKED)

    assert cascade.step([0.95]).outcome is Outcome.VIOLATED
    assert cascade.step([0.5, 0.02]) == CascadeStep(None, Outcome.COMPLIED, "large")
