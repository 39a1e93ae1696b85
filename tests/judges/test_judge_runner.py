"""Runner of judges: each group is finished once, and budgets hold where many calls come at once."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from judged import KIND, NUMBER, PRIVACY, RULES, answered, judge_check, judge_of, short_waits, write_policy

from specspan.checks.judging.budgets import OVER_BUDGET, Budget, Limits
from specspan.checks.judging.circuit_breaker import FAILURES, CircuitBreaker
from specspan.checks.judging.judge import Question
from specspan.checks.judging.judge_loop import LOOP
from specspan.decision import Finding, Outcome
from specspan.engine.bound_check import bind_check
from specspan.engine.deferral import ChosenCheck, DeferredGroup
from specspan.judges.judge_runner import JudgeRunner
from specspan.policy.load import load_policy
from specspan.testing import JudgeFault, ScriptedJudge


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")


class RecordedSlowly(DeferredGroup):
    """Group whose first finding is on its way to the record until `release` is set."""

    def __init__(self, checks: Sequence[ChosenCheck], text: str) -> None:
        super().__init__(checks, answered(text), [])
        self.results: list[Finding] = []
        self.entered, self.release = threading.Event(), threading.Event()

    def finish(self, findings: Mapping[int, Finding], reports: Sequence[Any] = ()) -> None:
        """Keep what is told, and let the first wait."""
        self.results.extend(findings.values())
        self.entered.set()
        if len(self.results) == 1:
            self.release.wait(20)
        super().finish(findings, reports)


def chosen(judge: ScriptedJudge, **keys: str) -> list[ChosenCheck]:
    """Return the one check of a policy, chosen for a call."""
    policy = load_policy(write_policy(Path(), {"protect_privacy": [judge_check(judge, **keys)]}))
    bound = policy.clauses["protect_privacy"]
    return [ChosenCheck(bind_check(0, bound, bound.checks[0]), 1.0)]


def test_an_answer_at_the_moment_of_the_shutdown_is_told_once() -> None:
    """A finding that is being recorded is not told a second time as one that never came."""
    runner = JudgeRunner()
    with ScriptedJudge(RULES) as judge:
        group = RecordedSlowly(chosen(judge), NUMBER)
        assert runner.start(group) is None
        assert group.entered.wait(20)
        threading.Timer(0.05, group.release.set).start()
        runner.shutdown(0)
    assert [finding.outcome for finding in group.results] == [Outcome.VIOLATED]
    assert runner.unfinished == 0


def test_tokens_that_are_used_up_stop_what_is_queued() -> None:
    """Calls that were queued while there were tokens are not judged once there are none."""
    runner = JudgeRunner(concurrency=1)
    with ScriptedJudge(RULES) as judge:
        checks = chosen(judge, budget="{tokens_per_day: 1}")
        groups = [DeferredGroup(checks, answered(f"hello {number}"), []) for number in range(4)]
        refusals = [runner.start(group) for group in groups]
        assert runner.flush(20)
        assert len(judge.requests) == 1
    found = [
        refusal or next(iter((group.findings or {}).values())).reason
        for refusal, group in zip(refusals, groups, strict=True)
    ]
    assert found == [None, *[OVER_BUDGET] * 3]


def test_each_sample_is_a_call_of_the_budget() -> None:
    """A judge that is asked three times for one answer has used three calls."""
    runner = JudgeRunner()
    with ScriptedJudge(RULES) as judge:
        checks = chosen(judge, samples="3", budget="{calls_per_day: 7}")
        refusals = [runner.start(DeferredGroup(checks, answered(f"hello {number}"), [])) for number in range(4)]
        assert runner.flush(20)
        assert len(judge.requests) == 6
    assert refusals == [None, None, OVER_BUDGET, OVER_BUDGET]


@pytest.mark.parametrize(("calls", "requests", "later"), [(1, 1, OVER_BUDGET), (3, 3, OVER_BUDGET), (4, 3, None)])
def test_each_retry_is_a_call_of_the_budget(calls: int, requests: int, later: str | None) -> None:
    """A request that is made again has its part of the budget, and is not made where nothing is left of it."""
    runner, faults = JudgeRunner(), [JudgeFault.SERVER_ERROR] * 2
    with short_waits(), ScriptedJudge(RULES, faults=faults) as judge:
        checks = chosen(judge, budget=f"{{calls_per_day: {calls}}}")
        group = DeferredGroup(checks, answered(NUMBER), [])
        assert runner.start(group) is None
        assert runner.flush(20)
        assert len(judge.requests) == requests
        (finding,) = (group.findings or {}).values()
        assert runner.start(DeferredGroup(checks, answered("hello"), [])) == later
        assert runner.flush(20)
    is_judged = requests == 3
    assert (finding.outcome, finding.reason) == (
        (Outcome.VIOLATED, "judged") if is_judged else (Outcome.ERROR, "http_500")
    )


def test_each_further_request_of_a_group_is_a_call_of_the_budget() -> None:
    """Clauses that do not fit into one request are asked for in further ones, while the budget has room for them."""
    with ScriptedJudge(RULES) as scripted:
        judge, budget = judge_of(scripted, max_prompt_tokens=100), Budget(Limits(calls_per_day=1))
        assert budget.reserve_calls()
        asked = judge.ask([Question(PRIVACY), Question(KIND)], answered(NUMBER), budget=budget)
        judgments = LOOP.submit(asked).result()
        assert len(scripted.requests) == len(judgments.requests) == 1
    found = {name: (answer.outcome, answer.reason) for name, answer in judgments.answers.items()}
    assert found == {
        "protect_privacy": (Outcome.VIOLATED, None),
        "be_kind": (Outcome.UNASSESSED, OVER_BUDGET),
    }


def test_a_request_that_the_breaker_refuses_is_no_call_of_the_budget() -> None:
    """What was reserved for a request that is not made is there for the next one."""
    with ScriptedJudge(RULES) as scripted:
        judge, budget = judge_of(scripted), Budget(Limits(calls_per_day=1))
        assert budget.reserve_calls()
        for _ in range(FAILURES):
            judge.breaker.fail()
        judgments = LOOP.submit(judge.ask([Question(PRIVACY)], answered(NUMBER), budget=budget)).result()
        assert not scripted.requests
    assert judgments.answers["protect_privacy"].reason == "judge_unavailable"
    assert budget.reserve_calls()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_child_tries_an_endpoint_that_its_parent_was_trying() -> None:
    """The answer to the parent's attempt never comes to the child, which would wait for it for ever."""
    now_s = [0.0]
    breaker = CircuitBreaker(lambda: now_s[0])
    for _ in range(FAILURES):
        breaker.fail()
    now_s[0] = 1_000.0
    assert breaker.admit()
    child = os.fork()
    if not child:
        os._exit(0 if breaker.admit() else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert not breaker.admit()
