"""Impact of a spec's change on a policy: bindings that break, and bindings that need another look."""

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
"""Reason: the policy admits another text only."""
LEVELS_CHANGED = "levels_changed"
"""Reason: the order of the levels of several specs no longer names the levels they have."""


class Need(str, Enum):
    """State of a binding after the change."""

    BROKEN = "broken"
    """The policy is refused with the new version."""
    STALE = "stale"
    """The policy is accepted, but its clause is not the one that somebody once read."""


@dataclass(frozen=True, slots=True)
class Attention:
    """Item of a policy that a change of spec touches."""

    need: Need
    key: str
    """Place in the policy, such as ``clauses.protect_privacy`` or ``overrides[0].by``."""
    clause: str | None
    """Name of the clause; None for the spec as a whole."""
    reason: str
    """Code from a closed set, such as ``clause_removed``, ``text_changed`` or ``insufficient_authority``."""
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Impact:
    """Effect of a change of spec on one policy."""

    policy: Policy
    attention: tuple[Attention, ...]
    """Broken and stale bindings, in the order of the policy."""
    unbound: tuple[Clause, ...] = ()
    """New binding clauses that the policy does not name: unassessed on every call."""

    def with_need(self, need: Need) -> tuple[Attention, ...]:
        """Return the items in this state."""
        return tuple(item for item in self.attention if item.need is need)


def load_with_either(path: str | PathLike[str], spec_diff: SpecDiff, environment: str | None = None) -> Policy:
    """Load a policy of an environment with the old version or, where the policy is written for the new one, with that.

    Raises:
        PolicyError: the policy is refused with both; the problems are those with the old version.
    """
    try:
        return load_policy(path, spec=spec_diff.old, environment=environment)
    except PolicyError:
        with suppress(PolicyError):
            return load_policy(path, spec=spec_diff.new, environment=environment)
        raise


def assess_impact(policy: Policy, spec_diff: SpecDiff) -> Impact:
    """Return the impact of a diff on ``policy``, which was loaded with the old or the new version."""
    several = len(policy.specs) > 1
    specs = [
        spec_diff.new if not several or spec.id in (spec_diff.old.id, spec_diff.new.id) else spec
        for spec in policy.specs
    ]
    broken = list(_order_attention(policy, specs))
    after = build_authority(specs, policy.order)
    attention = (*_pin_attention(policy, spec_diff), *broken, *_clause_attention(policy, spec_diff, after))
    if not broken:  # overrides cannot be ruled on without an order
        attention = (*attention, *_override_attention(policy, spec_diff, after))
    unbound = (clause for clause in spec_diff.added if clause.authority)
    return Impact(
        policy,
        attention,
        tuple(clause for clause in unbound if after.name(spec_diff.new, clause.id) not in policy.clauses),
    )


def _pin_attention(policy: Policy, spec_diff: SpecDiff) -> Iterator[Attention]:
    pin = policy.pins.get(spec_diff.old.id) or policy.pins.get(spec_diff.new.id)
    if len(policy.specs) == 1:
        pin = next(iter(policy.pins.values()), None)
    if pin not in (None, spec_diff.new.digest):
        message = "the new version is another text than the pinned one"
        remedy = f"Read what changed, then pin {spec_diff.new.digest}."
        yield Attention(Need.BROKEN, "spec.digest", None, PIN_DIFFERS, message, remedy)


def _order_attention(policy: Policy, specs: Sequence[Spec]) -> Iterator[Attention]:
    """Yield what the new ladder breaks in an order of several specs."""
    if len(specs) > 1:
        written = [equals[0] if len(equals) == 1 else equals for equals in policy.order]
        for path, message, remedy in order_problems(specs, written):
            yield Attention(Need.BROKEN, key_of(("order", *path)) or "", None, LEVELS_CHANGED, message, remedy)


def _clause_attention(policy: Policy, spec_diff: SpecDiff, after: Authority) -> Iterator[Attention]:
    changes, alike = {change.id: change for change in spec_diff.changed}, similar_clauses(spec_diff)
    for name, bound in policy.clauses.items():
        key, id_ = f"clauses.{name}", _id_in_diff(spec_diff, policy, name)
        if problem := clause_problem(after, name):
            reason = AMBIGUOUS if after.find_clauses(name) and name not in after.clauses else REMOVED
            reason = NO_LEVEL if name in after.clauses else reason
            message, remedy = problem
            yield Attention(Need.BROKEN, key, name, reason, message, _rename_remedy(alike.get(id_ or "")) or remedy)
        elif id_ in changes and _has_effect(bound):
            yield from _stale_bindings(key, changes[id_])


def _id_in_diff(spec_diff: SpecDiff, policy: Policy, name: str) -> str | None:
    """Return a clause's id in the spec that changed; None for a clause of another spec."""
    spec, id_ = policy.authority.address(name)
    return id_ if len(policy.specs) == 1 or spec in (spec_diff.old.id, spec_diff.new.id) else None


def _has_effect(bound: ClausePolicy) -> bool:
    """Return whether anything rests on the clause's text: a clause that is only named stays unassessed."""
    return bool(bound.checks or bound.objective)


def _override_attention(policy: Policy, spec_diff: SpecDiff, after: Authority) -> Iterator[Attention]:
    changes, alike = {change.id: change for change in spec_diff.changed}, similar_clauses(spec_diff)
    for index, override in enumerate(policy.overrides):
        key, id_ = f"overrides[{index}]", _id_in_diff(spec_diff, policy, override.clause)
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
    reasons = {
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
        if aspect in reasons:
            yield Attention(Need.STALE, key, new.id, *reasons[aspect], remedies[aspect])


def _rename_remedy(alike: tuple[str, float] | None) -> str | None:
    """Return a remedy that names the new id of a removed clause; None where no clause is like it."""
    return None if alike is None else f"It looks like {alike[0]!r} now ({alike[1]:.0%} of the words are the same)."
