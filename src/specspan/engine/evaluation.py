"""An evaluation: one model call on its way to its decision."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from specspan.call import ModelCall
from specspan.decision import Action, Decision, Mode, Stage, Verdict
from specspan.engine.chain import Conclusion, conclude, stricter, taken
from specspan.engine.look import Look, look, wait
from specspan.engine.model import PROCEED, Ruling
from specspan.engine.plan import STAGES, Plan
from specspan.engine.ruling import Hold, ruling
from specspan.engine.steps import Steps
from specspan.engine.workers import Workers

NOTHING_APPLIED = "nothing_applied"
"""Reason of a decision for which no clause was both applicable and assessed."""


class Evaluation:
    """Findings of one call, gathered stage by stage. One caller at a time."""

    __slots__ = (
        "_action",
        "_decision",
        "_looks",
        "_new_id",
        "_now_ns",
        "_plan",
        "_redacted",
        "_workers",
        "overhead_ns",
    )

    def __init__(self, plan: Plan, workers: Workers, now_ns: Callable[[], int], new_id: Callable[[], str]) -> None:
        self.overhead_ns: dict[Stage, int] = {}
        """What each stage cost the caller."""
        self._plan = plan
        self._workers = workers
        self._now_ns = now_ns
        self._new_id = new_id
        self._looks: dict[Stage, Look] = {}
        self._action = Action.ALLOW  # the strictest that enforce mode takes, or would take
        self._redacted: set[str] = set()
        self._decision: Decision | None = None

    def input(self, call: ModelCall) -> Steps[Ruling]:
        """Look at what is about to be sent."""
        yield from self._look(Stage.INPUT, call)
        return self._rule((Stage.INPUT,))

    def output(self, call: ModelCall, *, released_chars: int | None = None) -> Steps[Ruling]:
        """Look at the answer and the tool calls in it, before they are handed over.

        ``released_chars``: how much of a streamed answer its consumer has seen. Over what is released nothing but a
        flag can be had; a tool call in it can still be stopped.
        """
        stages = _STREAMED if call.request.streaming else _WHOLE
        for stage in stages:
            yield from self._look(stage, call)
        return self._rule(stages, released_chars)

    def decide(self) -> Decision:
        """Close the evaluation. The same decision however often it is asked for."""
        if self._decision is None:
            self._decision = self._decided()
        return self._decision

    def _look(self, stage: Stage, call: ModelCall) -> Steps[None]:
        plan = self._plan.stages.get(stage)
        if plan is None:
            return
        started_ns = time.perf_counter_ns()
        try:
            found = self._looks[stage] = look(plan, call, stage)
            if found.waiting:
                yield from wait(found, call, self._workers)
        finally:
            self.overhead_ns[stage] = self.overhead_ns.get(stage, 0) + time.perf_counter_ns() - started_ns

    def _rule(self, stages: Sequence[Stage], released_chars: int | None = None) -> Ruling:
        looks = [self._looks[stage] for stage in stages if stage in self._looks]
        would = ruling(looks, self._plan.law, _hold(released_chars))
        self._action = stricter(self._action, would.action)
        if self._plan.policy.mode is Mode.OBSERVE:
            return PROCEED
        self._redacted.update(would.edits)
        return would

    def _decided(self) -> Decision:
        plan, policy = self._plan, self._plan.policy
        reached = [self._looks.get(stage) for stage in STAGES]
        deviations = {position: finding for look in reached if look for position, finding in look.deviations.items()}
        tally = plan.frame(tuple(look.audience if look else None for look in reached)).deviating(deviations)
        conclusion = conclude(deviations.values(), plan.law, assessed=tally.complied > 0)
        governing = conclusion.governing
        return Decision(
            id=self._new_id(),
            time_unix_nano=self._now_ns(),
            specs=plan.specs,
            policy_digest=policy.digest,
            mode=policy.mode,
            verdict=conclusion.verdict,
            action=taken(self._action, policy.mode),
            would=self._action if policy.mode is Mode.OBSERVE else None,
            governing_clause=governing.clause if governing else None,
            reason=_reason(conclusion),
            findings=tally.findings,
            summary=tally.summary,
            overrides=plan.rulings,
            redacted=tuple(sorted(self._redacted)),
        )


_WHOLE = (Stage.OUTPUT, Stage.TOOL_CALL)
_STREAMED = (*_WHOLE, Stage.STREAM)


def _hold(released_chars: int | None) -> Hold:
    if released_chars is None:
        return Hold.WHOLE
    return Hold.RELEASED if released_chars else Hold.WITHHELD


def _reason(conclusion: Conclusion) -> str | None:
    if conclusion.governing is not None:
        return conclusion.governing.reason
    return NOTHING_APPLIED if conclusion.verdict is Verdict.UNASSESSED else None
