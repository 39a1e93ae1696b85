"""Clauses that no check is bound to cost a call nothing."""

from __future__ import annotations

from counting import function_calls
from policies import answered, bound, pattern, policy

from specspan.engine.engine import Engine
from specspan.engine.waiting import run_sync


def calls_of_a_decision(silent: int) -> tuple[int, int, int]:
    """How many functions a decision calls, with 100 clauses checked beside so many silent ones; and what it counts."""
    checked = [bound(f"c{number}", pattern(rf"\bword{number}\b")) for number in range(100)]
    engine, call = Engine(policy(*checked, silent=silent)), answered("some plain words", "word7")

    def decide() -> None:
        evaluation = engine.open()
        run_sync(evaluation.input(call))
        run_sync(evaluation.output(call))
        summaries.append(evaluation.decide().summary)

    summaries = []  # type: ignore[var-annotated]  # the function above says what they are
    decide()  # what is made once, at the first call, is no part of it
    calls = function_calls(decide)
    return calls, summaries[-1].considered, summaries[-1].unassessed


def test_silent_clauses_are_a_number() -> None:
    """Ten thousand clauses of which a hundred are checked: the same work as with a hundred, and all are considered."""
    few, considered_few, _ = calls_of_a_decision(0)
    many, considered_many, unassessed = calls_of_a_decision(9_900)
    assert (considered_few, considered_many, unassessed) == (100, 10_000, 9_900)
    assert many == few > 0
