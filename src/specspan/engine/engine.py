"""The engine: one policy, ready to decide calls. Shared by all threads."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import TypeAlias

from specspan.call import WHOLE, ModelCall
from specspan.decision import Mode, Override
from specspan.engine.bound_check import chance
from specspan.engine.evaluation import Evaluation
from specspan.engine.override_sources import asked
from specspan.engine.plan import Plan, compiled, remember
from specspan.engine.workers import WORKERS, Workers
from specspan.policy.overrides import Asked, rule_all
from specspan.policy.policy import ALWAYS, Policy

# MERGED circumstances: Which clauses of a policy have no bearing on a call, worked out without naming them each time.


Unmet: TypeAlias = "tuple[str | None, ...]"
"""For each condition that a clause has, why it is not met; None where it is."""


class Circumstances:
    """The conditions of all clauses of one policy, each of them once."""

    def __init__(self, policy: Policy) -> None:
        named: dict[object, list[str]] = {}
        conditions = []
        for name, clause in policy.clauses.items():
            if clause.when != ALWAYS:
                if clause.when not in named:
                    conditions.append(clause.when)
                named.setdefault(clause.when, []).append(name)
        self._assumed = policy.context
        self._conditions = tuple(conditions)
        self._clauses = tuple(tuple(names) for names in named.values())

    def __bool__(self) -> bool:
        return bool(self._conditions)

    def unmet(self, call: ModelCall | None) -> Unmet:
        """What of the conditions ``call`` does not meet. Equal for calls with the same clauses left out."""
        return tuple([condition.unmet(call, self._assumed) for condition in self._conditions])

    def left_out(self, unmet: Unmet) -> Mapping[str, str]:
        """The clauses that have no bearing, and why."""
        pairs = zip(unmet, self._clauses, strict=True)
        return {name: reason for reason, names in pairs if reason is not None for name in names}


# MERGED ids: Decision ids: UUID version 7 (RFC 9562, section 5.7), so that ids sort by the time they were made.
#
# Within one process they only ever grow (section 6.2, method 1: the 12 bits after the timestamp count within one
# millisecond); across processes the 62 random bits keep them apart.


_COUNTER_BITS = 12
_FORM = "%08x-%04x-7%03x-%04x-%012x"  # milliseconds in 8 and 4 digits, version, counter, variant and chance, chance
_VARIANT = 0x8000
_SEED_MASK = (1 << (_COUNTER_BITS - 1)) - 1  # the counter's top bit starts at 0, which leaves it room to count

_chance = random.Random()  # noqa: S311 - ids are unique, not secret, and asking the system each time takes longer
_lock = threading.Lock()
_last = 0  # milliseconds and counter of the last id, as one number


def uuid7() -> str:
    """A new id, greater than every id this process made before, in the canonical form of 36 characters."""
    return _canonical(time.time_ns() // 1_000_000, _chance.getrandbits(80))


def _canonical(now_ms: int, random: int) -> str:
    tick = _next_tick((now_ms << _COUNTER_BITS) | (random >> 62 & _SEED_MASK))
    head, tail = _VARIANT | random >> 48 & 0x3FFF, random & 0xFFFF_FFFF_FFFF
    return _FORM % (tick >> 28, tick >> 12 & 0xFFFF, tick & 0xFFF, head, tail)


def _next_tick(fresh: int) -> int:
    """``fresh``, or one more than the last when the clock stands still or goes backwards.

    A full counter so runs over into the next millisecond, ahead of the clock by as little as it needs.
    """
    global _last
    with _lock:
        _last = fresh if fresh >> _COUNTER_BITS > _last >> _COUNTER_BITS else _last + 1
        return _last


def _after_fork() -> None:
    """Chances of its own for the child, and a lock: a thread of the parent's may have held it, and is not here."""
    global _lock
    _lock = threading.Lock()
    _chance.seed()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


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

    def open_plain(self, call: ModelCall) -> Evaluation:
        """Begin to evaluate a call for which `open` failed: under no override, with every clause and every check."""
        return Evaluation(self._plan, self._workers, self._now_ns, self._new_id, call)

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
