"""Answers that a spec has judged, before a policy's checks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from policies import Code, bound, pattern, policy, says

from specspan.call import ModelCall
from specspan.checks.check import Check, TextAt
from specspan.checks.judging.judge import Judge
from specspan.checks.judging.judge_check import JudgeCheck
from specspan.checks.judging.judge_model import FunctionModel
from specspan.checks.judging.judge_prompt import JudgePrompt
from specspan.decision import Finding, Mode, Outcome, Override, Stage
from specspan.policy.policy import CheckBinding, Policy
from specspan.spec.spec import Answer, Clause, Comparison, Example, Spec, Turn, Verdict
from specspan.spec_examples.evaluate import evaluate
from specspan.spec_examples.results import Agreement, Match

LADDER = ("root", "system", "developer", "user", "guideline")


def answer(content: str, label: str = "BAD", charged: str | None = None, **attributes: str) -> Answer:
    """One answer with its verdict."""
    return Answer((Turn("assistant", content, attributes),), Verdict(label, "why", charged=charged))


def example(*answers: Answer) -> Example:
    """An example of one question."""
    return Example("a title", (Turn("user", "a question"),), (Comparison(answers, 1),), line=7)


def spec(**examples: Example) -> Spec:
    """A spec of clauses with an example each."""
    clauses = {id_: Clause(id_, id_, "", "user", examples=(each,)) for id_, each in examples.items()}
    return Spec("s", "1", "sha256:s", LADDER, clauses)


def under(*checks: Check | CheckBinding, clause: str = "c", overrides: Sequence[Override] = ()) -> Policy:
    """A policy that binds checks to one clause."""
    return policy(bound(clause, *checks), overrides=overrides)


def match(label: str, *checks: Check, **more: Any) -> Match:
    """How one answer that says "bad words" compares."""
    return evaluate(spec(c=example(answer("bad words", label))), under(*checks), **more).results[0].match


def counted(found: Agreement) -> dict[str, dict[str, int]]:
    """The counts of each clause, without zeros."""
    return {
        id_: {match.value: tally[match] for match in Match if tally[match]}
        | ({"elsewhere": tally.elsewhere} if tally.elsewhere else {})
        for id_, tally in found.by_clause().items()
    }


@pytest.mark.parametrize(
    ("label", "found", "expected"),
    [
        ("BAD", False, Match.CAUGHT),
        ("BAD", True, Match.MISSED),
        ("BAD", None, Match.MISSED),
        ("GOOD", True, Match.CLEAR),
        ("GOOD", None, Match.CLEAR),
        ("GOOD", False, Match.FALSE_ALARM),
        ("OK", True, Match.CLEAR),
        ("OK", False, Match.FALSE_ALARM),
        ("BAD", Finding(Outcome.UNCERTAIN), Match.UNDECIDED),
        ("GOOD", Finding(Outcome.UNCERTAIN), Match.UNDECIDED),
        ("GOOD", ValueError("broken"), Match.UNDECIDED),
    ],
)
def test_the_checks_answer_is_held_against_the_label(label: str, found: Any, expected: Match) -> None:
    """BAD should be violated, GOOD and OK should not; what a check could not say is neither."""
    assert match(label, says(found)) is expected


def test_what_no_check_looked_at_is_unassessed() -> None:
    """No check, or none that reads such an answer, or a clause that is set aside: never agreement, never a miss."""
    tools = says(False, Stage.TOOL_CALL)
    for label in ("GOOD", "BAD"):
        assert match(label) is Match.UNASSESSED
        assert match(label, tools) is Match.UNASSESSED
    overridden = under(says(False), overrides=[Override("c", "root", "why not")])
    (result,) = evaluate(spec(c=example(answer("x"))), overridden).results
    assert (result.match, result.outcome) == (Match.UNASSESSED, Outcome.UNASSESSED)


def test_the_worst_check_speaks_for_the_clause() -> None:
    """One check of several that finds a violation is enough, and a check that reads nothing is not asked."""
    assert match("BAD", says(True), says(False)) is Match.CAUGHT
    assert match("GOOD", says(True), says(False, Stage.TOOL_CALL)) is Match.CLEAR


def test_a_charged_answer_is_about_the_clause_it_is_charged_against() -> None:
    """The example's own clause has nothing to say of it."""
    found = evaluate(spec(c=example(answer("bad", charged="d")), d=example()), under(pattern("bad"), clause="d"))
    assert counted(found) == {"d": {"caught": 1}}
    assert found.results[0].holder.id == "c"


