"""What a change of spec means for a policy: which bindings it breaks, and which need another look."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from enum import Enum
from os import PathLike

from specspan.documents.node import key_of
from specspan.errors import PolicyError
from specspan.policy.authority import Authority, build_authority, order_problems
from specspan.policy.load import load_policy
from specspan.policy.overrides import AMBIGUOUS, rule_override
from specspan.policy.policy import ClausePolicy, Policy
from specspan.policy.spec_problems import clause_problem, override_problem
from specspan.spec.diff import Aspect, ClauseChange, SpecDiff, similar_clauses
from specspan.spec.spec import Clause, Spec

REMOVED = "clause_removed"
NO_LEVEL = "level_removed"
PIN_DIFFERS = "pin_differs"
"""The policy admits another text only."""
LEVELS_CHANGED = "levels_changed"
"""The order of the levels of several specs names other levels than there are."""


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

    def with_need(self, need: Need) -> tuple[Attention, ...]:
        """The bindings that stand so."""
        return tuple(item for item in self.attention if item.need is need)


def load_with_either(path: str | PathLike[str], found: SpecDiff, environment: str | None = None) -> Policy:
    """A policy of an environment, loaded with the old version or, where it is written for the new one, with that.

    Raises:
        PolicyError: it is refused with both; what is said is about the old one.
    """
    try:
        return load_policy(path, spec=found.old, environment=environment)
    except PolicyError:
        with suppress(PolicyError):
            return load_policy(path, spec=found.new, environment=environment)
        raise


def assess_impact(policy: Policy, found: SpecDiff) -> Impact:
    """What ``found`` means for ``policy``, which was loaded with its old or its new version."""
    several = len(policy.specs) > 1
    specs = [found.new if not several or spec.id in (found.old.id, found.new.id) else spec for spec in policy.specs]
    broken = list(_order_attention(policy, specs))
    after = build_authority(specs, policy.order)
    attention = (*_pin_attention(policy, found), *broken, *_clause_attention(policy, found, after))
    if not broken:  # else no override can be ruled on
        attention = (*attention, *_override_attention(policy, found, after))
    unbound = (clause for clause in found.added if clause.authority)
    return Impact(
        policy,
        attention,
        tuple(clause for clause in unbound if after.name(found.new, clause.id) not in policy.clauses),
    )


def _pin_attention(policy: Policy, found: SpecDiff) -> Iterator[Attention]:
    pin = policy.pins.get(found.old.id) or policy.pins.get(found.new.id)
    if len(policy.specs) == 1:
        pin = next(iter(policy.pins.values()), None)
    if pin not in (None, found.new.digest):
        message = "the new version is another text than the pinned one"
        remedy = f"Read what changed, then pin {found.new.digest}."
        yield Attention(Need.BROKEN, "spec.digest", None, PIN_DIFFERS, message, remedy)


def _order_attention(policy: Policy, specs: Sequence[Spec]) -> Iterator[Attention]:
    """What the new ladder does to an order of several."""
    if len(specs) > 1:
        written = [equals[0] if len(equals) == 1 else equals for equals in policy.order]
        for path, message, remedy in order_problems(specs, written):
            yield Attention(Need.BROKEN, key_of(("order", *path)) or "", None, LEVELS_CHANGED, message, remedy)


def _clause_attention(policy: Policy, found: SpecDiff, after: Authority) -> Iterator[Attention]:
    changes, alike = {change.id: change for change in found.changed}, similar_clauses(found)
    for name, bound in policy.clauses.items():
        key, id_ = f"clauses.{name}", _id_in_diff(found, policy, name)
        if problem := clause_problem(after, name):
            reason = AMBIGUOUS if after.find_clauses(name) and name not in after.clauses else REMOVED
            reason = NO_LEVEL if name in after.clauses else reason
            message, remedy = problem
            yield Attention(Need.BROKEN, key, name, reason, message, _rename_remedy(alike.get(id_ or "")) or remedy)
        elif id_ in changes and _has_effect(bound):
            yield from _stale_bindings(key, changes[id_])


def _id_in_diff(found: SpecDiff, policy: Policy, name: str) -> str | None:
    """A clause's id in the spec that changed; None for a clause of another."""
    spec, id_ = policy.authority.address(name)
    return id_ if len(policy.specs) == 1 or spec in (found.old.id, found.new.id) else None


def _has_effect(bound: ClausePolicy) -> bool:
    """Whether anything rests on what the clause says: a clause that is only named stays unassessed whatever it says."""
    return bool(bound.checks or bound.objective)


def _override_attention(policy: Policy, found: SpecDiff, after: Authority) -> Iterator[Attention]:
    changes, alike = {change.id: change for change in found.changed}, similar_clauses(found)
    for index, override in enumerate(policy.overrides):
        key, id_ = f"overrides[{index}]", _id_in_diff(found, policy, override.clause)
        if problem := override_problem(after, override):
            below, message, remedy = problem
            if override.clause not in after.clauses:
                remedy = _rename_remedy(alike.get(id_ or "")) or remedy
            reason = rule_override(after, override, date.min).refusal or REMOVED
            yield Attention(Need.BROKEN, f"{key}.{below}", override.clause, reason, message, remedy)
        elif id_ in changes:
            yield from _stale_bindings(key, changes[id_])


def _stale_bindings(key: str, change: ClauseChange) -> Iterator[Attention]:
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


def _rename_remedy(alike: tuple[str, float] | None) -> str | None:
    """A remedy that names what a removed clause is called now; None where nothing looks like it."""
    return None if alike is None else f"It looks like {alike[0]!r} now ({alike[1]:.0%} of the words are the same)."
