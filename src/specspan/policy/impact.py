"""What a change of spec means for a policy: which bindings it breaks, and which need another look."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from enum import Enum
from os import PathLike

from specspan.errors import PolicyError
from specspan.policy.against_spec import clause_problem, override_problem
from specspan.policy.load import load_policy
from specspan.policy.model import ClausePolicy, Policy
from specspan.policy.overrides import rule
from specspan.spec.diff import Aspect, ClauseChange, SpecDiff, likenesses
from specspan.spec.model import Clause

REMOVED = "clause_removed"
NO_LEVEL = "level_removed"
PIN_DIFFERS = "pin_differs"
"""The policy admits another text only."""


class Need(str, Enum):
    """How a binding stands after the change."""

    BROKEN = "broken"
    """With the new version, the policy is refused."""
    STALE = "stale"
    """The policy is accepted, but what it binds is not what somebody once read."""


@dataclass(frozen=True, slots=True)
class Attention:
    """One thing in a policy that a change of spec touches."""

    need: Need
    key: str
    """Where in the policy, such as ``clauses.protect_privacy`` or ``overrides[0].by``."""
    clause: str | None
    """The clause it is about; None for the spec as a whole."""
    reason: str
    """A code from a closed set, such as ``clause_removed``, ``text_changed`` or ``insufficient_authority``."""
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Impact:
    """What a change of spec means for one policy."""

    policy: Policy
    attention: tuple[Attention, ...]
    """Broken and stale bindings, in the order of the policy."""
    unbound: tuple[Clause, ...] = ()
    """Clauses that are new and binding, and that the policy does not name: unassessed on every call."""

    def having(self, need: Need) -> tuple[Attention, ...]:
        """The bindings that stand so."""
        return tuple(item for item in self.attention if item.need is need)


def load_either(path: str | PathLike[str], found: SpecDiff) -> Policy:
    """A policy loaded with the old version or, where it is written for the new one already, with that.

    Raises:
        PolicyError: it is refused with both; what is said is about the old one.
    """
    try:
        return load_policy(path, spec=found.old)
    except PolicyError:
        with suppress(PolicyError):
            return load_policy(path, spec=found.new)
        raise


def impact(policy: Policy, found: SpecDiff) -> Impact:
    """What ``found`` means for ``policy``, which was loaded with its old or its new version."""
    unbound = tuple(clause for clause in found.added if clause.authority and clause.id not in policy.clauses)
    return Impact(policy, (*_pin(policy, found), *_clauses(policy, found), *_overrides(policy, found)), unbound)


def _pin(policy: Policy, found: SpecDiff) -> Iterator[Attention]:
    if policy.pin not in (None, found.new.digest):
        message = "the new version is another text than the pinned one"
        remedy = f"Read what changed, then pin {found.new.digest}."
        yield Attention(Need.BROKEN, "spec.digest", None, PIN_DIFFERS, message, remedy)


def _clauses(policy: Policy, found: SpecDiff) -> Iterator[Attention]:
    changes, alike = {change.id: change for change in found.changed}, likenesses(found)
    for id_, bound in policy.clauses.items():
        key = f"clauses.{id_}"
        if problem := clause_problem(found.new, id_):
            reason = NO_LEVEL if id_ in found.new.clauses else REMOVED
            message, remedy = problem
            yield Attention(Need.BROKEN, key, id_, reason, message, _renamed(alike.get(id_)) or remedy)
        elif id_ in changes and _decides(bound):
            yield from _stale(key, changes[id_])


def _decides(bound: ClausePolicy) -> bool:
    """Whether anything rests on what the clause says: a clause that is only named stays unassessed whatever it says."""
    return bool(bound.checks or bound.objective)


def _overrides(policy: Policy, found: SpecDiff) -> Iterator[Attention]:
    changes, alike = {change.id: change for change in found.changed}, likenesses(found)
    for index, override in enumerate(policy.overrides):
        key = f"overrides[{index}]"
        if problem := override_problem(found.new, override):
            below, message, remedy = problem
            if override.clause not in found.new.clauses:
                remedy = _renamed(alike.get(override.clause)) or remedy
            reason = rule(found.new, override, date.min).refusal or REMOVED
            yield Attention(Need.BROKEN, f"{key}.{below}", override.clause, reason, message, remedy)
        elif override.clause in changes:
            yield from _stale(key, changes[override.clause])


def _stale(key: str, change: ClauseChange) -> Iterator[Attention]:
    old, new = change.old, change.new
    told = {
        Aspect.TEXT: ("text_changed", f"the text of {new.id!r} changed"),
        Aspect.AUTHORITY: ("authority_changed", f"{new.id!r} went from {old.authority!r} to {new.authority!r}"),
        Aspect.TAGS: ("tags_changed", f"the tags of {new.id!r}, which say when it holds, changed"),
    }
    remedies = {
        Aspect.TEXT: "Read the change; see whether it still asks for the same.",
        Aspect.AUTHORITY: "See whether severity, action and overrides still fit.",
        Aspect.TAGS: "See whether it still holds for the same calls.",
    }
    for aspect in change.aspects:
        if aspect in told:
            yield Attention(Need.STALE, key, new.id, *told[aspect], remedies[aspect])


def _renamed(alike: tuple[str, float] | None) -> str | None:
    """A remedy that names what a removed clause is called now; None where nothing looks like it."""
    return None if alike is None else f"It looks like {alike[0]!r} now ({alike[1]:.0%} of the words are the same)."
