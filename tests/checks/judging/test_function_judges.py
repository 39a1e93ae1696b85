"""Functions in place of models: whatever they do, there is an answer, and nothing of theirs is decided."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from typing import Any

import pytest
from judged import KIND, PRIVACY, answered

from specspan.checks.judging.judge import Judge, Question
from specspan.checks.judging.judge_loop import LOOP
from specspan.checks.judging.judge_model import FunctionModel
from specspan.checks.judging.judge_prompt import JudgePrompt
from specspan.decision import Outcome
from specspan.engine.bound_check import IS_IN_CHECK


def complied(prompt: JudgePrompt) -> dict[str, Any]:
    """Return the answer that every clause complied."""
    return {
        "answers": [{"clause": id_, "applies": True, "outcome": "complied", "score": 0.1} for id_ in prompt.clauses]
    }


def ask(function: Callable[[JudgePrompt], Any]) -> tuple[Outcome, str | None]:
    judge = Judge(FunctionModel("tests:function", function))
    answer = LOOP.submit(judge.ask([Question(PRIVACY)], answered("hello"))).result(20).answers[PRIVACY.id]
    return answer.outcome, answer.reason


def raising(error: BaseException) -> Callable[[JudgePrompt], Any]:
    async def function(_: JudgePrompt) -> Any:
        raise error

    return function


@pytest.mark.parametrize("value", [{1, 2}, object(), {"answers": b"x"}, {(1, 2): 3}])
def test_a_value_that_is_not_json_is_an_error(value: object) -> None:
    """A function that returns a set, bytes or an object of its own has failed."""
    assert ask(lambda _: value) == (Outcome.ERROR, "model_error")


@pytest.mark.parametrize("value", [None, math.nan, [], {"answers": None}])
def test_a_value_of_another_form_is_an_invalid_answer(value: object) -> None:
    """Anything else is read by the closed schema."""
    assert ask(lambda _: value) == (Outcome.ERROR, "invalid_answer")


@pytest.mark.parametrize("error", [asyncio.CancelledError(), SystemExit(3), KeyboardInterrupt(), RuntimeError("x")])
def test_a_coroutine_function_ends_nothing_but_its_answer(error: BaseException) -> None:
    """One that exits or is cancelled has failed; the judges of the process go on."""
    assert ask(raising(error)) == (Outcome.ERROR, "model_error")
    assert ask(complied) == (Outcome.COMPLIED, None)


def test_a_function_on_a_thread_is_in_a_check() -> None:
    """What it calls is not decided, and asks no judge in turn: it has the context of the judge that asks it."""

    async def asked(judge: Judge) -> Outcome:
        IS_IN_CHECK.set(True)
        return (await judge.ask([Question(KIND)], answered("hello"))).answers[KIND.id].outcome

    seen: list[bool] = []

    def function(prompt: JudgePrompt) -> Any:
        seen.append(IS_IN_CHECK.get())
        return complied(prompt)

    assert LOOP.submit(asked(Judge(FunctionModel("tests:thread", function)))).result(20) is Outcome.COMPLIED
    assert seen == [True]
