"""The engine: one policy, ready to decide calls. Shared by all threads."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta

from specspan.call import WHOLE, ModelCall
from specspan.decision import Mode, Override
from specspan.engine.circumstances import Circumstances, Unmet
from specspan.engine.evaluation import Evaluation
from specspan.engine.ids import uuid7
from specspan.engine.plan import Plan, compiled, remember
from specspan.engine.sampling import chance
from specspan.engine.sources import asked
from specspan.engine.workers import WORKERS, Workers
from specspan.policy.model import Policy
from specspan.policy.overrides import Asked, rule_all

_DAY_NS = 86_400_000_000_000
_EPOCH = date(1970, 1, 1)

_Key = tuple[int, tuple[Override, ...], "tuple[Asked | None, ...]", Unmet]


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
        self._circumstances = Circumstances(policy)
        self._conditional = bool(self._circumstances)
        self._plans: dict[_Key, Plan] = {}

    def open(self, overrides: Sequence[Override] = (), call: ModelCall | None = None) -> Evaluation:
        """Begin to evaluate one call, under the policy's overrides and ``overrides``.

        ``call``: as it is about to be made. It says which clauses have a bearing on it, and what authority the places
        have where overrides were asked for. Without it, neither is known.
        """
        where = asked(overrides, call) if overrides else ()
        unmet = self._circumstances.unmet(call) if self._conditional else ()
        key = (self._now_ns() // _DAY_NS, tuple(overrides), where, unmet)
        plan = self._plans.get(key)
        if plan is None:
            plan = self._ruled(*key)
            remember(self._plans, key, plan)
        if call is not None and call.gaps is not WHOLE:
            plan = plan.short(call.gaps)
        if not plan.shares:
            return Evaluation(plan, self._workers, self._now_ns, self._new_id, call)
        decision_id = self._new_id()
        return Evaluation(plan.drawn(chance(decision_id)), self._workers, self._now_ns, lambda: decision_id, call)

    def observing(self) -> Engine:
        """One that decides as this one does, and takes no action: for what is over."""
        if self.policy.mode is Mode.OBSERVE:
            return self
        policy = replace(self.policy, mode=Mode.OBSERVE)
        return Engine(policy, now_ns=self._now_ns, new_id=self._new_id, workers=self._workers)

    def _ruled(self, day: int, overrides: Sequence[Override], where: Sequence[Asked | None], unmet: Unmet) -> Plan:
        every = (*self.policy.overrides, *overrides)
        places = (*[None] * len(self.policy.overrides), *where)
        rulings = rule_all(self.policy.authority, every, _EPOCH + timedelta(days=day), places)
        return self._plan.under(rulings, self._circumstances.left_out(unmet))
