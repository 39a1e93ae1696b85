"""Which clauses of a policy have no bearing on a call, worked out without naming them each time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from specspan.call import ModelCall
from specspan.policy.conditions import ALWAYS
from specspan.policy.model import Policy

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
