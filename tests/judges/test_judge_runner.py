"""Runner of judges: each group is finished once, and budgets hold where many calls come at once."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from judged import NUMBER, RULES, answered, judge_check, write_policy

from specspan.checks.judging.circuit_breaker import FAILURES, CircuitBreaker
from specspan.decision import Finding, Outcome
from specspan.engine.bound_check import bind_check
from specspan.engine.deferral import ChosenCheck, DeferredGroup
from specspan.judges.judge_runner import OVER_BUDGET, JudgeRunner
from specspan.policy.load import load_policy
from specspan.testing import ScriptedJudge


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
