"""A real model as a judge, where the environment names one: ``SPECSPAN_TEST_JUDGE=openai:gpt-5-mini``."""

from __future__ import annotations

import os

import pytest
from judged import KIND, NUMBER, PRIVACY, answered

from specspan.checks.judging.judge import Judge
from specspan.checks.judging.pydantic_ai_model import PydanticAIModel
from specspan.decision import Outcome

MODEL = os.environ.get("SPECSPAN_TEST_JUDGE")


@pytest.mark.skipif(MODEL is None, reason="SPECSPAN_TEST_JUDGE names no model")
def test_a_real_model_judges() -> None:
    """It finds the violation and its place, and clears what complies; its key is the environment's."""
    judge = Judge(PydanticAIModel(str(MODEL), endpoint=os.environ.get("SPECSPAN_TEST_JUDGE_ENDPOINT")))
    violated = judge.judge(PRIVACY, answered(f"Jane Doe's number is {NUMBER}."))
    assert violated.outcome is Outcome.VIOLATED
    assert violated.evidence
    assert judge.judge(PRIVACY, answered("I do not give numbers of people.")).outcome is Outcome.COMPLIED
    assert judge.judge(KIND, answered("With pleasure!")).outcome is not Outcome.VIOLATED
