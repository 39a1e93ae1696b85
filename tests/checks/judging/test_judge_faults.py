"""A judge whose endpoint or model fails in every way: an error, or unassessed, and never complied."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator

import pytest
from judged import KIND, NUMBER, PRIVACY, RULES, answered, judge_of, short_waits

from specspan.checks.judging.circuit_breaker import FAILURES
from specspan.checks.judging.judge import ATTEMPTS, Judge, Question
from specspan.checks.judging.judge_loop import LOOP
from specspan.checks.judging.judge_model import FunctionModel
from specspan.checks.judging.judge_prompt import JudgePrompt
from specspan.checks.judging.pydantic_ai_model import PydanticAIModel
from specspan.decision import Evidence, Outcome
from specspan.testing import JudgeFault, ScriptedJudge

KEY = "sk-very-secret"


@pytest.fixture(autouse=True)
def a_key_and_no_waits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with short_waits():
        yield


def test_a_sound_answer_has_score_and_places() -> None:
    """Score, whether the clause applies, and the quotation as offsets in the call."""
    with ScriptedJudge(RULES) as scripted:
        answer = judge_of(scripted).judge(PRIVACY, answered(f"It is {NUMBER}."))
        kind = judge_of(scripted).judge(KIND, answered(f"It is {NUMBER}."))
    assert (answer.outcome, answer.score, answer.applies) == (Outcome.VIOLATED, 0.95, True)
    assert answer.evidence == (Evidence("/output/0/parts/0", 6, 6 + len(NUMBER)),)
    assert (kind.outcome, kind.score, kind.evidence) == (Outcome.COMPLIED, 0.05, ())


async def test_an_event_loop_may_ask() -> None:
    """The asynchronous way gives the same answer."""
    with ScriptedJudge(RULES) as scripted:
        answer = await judge_of(scripted).judge_async(PRIVACY, answered(f"It is {NUMBER}."))
    assert answer.outcome is Outcome.VIOLATED


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (JudgeFault.DOWN, "connection"),
        (JudgeFault.SERVER_ERROR, "http_500"),
        (JudgeFault.REFUSED, "http_401"),
        (JudgeFault.RATE_LIMITED, "rate_limited"),
        (JudgeFault.GARBAGE, "invalid_answer"),
        (JudgeFault.HALF_JSON, "invalid_answer"),
        (JudgeFault.NAN_SCORE, "invalid_answer"),
        (JudgeFault.LARGE_SCORE, "invalid_answer"),
        (JudgeFault.EXTRA_MEMBER, "invalid_answer"),
        (JudgeFault.WRONG_CLAUSE, "missing_answer"),
        (JudgeFault.MISSING_CLAUSE, "missing_answer"),
        (JudgeFault.TWICE, "contradictory_answer"),
    ],
)
def test_a_fault_is_an_error(fault: JudgeFault, reason: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever the endpoint does, the outcome is an error with a code, and the key is nowhere."""
    caplog.set_level(logging.DEBUG)
    with ScriptedJudge(RULES, always=fault) as scripted:
        answer = judge_of(scripted).judge(PRIVACY, answered("nothing of the kind"))
    assert (answer.outcome, answer.reason, answer.score) == (Outcome.ERROR, reason, None)
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("specspan")]
    assert KEY not in repr(answer) + "".join(ours)


def test_a_slow_answer_is_out_of_time() -> None:
    """A request has its limit; the next attempt may be faster."""
    with ScriptedJudge(RULES, faults=[JudgeFault.SLOW], slow_s=30) as scripted:
        answer = judge_of(scripted, timeout_s=0.3).judge(PRIVACY, answered(NUMBER))
        assert len(scripted.requests) == 2
    assert answer.outcome is Outcome.VIOLATED


def test_a_rate_limit_is_waited_for() -> None:
    """Retries go on where the endpoint recovers, and the number of attempts is told."""
    faults = [JudgeFault.RATE_LIMITED, JudgeFault.SERVER_ERROR]
    with ScriptedJudge(RULES, faults=faults, retry_after_s=0.01) as scripted:
        judge = judge_of(scripted)
        judgments = LOOP.submit(judge.ask([Question(PRIVACY)], answered(NUMBER))).result()
    assert judgments.answers["protect_privacy"].outcome is Outcome.VIOLATED
    assert [report.attempts for report in judgments.requests] == [3]


def test_the_breaker_opens_and_closes() -> None:
    """A dead endpoint is left alone after some failures; one attempt after the pause closes the breaker again."""
    with ScriptedJudge(RULES, always=JudgeFault.SERVER_ERROR) as scripted:
        judge = judge_of(scripted)
        answers = [judge.judge(PRIVACY, answered(NUMBER)) for _ in range(4)]
        asked = len(scripted.requests)
        assert [answer.reason for answer in answers] == ["http_500", "http_500", *["judge_unavailable"] * 2]
        assert answers[-1].outcome is Outcome.UNASSESSED
        assert asked == FAILURES < 2 * ATTEMPTS
        breaker = judge.breaker
        assert breaker.is_open
        scripted.always = None
        breaker._closed_until_s = 0.0  # the pause is over
        assert judge.judge(PRIVACY, answered(NUMBER)).outcome is Outcome.VIOLATED
        assert not breaker.is_open


