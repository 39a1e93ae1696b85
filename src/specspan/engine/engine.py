"""The engine: one policy, ready to decide calls. Shared by all threads."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import date, timedelta

from specspan.decision import Override
from specspan.engine.evaluation import Evaluation
from specspan.engine.ids import uuid7
from specspan.engine.plan import Plan, compiled, remember
from specspan.engine.workers import WORKERS, Workers
from specspan.policy.model import Policy
from specspan.policy.overrides import rule

_DAY_NS = 86_400_000_000_000
_EPOCH = date(1970, 1, 1)

_Key = tuple[int, tuple[Override, ...]]


class Engine:
    """Turns model calls into decisions under one policy.

    Overrides, the policy's and those of a call, are ruled on once for each day (UTC) they are met on, not for each
    call.
    """

    def __init__(
        self,
        policy: Policy,
        *,
        now_ns: Callable[[], int] = time.time_ns,
        new_id: Callable[[], str] = uuid7,
        workers: Workers = WORKERS,
    ) -> None:
        """Compile the plan.

        Raises:
            ValueError: a check is bound to a section of the spec that binds nobody.
        """
        self.policy = policy
        self._now_ns = now_ns
        self._new_id = new_id
        self._workers = workers
        self._plan = compiled(policy)
        self._plans: dict[_Key, Plan] = {}

    def open(self, overrides: Sequence[Override] = ()) -> Evaluation:
        """Begin to evaluate one call, under the policy's overrides and ``overrides``."""
        key = (self._now_ns() // _DAY_NS, tuple(overrides))
        plan = self._plans.get(key)
        if plan is None:
            plan = self._ruled(*key)
            remember(self._plans, key, plan)
        return Evaluation(plan, self._workers, self._now_ns, self._new_id)

    def _ruled(self, day: int, overrides: Sequence[Override]) -> Plan:
        today = _EPOCH + timedelta(days=day)
        return self._plan.under([rule(self.policy.spec, each, today) for each in (*self.policy.overrides, *overrides)])
