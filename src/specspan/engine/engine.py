"""Engine: one policy, ready to decide calls, shared by all threads."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from functools import partial
from typing import TypeAlias

from specspan._support import process
from specspan._support.caches import BoundedCache
from specspan.call import WHOLE, ModelCall
from specspan.decision import Mode, Override
from specspan.engine.bound_check import sampling_value
from specspan.engine.deferral import BackgroundRunner, Deferral
from specspan.engine.evaluation import Evaluation
from specspan.engine.override_sources import override_sources
from specspan.engine.plan import MAX_CACHED_PLANS, Plan, compile_plan
from specspan.engine.shadowing import Shadow
from specspan.engine.workers import WORKERS, Workers
from specspan.policy.amended_policy import amended_policy
from specspan.policy.mitigation import Mitigation
from specspan.policy.overrides import OverrideSource, rule_overrides
from specspan.policy.policy import ALWAYS, OnError, Policy

UnmetConditions: TypeAlias = "tuple[str | None, ...]"
"""By condition that a clause has, the reason for which it is not met; None where it is."""

_PlanKey = tuple[int, tuple[Override, ...], "tuple[OverrideSource | None, ...]", UnmetConditions]

_DAY_NS = 86_400_000_000_000
_EPOCH = date(1970, 1, 1)


_COUNTER_BITS = 12
_FORMAT = "%08x-%04x-7%03x-%04x-%012x"  # milliseconds in 8 and 4 digits, version, counter, variant and random, random
_VARIANT = 0x8000
_SEED_MASK = (1 << (_COUNTER_BITS - 1)) - 1  # the counter's top bit starts at 0, which leaves it room to count


class Uuid7:
    """Generator of ids in the canonical form of 36 characters, each greater than every id it made before.

    Version 7 (RFC 9562, section 5.7) sorts by time. Within one process ids only grow (section 6.2, method 1: 12 bits
    after the timestamp count within one millisecond); across processes the 62 random bits keep them apart.
    """

    def __init__(self) -> None:
        self._random = random.Random()  # noqa: S311 - ids are unique, not secret, and asking the system takes longer
        self._lock = threading.Lock()
        self._last_tick = 0  # milliseconds and counter of the last id, as one number
        process.after_fork(self)

    def __call__(self) -> str:
        """Return a new id."""
        return self._format(time.time_ns() // 1_000_000, self._random.getrandbits(80))

    def after_fork(self) -> None:
        """Give a child its own random numbers and a lock: a thread of the parent's may have held the lock."""
        self._lock = threading.Lock()
        self._random.seed()

    def _format(self, now_ms: int, random_bits: int) -> str:
        tick = self._next_tick((now_ms << _COUNTER_BITS) | (random_bits >> 62 & _SEED_MASK))
        head, tail = _VARIANT | random_bits >> 48 & 0x3FFF, random_bits & 0xFFFF_FFFF_FFFF
        return _FORMAT % (tick >> 28, tick >> 12 & 0xFFFF, tick & 0xFFF, head, tail)

    def _next_tick(self, candidate: int) -> int:
        """Return ``candidate``, or one more than the last tick when the clock stands still or goes backwards.

        A full counter so runs over into the next millisecond, ahead of the clock by as little as it needs.
        """
        with self._lock:
            is_later = candidate >> _COUNTER_BITS > self._last_tick >> _COUNTER_BITS
            self._last_tick = candidate if is_later else self._last_tick + 1
            return self._last_tick