def test_a_dead_model_leaves_the_others_of_its_endpoint_alone() -> None:
    """A model that the endpoint refuses is left alone; another one there is asked, and answers."""
    with ScriptedJudge(RULES, always=JudgeFault.REFUSED) as scripted:
        dead = judge_of(scripted)
        other = Judge(PydanticAIModel("openai:gpt-5", endpoint=scripted.base_url), dead.settings)
        reasons = [dead.judge(PRIVACY, answered(NUMBER)).reason for _ in range(FAILURES + 1)]
        scripted.always = None
        assert other.judge(PRIVACY, answered(NUMBER)).outcome is Outcome.VIOLATED
        assert dead.judge(PRIVACY, answered(NUMBER)).reason == "judge_unavailable"
        assert (dead.breaker.is_open, other.breaker.is_open) == (True, False)
    assert reasons == [*["http_401"] * FAILURES, "judge_unavailable"]


def test_many_clauses_are_one_request_each_answered_apart() -> None:
    """A missing answer is an error for that clause alone."""
    with ScriptedJudge(RULES, faults=[JudgeFault.MISSING_CLAUSE]) as scripted:
        judge = judge_of(scripted)
        judgments = LOOP.submit(judge.ask([Question(PRIVACY), Question(KIND)], answered(NUMBER))).result()
        assert len(scripted.requests) == 1
    found = {name: (answer.outcome, answer.reason) for name, answer in judgments.answers.items()}
    assert found == {
        "protect_privacy": (Outcome.ERROR, "missing_answer"),
        "be_kind": (Outcome.COMPLIED, None),
    }


def test_a_prompt_has_its_bound() -> None:
    """Clauses that do not fit into one request are asked for in further ones."""
    with ScriptedJudge(RULES) as scripted:
        judge = judge_of(scripted, max_prompt_tokens=100)
        judgments = LOOP.submit(judge.ask([Question(PRIVACY), Question(KIND)], answered(NUMBER))).result()
        assert len(scripted.requests) == len(judgments.requests) == 2


def test_the_majority_of_samples_counts() -> None:
    """Several answers have a mean score and a spread; without a majority, the judge abstains."""
    scores = iter([0.9, 0.2, 0.8])
    with ScriptedJudge(lambda _, __: next(scores)) as scripted:
        answer = judge_of(scripted, samples=3).judge(PRIVACY, answered("text"))
    assert answer.outcome is Outcome.VIOLATED
    assert answer.score == pytest.approx(1.9 / 3)
    assert answer.spread == pytest.approx(0.7)


@pytest.mark.parametrize("rubric", ["gpt-oss-safeguard", "llama-guard", "shieldgemma"])
def test_guard_models_answer_in_their_own_format(rubric: str) -> None:
    """Their words are scores of 0 and 1, and anything else is an error."""
    rules = {PRIVACY.title: NUMBER}
    with ScriptedJudge(rules) as scripted:
        judge = judge_of(scripted, rubric=rubric)
        answers = [judge.judge(PRIVACY, answered(text)) for text in (NUMBER, "hello")]
    assert [(answer.outcome, answer.score) for answer in answers] == [(Outcome.VIOLATED, 1.0), (Outcome.COMPLIED, 0.0)]
    nonsense = Judge(FunctionModel("f", lambda _: "perhaps"), judge.settings)
    assert nonsense.judge(PRIVACY, answered("x")).reason == "invalid_answer"


def test_a_function_stands_in_for_a_model() -> None:
    """It is given the prompt and answers with the value of the schema; one that raises is an error."""

    def ask(prompt: JudgePrompt) -> object:
        if "hello" not in prompt.user:
            raise RuntimeError("no hello")
        return {"answers": [{"clause": prompt.clauses[0], "applies": False, "outcome": "complied", "score": 0}]}

    judge = Judge(FunctionModel("tests:ask", ask))
    assert judge.judge(PRIVACY, answered("hello")).outcome is Outcome.NOT_APPLICABLE
    assert judge.judge(PRIVACY, answered("bye")).reason == "model_error"


def test_the_digest_changes_with_everything_that_answers_depend_on() -> None:
    """Prompt, rubric, clause, model and parameters each have their part in it; order of parameters has none."""
    with ScriptedJudge(RULES) as scripted:
        base = judge_of(scripted)
        others = [
            judge_of(scripted, samples=3),
            judge_of(scripted, rubric="shieldgemma"),
            judge_of(scripted, parameters=(("temperature", 0.1),)),
            Judge(FunctionModel("f", lambda _: "")),
        ]
        digests = [judge.digest(PRIVACY) for judge in (base, *others)]
        assert base.digest(PRIVACY) == judge_of(scripted).digest(PRIVACY)
    assert len({*digests, base.digest(KIND)}) == 6
    assert all(len(digest) == 71 and digest.startswith("sha256:") for digest in digests)


def test_a_cancelled_caller_leaves_the_breaker_as_it_was() -> None:
    """A request that is given up says nothing of the endpoint."""

    async def cancelled(judge: Judge) -> None:
        task = asyncio.ensure_future(judge.judge_async(PRIVACY, answered("x")))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with ScriptedJudge(RULES, faults=[JudgeFault.SLOW], slow_s=30) as scripted:
        judge = judge_of(scripted)
        asyncio.run(cancelled(judge))
        assert not judge.breaker.is_open
