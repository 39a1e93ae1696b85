"""Runner of judges in the background: bounded, on one event loop, with a deadline at the end of the process.

What is started is finished, exactly once: by an answer, by an error, or as unassessed with a reason.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Mapping

from opentelemetry.context import attach, set_value

from specspan._support import process
from specspan._support.guard import guard
from specspan._support.otel_private import SUPPRESS_INSTRUMENTATION_KEY
from specspan.checks.judging.budgets import OVER_BUDGET
from specspan.checks.judging.judge import JUDGE_UNAVAILABLE, Judgments
from specspan.checks.judging.judge_check import JudgeQuestion
from specspan.checks.judging.judge_loop import LOOP
from specspan.checks.judging.pydantic_ai_model import close_clients
from specspan.decision import Finding
from specspan.engine.bound_check import IS_IN_CHECK
from specspan.engine.deferral import ChosenCheck, DeferredGroup
from specspan.judges.answer_cache import AnswerCache
from specspan.judges.late_results import judged_finding, unjudged_finding

QUEUE_FULL = "queue_full"
"""Unassessed: too many calls wait to be judged."""
SHUTDOWN = "shutdown"
"""Unassessed: the process ended before the judge had answered."""
FAILED = "internal"
"""Error: specspan itself failed."""
MAX_WAITING = 1_000
"""Most groups of checks that may wait or run at once."""
_CLOSE_S = 0.5
CONCURRENCY = 16
"""Most groups that run at once."""


class JudgeRunner:
    """Queue of groups of checks, whose judges are asked on the event loop of `judge_loop`."""

    def __init__(self, *, max_waiting: int = MAX_WAITING, concurrency: int = CONCURRENCY) -> None:
        self._max_waiting = max_waiting
        self._concurrency = concurrency
        self._is_closed = False
        self._cache = AnswerCache()
        self._reset()
        process.after_fork(self)

    def start(self, group: DeferredGroup) -> str | None:
        """Queue a group, and return None; or return the reason for which its checks do not run."""
        with guard("judges.start"):
            return self._start(group)
        return FAILED

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything started so far is finished; return False where that took longer."""
        deadline_s = time.monotonic() + timeout_s
        with self._changed:
            return self._changed.wait_for(lambda: not self._unfinished, max(0.0, deadline_s - time.monotonic()))

    def shutdown(self, timeout_s: float) -> None:
        """Start nothing more, wait for what runs, and say of the rest that it is not judged."""
        self._is_closed = True
        self.flush(timeout_s)
        with self._lock:
            left = [group for group in self._unfinished.values() if id(group) not in self._finishing]
            self._queue.clear()
        for group in left:
            self._finish(group, {each.check.position: unjudged_finding(each, SHUTDOWN) for each in group.checks})
        self.flush(_CLOSE_S)  # until what came at this moment is on record
        if self._was_used:
            with contextlib.suppress(Exception):  # no time is left, or the loop is gone
                LOOP.submit(close_clients()).result(_CLOSE_S)

    def after_fork(self) -> None:
        """Start anew: what the parent queued is the parent's."""
        self._reset()

    @property
    def unfinished(self) -> int:
        """Number of groups that wait or run."""
        return len(self._unfinished)

    def _reset(self) -> None:
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._queue: deque[DeferredGroup] = deque()
        self._unfinished: dict[int, DeferredGroup] = {}
        self._finishing: set[int] = set()
        self._running = 0
        self._was_used = False

    def _start(self, group: DeferredGroup) -> str | None:
        known = self._cache.find(group)
        if known is not None:
            group.finish(known)
            return None
        question = _question(group.checks[0])
        if self._is_closed:
            return SHUTDOWN
        if question.judge.breaker.is_open:
            return JUDGE_UNAVAILABLE
        budget = question.budget
        with self._lock:
            if len(self._unfinished) >= self._max_waiting:
                return QUEUE_FULL
            if budget is not None and not budget.reserve_calls(question.judge.settings.samples):
                return OVER_BUDGET
            self._was_used = True
            self._unfinished[id(group)] = group
            self._queue.append(group)
            needs_runner = self._running < self._concurrency
            self._running += needs_runner
        if needs_runner:
            try:
                LOOP.submit(self._run())
            except RuntimeError:
                with self._lock:
                    self._running -= 1
                    self._unfinished.pop(id(group), None)
                    self._queue.remove(group)
                if budget is not None:
                    budget.release_calls(question.judge.settings.samples)
                return FAILED
        return None

    async def _run(self) -> None:
        """Run queued groups one after another, until none is left."""
        IS_IN_CHECK.set(True)  # a judge's own calls are never decided, nor seen by other instrumentation
        attach(set_value(SUPPRESS_INSTRUMENTATION_KEY, value=True))
        while (group := self._next()) is not None:
            with guard("judges.run"):
                await self._run_group(group)
                continue
            self._finish(group, {each.check.position: unjudged_finding(each, FAILED) for each in group.checks})

    def _next(self) -> DeferredGroup | None:
        with self._lock:
            if self._queue:
                return self._queue.popleft()
            self._running -= 1
            return None

    async def _run_group(self, group: DeferredGroup) -> None:
        questions = [_question(each) for each in group.checks]
        judge, budget = questions[0].judge, questions[0].budget
        if budget is not None and budget.is_used_up:  # by those that ran while this one was queued
            budget.release_calls(judge.settings.samples)
            self._finish(group, {each.check.position: unjudged_finding(each, OVER_BUDGET) for each in group.checks})
            return
        started_ns = time.perf_counter_ns()
        judgments = await judge.ask([each.question for each in questions], group.call, group.pointed_at, budget)
        duration_ns = time.perf_counter_ns() - started_ns
        if budget is not None:
            budget.spend(*_spent(judgments))
        answers = [judgments.answers[each.question.clause.id] for each in questions]
        self._cache.keep(group, answers)
        pairs = zip(group.checks, answers, strict=True)
        findings = {each.check.position: judged_finding(each, answer, duration_ns) for each, answer in pairs}
        self._finish(group, findings, judgments)

    def _finish(
        self, group: DeferredGroup, findings: Mapping[int, Finding], judgments: Judgments | None = None
    ) -> None:
        with self._changed:
            if id(group) not in self._unfinished or id(group) in self._finishing:
                return  # by the end of the process, or by an answer that came at that moment
            self._finishing.add(id(group))
        try:
            with guard("judges.finish"):
                group.finish(findings, () if judgments is None else judgments.requests)
        finally:
            with self._changed:
                self._unfinished.pop(id(group), None)
                self._finishing.discard(id(group))
                self._changed.notify_all()


def _question(chosen: ChosenCheck) -> JudgeQuestion:
    background = chosen.check.traits.background
    question = None if background is None else background.question
    if not isinstance(question, JudgeQuestion):
        raise TypeError("a check in the background is not a judge's")
    return question


def _spent(judgments: Judgments) -> tuple[int, float]:
    tokens = sum((each.usage.input_tokens or 0) + (each.usage.output_tokens or 0) for each in judgments.requests)
    return tokens, float(sum(each.cost_usd or 0 for each in judgments.requests))
