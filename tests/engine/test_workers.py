"""Checks with a time limit: on threads of their own, never in the way of the application."""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import policies
import pytest
from policies import Code, answered, bound, pattern, says

from specspan._support import drop_counts
from specspan.call import ModelCall, ToolCall
from specspan.checks.check import TextAt
from specspan.decision import Action, Decision, Mode, Outcome, Stage, Verdict
from specspan.engine.engine import Engine
from specspan.engine.evaluation import Evaluation
from specspan.engine.waiting import run_async, run_sync
from specspan.engine.workers import Workers
from specspan.policy.policy import ClausePolicy

Decide = Callable[[ModelCall, Sequence[TextAt]], Any]


@pytest.fixture
def hang() -> Iterator[Decide]:
    """A check that hangs until the test is over."""
    release = threading.Event()

    def decide(call: ModelCall, texts: Sequence[TextAt]) -> bool:
        release.wait()
        return True

    yield decide
    release.set()


def opened(*clauses: ClausePolicy, workers: Workers | None = None) -> Evaluation:
    return Engine(policies.policy(*clauses), workers=workers or Workers()).open()


def outcomes(decision: Decision) -> list[tuple[Outcome, str | None]]:
    return [(finding.outcome, finding.reason) for finding in decision.findings]


def test_a_hanging_check_is_an_error_and_the_others_are_still_asked(hang: Decide) -> None:
    """A check that outlives its limit is given up; those after it run on another thread."""
    evaluation = opened(
        bound("before", says(False, timeout_s=60)),
        bound("hangs", Code(hang, timeout_s=0.01)),
        bound("after", says(True, timeout_s=60)),
    )
    run_sync(evaluation.output(answered("text")))
    assert outcomes(evaluation.decide()) == [
        (Outcome.VIOLATED, "code"),
        (Outcome.ERROR, "timeout"),
        (Outcome.COMPLIED, None),
    ]


def test_hanging_threads_are_bounded(hang: Decide) -> None:
    """With as many threads hanging as may, further checks are refused at once, and counted."""
    workers = Workers(max_hung=2)
    before = drop_counts.totals().get(("check", "workers_exhausted"), 0)
    found = []
    for _ in range(4):
        evaluation = opened(bound("hangs", Code(hang, timeout_s=0.001)), workers=workers)
        run_sync(evaluation.output(answered("text")))
        found += outcomes(evaluation.decide())
    assert found == [(Outcome.ERROR, "timeout")] * 2 + [(Outcome.ERROR, "workers_exhausted")] * 2
    assert drop_counts.totals()["check", "workers_exhausted"] == before + 2


def test_a_thread_that_returns_after_all_makes_room_again() -> None:
    """A hung thread counts until its check returns."""
    release, returned = threading.Event(), threading.Event()

    def decide(call: ModelCall, texts: Sequence[TextAt]) -> bool:
        release.wait()
        returned.set()
        return True

    workers = Workers(max_hung=1)
    run_sync(opened(bound("c", Code(decide, timeout_s=0.001)), workers=workers).output(answered("text")))
    assert workers.hung_threads == 1
    release.set()
    returned.wait()
    while workers.hung_threads:  # the thread is about to count itself out
        os.sched_yield()
    evaluation = opened(bound("c", says(True, timeout_s=60)), workers=workers)
    run_sync(evaluation.output(answered("text")))
    assert outcomes(evaluation.decide()) == [(Outcome.COMPLIED, None)]


def test_a_batch_that_no_thread_takes_up_in_time_is_refused(hang: Decide) -> None:
    """With every thread at work, a check waits its turn only so long."""
    workers = Workers(max_busy=1, patience_s=0.001)
    busy = opened(bound("c", Code(hang, timeout_s=60)), workers=workers).output(answered("text"))
    next(busy)
    evaluation = opened(bound("c", says(True, timeout_s=60)), workers=workers)
    run_sync(evaluation.output(answered("text")))
    assert outcomes(evaluation.decide()) == [(Outcome.ERROR, "workers_exhausted")]
    assert workers.hung_threads == 0


def test_a_check_that_raises_on_its_thread_is_an_error() -> None:
    """Whatever a check raises on a thread of its own stays there."""
    for error in (ValueError("x"), SystemExit(3), KeyboardInterrupt()):
        evaluation = opened(bound("c", says(error, timeout_s=60)))
        run_sync(evaluation.output(answered("text")))
        assert outcomes(evaluation.decide()) == [(Outcome.ERROR, "raised")]