def test_violations_of_other_clauses_are_counted_on_good_answers_alone() -> None:
    """A good answer breaks no clause, so that a check which fires there most likely errs; of a bad one, who knows."""
    judged = spec(c=example(answer("fire", "GOOD"), answer("fire", "BAD"), answer("calm", "OK")))
    found = evaluate(judged, policy(bound("c", says(True)), bound("d", pattern("fire"))))
    assert counted(found) == {"c": {"clear": 2, "missed": 1}, "d": {"elsewhere": 1}}
    assert found.total.elsewhere == 1
    assert [result.elsewhere for result in found.results] == [("d",), ("d",), ()]


def test_counts_add_up() -> None:
    """Every answer with a verdict is counted once; precision and recall are about what was assessed."""
    answers = [answer("bad"), answer("quiet"), answer("bad", "GOOD"), answer("fine", "OK"), Answer(())]
    found = evaluate(spec(c=example(*answers), d=example(answer("x"))), under(pattern("bad")))
    total = found.total
    assert counted(found) == {"c": {"caught": 1, "missed": 1, "false_alarm": 1, "clear": 1}, "d": {"unassessed": 1}}
    assert (found.comparisons, total.answers, total.assessed, total.agreed) == (2, 5, 4, 2)
    assert (total.precision, total.recall) == (0.5, 0.5)


def test_without_violations_there_is_no_precision() -> None:
    """Nothing found and nothing bad give no share, rather than a perfect one."""
    total = evaluate(spec(c=example(answer("fine", "GOOD"))), under(pattern("bad"))).total
    assert (total.precision, total.recall) == (None, None)


def test_one_clause_alone() -> None:
    """Only answers about it are decided, wherever their examples stand."""
    judged = spec(c=example(answer("bad", charged="d"), answer("bad")), d=example(answer("bad")))
    found = evaluate(judged, under(pattern("bad"), clause="d"), clause="d")
    assert [(result.holder.id, result.clause) for result in found.results] == [("c", "d"), ("d", "d")]
    assert found.comparisons == 2


def test_nothing_is_blocked_and_every_stage_is_looked_at() -> None:
    """Also under a policy that enforces, checks of input, output, tool calls and streams all see the answer."""
    seen: list[Stage] = []

    def at(stage: Stage) -> Check:
        def decide(call: ModelCall, texts: Sequence[TextAt]) -> bool:
            seen.append(stage)
            return False

        return Code(decide, stage)

    judged = spec(c=example(Answer((Turn("assistant", "{}", {"recipient": "pay"}), Turn("bot", "Hi")), Verdict("BAD"))))
    bound_policy = under(*(at(stage) for stage in Stage))
    assert bound_policy.mode is Mode.ENFORCE
    (result,) = evaluate(judged, bound_policy).results
    assert set(seen) == set(Stage)
    assert result.match is Match.CAUGHT
    assert {at for at, _ in result.findings} == {0, 1}


def test_a_check_that_samples_looks_at_every_answer() -> None:
    """A share of so few answers would say nothing, so that none is left out by chance."""
    sampled = CheckBinding(pattern("bad"), 0.000001)
    found = evaluate(spec(c=example(*[answer("bad")] * 50)), under(sampled))
    assert found.total[Match.CAUGHT] == 50


def test_findings_that_complied_are_not_kept() -> None:
    """What is shown of an answer is what its checks held against it, with its place."""
    (result,) = evaluate(spec(c=example(answer("so bad"))), under(says(True), pattern("bad", reason="rude"))).results
    ((call, finding),) = result.findings
    assert (call, finding.reason, finding.evidence[0].start) == (0, "rude", 3)


def test_a_judge_is_not_shown_the_verdict_that_it_is_held_against() -> None:
    """The example that an answer stands in is not in the prompt; the others are, and the judge's digest stays."""
    prompts: list[str] = []

    def judge(prompt: JudgePrompt) -> Any:
        prompts.append(prompt.user)
        return {"answers": [{"clause": "c", "applies": True, "outcome": "violated", "score": 0.9}]}

    first, second = example(answer("one")), example(answer("two"))
    clause = Clause("c", "c", "", "user", examples=(first, second))
    check = JudgeCheck(Judge(FunctionModel("tests:judge", judge)), clause=clause)
    found = evaluate(Spec("s", "1", "sha256:s", LADDER, {"c": clause}), under(check))
    shown = [["(BAD): one" in prompt, "(BAD): two" in prompt] for prompt in prompts]
    assert shown == [[False, True], [True, False]]
    assert [(result.match, result.judge) for result in found.results] == [(Match.CAUGHT, check.ref)] * 2