uuid7 = Uuid7()
"""Ids of this process's decisions."""


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
        background: BackgroundRunner | None = None,
        shadow: Shadow | None = None,
    ) -> None:
        """Compile the plan.

        ``background`` runs the checks that can go on after the decision; without it, they are waited for. ``shadow``
        decides each call by a candidate policy once the call is over.

        Raises:
            ValueError: a check is bound to a section of the spec that binds nobody.
        """
        self.policy = policy
        self._now_ns = now_ns
        self._new_id = new_id
        self._workers = workers
        self.background = background
        """Runner of the checks that go on after the decision; None where they are waited for."""
        self.shadow = shadow
        """Candidate policy that is decided beside this one; None where there is none."""
        self._plan = compile_plan(policy, defers=background is not None)
        self._conditions = ClauseConditions(policy)
        self._has_conditions = bool(self._conditions)
        self._plans: BoundedCache[_PlanKey, Plan] = BoundedCache(MAX_CACHED_PLANS)
        self._amended: dict[tuple[Mitigation, ...], Engine] = {}
        if policy.mitigations:
            self._amended_by(policy.mitigations)

    def open(self, overrides: Sequence[Override] = (), call: ModelCall | None = None) -> Evaluation:
        """Begin to evaluate one call, under the policy's overrides and ``overrides``.

        ``call``: the call as it is about to be made. It decides which clauses apply, and how much authority the
        places have where overrides were asked for. Without it, neither is known.
        """
        if self._amended:
            now_ns = self._now_ns()
            chosen = tuple(each for each in self.policy.mitigations if each.is_for(call, now_ns))
            if chosen:
                return self._amended_by(chosen).open(overrides, call)
        sources = override_sources(overrides, call) if overrides else ()
        unmet = self._conditions.unmet(call) if self._has_conditions else ()
        key = (self._now_ns() // _DAY_NS, tuple(overrides), sources, unmet)
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = self._plan_with_overrides(*key)
        if call is not None and call.gaps is not WHOLE:
            plan = plan.with_gaps(call.gaps)
        if not plan.samples and not plan.defers:
            return Evaluation(plan, self._workers, self._now_ns, self._new_id, call)
        decision_id = self._new_id()
        plan = plan.for_sample(sampling_value(decision_id))
        deferral = None
        if plan.defers and self.background is not None:
            deferral = Deferral(self.background, partial(sampling_value, decision_id), self.policy.context)
        return Evaluation(plan, self._workers, self._now_ns, lambda: decision_id, call, deferral)

    @property
    def policies(self) -> Sequence[Policy]:
        """Return the policy, and those that its mitigations make of it as far as they are known."""
        return (self.policy, *(engine.policy for engine in self._amended.values()))

    @property
    def enforces(self) -> bool:
        """Return whether any call can be acted on: in enforce mode, or by a mitigation."""
        return self.policy.mode is Mode.ENFORCE or bool(self.policy.mitigations)

    @property
    def fails_closed(self) -> bool:
        """True if any clause stops a call where specspan itself fails."""
        chain = self._plan.chain
        enforced = (on_error for id_, on_error in chain.on_error.items() if id_ not in chain.observed_clauses)
        return self.policy.mode is Mode.ENFORCE and any(on_error is not OnError.OPEN for on_error in enforced)

    def open_plain(self, call: ModelCall) -> Evaluation:
        """Begin to evaluate a call for which `open` failed: under no override, with every clause and every check."""
        if self._amended:
            now_ns = self._now_ns()
            chosen = tuple(each for each in self.policy.mitigations if now_ns < each.until_unix_nano)
            if chosen:
                return self._amended_by(chosen).open_plain(call)
        return Evaluation(self._plan, self._workers, self._now_ns, self._new_id, call)

    def in_observe_mode(self) -> Engine:
        """Return an engine that decides as this one does and takes no action, for calls that are over."""
        if self.policy.mode is Mode.OBSERVE:
            return self if not self.policy.mitigations else self._under(replace(self.policy, mitigations=()))
        return self._under(replace(self.policy, mode=Mode.OBSERVE, mitigations=()))

    def _under(self, policy: Policy) -> Engine:
        return Engine(
            policy, now_ns=self._now_ns, new_id=self._new_id, workers=self._workers, background=self.background
        )

    def _amended_by(self, chosen: tuple[Mitigation, ...]) -> Engine:
        """Return the engine of the policy as some mitigations amend it, which is compiled once."""
        engine = self._amended.get(chosen)
        if engine is None:
            engine = self._amended[chosen] = self._under(amended_policy(self.policy, chosen))
        return engine

    def _plan_with_overrides(
        self, day: int, overrides: Sequence[Override], sources: Sequence[OverrideSource | None], unmet: UnmetConditions
    ) -> Plan:
        all_overrides = (*self.policy.overrides, *overrides)
        all_sources = (*[None] * len(self.policy.overrides), *sources)
        rulings = rule_overrides(self.policy.authority, all_overrides, _EPOCH + timedelta(days=day), all_sources)
        return self._plan.with_overrides(rulings, self._conditions.inapplicable_clauses(unmet))


class ClauseConditions:
    """Conditions of all clauses of one policy, each of them once."""

    def __init__(self, policy: Policy) -> None:
        by_condition: dict[object, list[str]] = {}
        conditions = []
        for name, clause in policy.clauses.items():
            if clause.when != ALWAYS:
                if clause.when not in by_condition:
                    conditions.append(clause.when)
                by_condition.setdefault(clause.when, []).append(name)
        self._assumed = policy.context
        self._conditions = tuple(conditions)
        self._clauses = tuple(tuple(names) for names in by_condition.values())

    def __bool__(self) -> bool:
        return bool(self._conditions)

    def unmet(self, call: ModelCall | None) -> UnmetConditions:
        """Return the conditions that ``call`` does not meet; equal for calls with the same inapplicable clauses."""
        return tuple([condition.unmet_reason(call, self._assumed) for condition in self._conditions])

    def inapplicable_clauses(self, unmet: UnmetConditions) -> Mapping[str, str]:
        """Return, by clause that has no bearing on a call, the reason."""
        pairs = zip(unmet, self._clauses, strict=True)
        return {name: reason for reason, names in pairs if reason is not None for name in names}