def test_a_check_sees_the_callers_context_variables() -> None:
    """Context variables are those of the caller, and what the check sets in them stays with it."""
    variable = contextvars.ContextVar("variable", default="outside")
    seen = []

    def decide(call: ModelCall, texts: Sequence[TextAt]) -> bool:
        seen.append(variable.get())
        variable.set("changed")
        return True

    variable.set("inside")
    run_sync(opened(bound("c", Code(decide, timeout_s=60))).output(answered("text")))
    assert (seen, variable.get()) == (["inside"], "inside")


async def test_the_event_loop_goes_on_while_a_check_runs() -> None:
    """A check that waits for something the event loop does comes to its end."""
    loop_went_on = threading.Event()

    def decide(call: ModelCall, texts: Sequence[TextAt]) -> bool:
        return loop_went_on.wait(60)

    async def go_on() -> None:
        loop_went_on.set()

    evaluation = opened(bound("c", Code(decide, timeout_s=60)))
    await asyncio.gather(run_async(evaluation.output(answered("text"))), go_on())
    assert outcomes(evaluation.decide()) == [(Outcome.COMPLIED, None)]


async def test_a_hanging_check_is_given_up_in_asyncio_too(hang: Decide) -> None:
    """The async driver keeps the same limits."""
    evaluation = opened(bound("hangs", Code(hang, timeout_s=0.01)), bound("after", says(True, timeout_s=60)))
    await run_async(evaluation.output(answered("text")))
    assert outcomes(evaluation.decide()) == [(Outcome.ERROR, "timeout"), (Outcome.COMPLIED, None)]


async def test_a_cancelled_caller_leaves_what_it_did_not_wait_for_unassessed(hang: Decide) -> None:
    """Cancellation passes through unchanged; what was found before it is kept."""
    started = asyncio.Event()
    loop = asyncio.get_running_loop()

    def decide(call: ModelCall, texts: Sequence[TextAt]) -> Any:
        loop.call_soon_threadsafe(started.set)
        return hang(call, texts)

    evaluation = opened(
        bound("inline", says(False)), bound("before", says(False, timeout_s=60)), bound("c", Code(decide, timeout_s=60))
    )
    task = asyncio.create_task(run_async(evaluation.output(answered("text"))))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert outcomes(evaluation.decide()) == [
        (Outcome.VIOLATED, "code"),
        (Outcome.VIOLATED, "code"),
        (Outcome.UNASSESSED, "not_reached"),
    ]


def test_a_pattern_that_hits_does_not_count_as_complied_before_its_check_was_heard(hang: Decide) -> None:
    """A check with patterns and a time limit that nobody waited for is unassessed, not complied."""
    check = Code(hang, timeout_s=60, prefilter=("text",))
    for text, outcome in (("text", Outcome.UNASSESSED), ("other", Outcome.COMPLIED)):
        evaluation = opened(bound("c", check))
        steps = evaluation.output(answered(text))
        next(steps, None)
        steps.close()
        assert [finding.outcome for finding in evaluation.decide().findings] == [outcome]


@pytest.mark.parametrize(
    ("mode", "action", "would"), [(Mode.ENFORCE, Action.FLAG, None), (Mode.OBSERVE, Action.FLAG, Action.BLOCK)]
)
def test_a_caller_who_goes_away_is_only_told_on(hang: Decide, mode: Mode, action: Action, would: Action | None) -> None:
    """What needs no waiting is decided at every stage, but nothing is done to a call nobody waits for."""
    text = bound("text", Code(hang, timeout_s=60), action=Action.BLOCK)
    tool = bound("tool", pattern("evil", stage=Stage.TOOL_CALL), action=Action.BLOCK)
    evaluation = Engine(policies.policy(text, tool, mode=mode), workers=Workers()).open()
    steps = evaluation.output(answered("text", tools=[ToolCall("search", "evil")]))
    next(steps)
    steps.close()
    decision = evaluation.decide()
    assert (decision.verdict, decision.governing_clause) == (Verdict.VIOLATED, "tool")
    assert (decision.action, decision.would) == (action, would)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_threads_of_its_own(hang: Decide) -> None:
    """Threads do not survive a fork: the child's checks run on new ones."""
    workers = Workers(max_hung=1)
    run_sync(opened(bound("hangs", Code(hang, timeout_s=0.001)), workers=workers).output(answered("text")))
    child = os.fork()
    if child == 0:
        try:
            evaluation = opened(bound("c", says(True, timeout_s=60)), workers=workers)
            run_sync(evaluation.output(answered("text")))
            os._exit(0 if outcomes(evaluation.decide()) == [(Outcome.COMPLIED, None)] else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
