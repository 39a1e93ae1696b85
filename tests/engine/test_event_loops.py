"""Waiting for checks with a time limit in event loops of every library, and in none."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from policies import Code, answered, bound, policy, says

from specspan.decision import Outcome
from specspan.engine.engine import Engine
from specspan.engine.waiting import run_async


def run_in_trio(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return pytest.importorskip("trio").run(work)


def run_in_asyncio(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return asyncio.run(work())


def run_in_anyio(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    return pytest.importorskip("anyio").run(work)


def run_without_loop(work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
    """Run a coroutine as a loop of nobody's would: it must not ask for anything."""
    running = work()
    with pytest.raises(StopIteration) as end:
        running.send(None)
    return end.value.value


@pytest.mark.parametrize("run", [run_in_asyncio, run_in_trio, run_in_anyio, run_without_loop])
@pytest.mark.parametrize("answer", [True, False])
def test_a_timed_check_is_waited_for(run: Callable[..., Any], *, answer: bool) -> None:
    """The check's answer arrives, whatever runs the coroutine that waits for it."""

    async def decide() -> Any:
        evaluation = Engine(policy(bound("slow", says(answer, timeout_s=5.0)))).open()
        await run_async(evaluation.output(answered("hello")))
        return evaluation.decide()

    (finding,) = run(decide).findings
    assert finding.outcome is (Outcome.COMPLIED if answer else Outcome.VIOLATED)


@pytest.mark.parametrize("run", [run_in_asyncio, run_in_trio, run_without_loop])
def test_a_check_that_is_out_of_time_is_not_waited_for(run: Callable[..., Any]) -> None:
    """The wait ends when the time is up."""
    never = threading.Event()

    async def decide() -> Any:
        evaluation = Engine(policy(bound("slow", Code(lambda call, texts: never.wait(5), timeout_s=0.05)))).open()
        await run_async(evaluation.output(answered("hello")))
        return evaluation.decide()

    (finding,) = run(decide).findings
    never.set()
    assert (finding.outcome, finding.reason) == (Outcome.ERROR, "timeout")
