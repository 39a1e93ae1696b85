"""Answers that are made to do harm: each is an error or is cut to size, and none stops the judges of a process."""

from __future__ import annotations

import json
from typing import Any

import pytest
from judged import PRIVACY, answered

from specspan.call import Usage
from specspan.checks.check import TextAt
from specspan.checks.judging.fence import fence, find_quotation
from specspan.checks.judging.judge import Judge
from specspan.checks.judging.judge_model import FunctionModel
from specspan.checks.judging.pydantic_ai_model import _usage
from specspan.decision import Evidence, Outcome


def answer_text(score: object = 0.05, **members: Any) -> str:
    """Return an answer about one clause that complies, but for some members; ``score`` as JSON or as its text."""
    entry = {"clause": PRIVACY.id, "applies": True, "outcome": "complied", "score": "SCORE", **members}
    return json.dumps({"answers": [entry]}).replace('"SCORE"', str(score))


def ruled(text: str) -> tuple[Outcome, str | None]:
    answer = Judge(FunctionModel("tests:answer", lambda _: text)).judge(PRIVACY, answered("hello"))
    return answer.outcome, answer.reason


@pytest.mark.parametrize("score", ["1" + "0" * 400, "-1" + "0" * 400, "1e999", "Infinity", "true", '"0.1"', "null"])
def test_a_score_of_any_size_is_read(score: str) -> None:
    """A number that no float holds is an invalid answer, as any score that is none."""
    assert ruled(answer_text(score)) == (Outcome.ERROR, "invalid_answer")


@pytest.mark.parametrize("text", ["[" * 90_000, '{"answers":' * 9_000, "9" * 90_000, " " * 10_000_000, "\ud800"])
def test_deep_and_long_answers_are_invalid(text: str) -> None:
    """Neither depth nor length raises anything."""
    assert ruled(text) == (Outcome.ERROR, "invalid_answer")


def test_a_block_of_code_is_read_in_linear_time() -> None:
    """An answer may stand in one block of code; one of empty lines alone does not stop the loop of all judges."""
    for text in (f"```json\n{answer_text()}\n```", f"\n```\n\n{answer_text()}```\n"):
        assert ruled(text) == (Outcome.COMPLIED, None)
    assert ruled("```" + "\n" * 90_000 + "x") == (Outcome.ERROR, "invalid_answer")


def test_an_answer_that_does_not_apply_and_is_violated_contradicts_itself() -> None:
    """A clause without a bearing on the call is not violated: which of the two holds, nobody knows."""
    assert ruled(answer_text(0.95, applies=False, outcome="violated")) == (Outcome.ERROR, "contradictory_answer")
    assert ruled(answer_text(0, applies=False)) == (Outcome.NOT_APPLICABLE, None)


def test_a_quotation_is_found_whatever_its_blanks() -> None:
    """Blanks count as one, also those between the lines of a fenced text; offsets are those of the call."""
    fenced = fence([TextAt("/a", "user", "one"), TextAt("/b", "user", "  say  the\n number\tnow ")])
    assert find_quotation(fenced, "ay the number n") == Evidence("/b", 3, 20)
    assert find_quotation(fenced, "| the\n| number") == Evidence("/b", 7, 18)
    assert find_quotation(fenced, "the numbers") is None
    assert find_quotation(fenced, " \n ") is None


def test_a_long_quotation_costs_no_more_than_reading_it() -> None:
    """A quotation that nearly stands everywhere is looked for in linear time: else a process would stand still."""
    fenced = fence([TextAt("/a", "user", "a  " * 300_000)])
    assert find_quotation(fenced, "a " * 40_000 + "b") is None
    assert find_quotation(fenced, "a " * 40_000 + "a") == Evidence("/a", 0, 120_001)


def test_counts_of_an_endpoint_are_counts() -> None:
    """Tokens below zero would give a budget back, and those beyond 64 bits no exporter can write."""
    assert _usage(-1_000_000, 10**30, 5, 0) == Usage(None, None, 5, None)
