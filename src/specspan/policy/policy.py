"""A policy as the engine takes it: loaded, checked against its spec, every check built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import Enum
from fnmatch import fnmatchcase

from specspan.call import ModelCall, Scalar
from specspan.checks.check import Check
from specspan.decision import Action, Mode, Override, Severity
from specspan.policy.authority import Authority, Order, build_authority
from specspan.spec.spec import Clause, Spec

OTHER_CONTEXT = "other_context"
"""Not applicable: the circumstances are others than the clause is for."""
UNKNOWN_CONTEXT = "unknown_context"
"""Not applicable: nobody says that the circumstances are those the clause is for."""

REQUEST_FACTS = ("operation", "provider", "model")
"""What is known of every call without the application saying so."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Circumstances, all of which have to be given."""

    facts: tuple[tuple[str, tuple[Scalar, ...]], ...] = ()
    """The values that each fact may have. Of `REQUEST`, ``*`` in a value stands for anything."""

    def unmet_reason(self, call: ModelCall | None, assumed: Mapping[str, Scalar]) -> str | None:
        """Why the clause has no bearing on ``call``; None where it has. ``assumed`` is what holds unless said."""
        reason = None
        for name, values in self.facts:
            fact = _fact_value(name, call, assumed)
            if fact is None:
                reason = UNKNOWN_CONTEXT
            elif not any(fact == value for value in values) and not _matches_wildcard(name, fact, values):
                return OTHER_CONTEXT
        return reason


ALWAYS = Condition()


def condition_from_facts(when: Mapping[str, Scalar | Sequence[Scalar]]) -> Condition:
    """The condition that a policy file writes so: a value or a list of them for each fact."""
    listed = (
        (name, (values,) if isinstance(values, (str, bool, int, float)) else values) for name, values in when.items()
    )
    return Condition(tuple((name, tuple(values)) for name, values in listed))


def condition_from_tags(tags: Sequence[str]) -> Condition:
    """The condition of a clause with these tags: that each of them is so."""
    return Condition(tuple((tag, (True,)) for tag in tags))


def _fact_value(name: str, call: ModelCall | None, assumed: Mapping[str, Scalar]) -> Scalar | None:
    if call is not None:
        if name in REQUEST_FACTS:
            said: Scalar | None = getattr(call.request, name)
            return said
        if name in call.context.attributes:
            return call.context.attributes[name]
    return assumed.get(name)


def _matches_wildcard(name: str, fact: Scalar, values: Sequence[Scalar]) -> bool:
    if name not in REQUEST_FACTS:
        return False
    return any(isinstance(value, str) and "*" in value and fnmatchcase(str(fact), value) for value in values)


class OnError(str, Enum):
    """What a failing check means in enforce mode."""

    OPEN = "open"
    """The call goes on; the outcome is still ``error``."""
    CLOSED = "closed"
    """The call is blocked."""
    ESCALATE = "escalate"
    """The call is stopped and a person is asked."""


@dataclass(frozen=True, slots=True)
class Layer:
    """One file of a policy."""

    source: str
    digest: str
    """``sha256:`` and the hex digest of its bytes."""


@dataclass(frozen=True, slots=True)
class Objective:
    """How much of the traffic must comply."""

    target: float
    """A share between 0 and 1, such as 0.999."""
    window: timedelta


@dataclass(frozen=True, slots=True)
class CheckBinding:
    """Check of a clause, with the limits that the policy sets to it."""

    check: Check
    sample: float = 1.0
    """Share of the calls on which the check runs, above 0 and at most 1."""
    timeout_limit_s: float | None = None
    """Time limit of the policy in seconds; None leaves the check's own."""

    @property
    def timeout_s(self) -> float | None:
        """Seconds the check may take before its outcome is ``error``; None runs it on the caller's thread."""
        return self.check.traits.timeout_s if self.timeout_limit_s is None else self.timeout_limit_s


@dataclass(frozen=True, slots=True)
class ClausePolicy:
    """What this application does about one clause."""

    clause: Clause
    severity: Severity
    action: Action
    on_error: OnError
    checks: tuple[CheckBinding, ...] = ()
    replacement: str = ""
    """What stands in place of a text under `Action.REPLACE`."""
    objective: Objective | None = None
    when: Condition = ALWAYS
    """The calls it has a bearing on."""
    mode: Mode = Mode.ENFORCE
    """`Mode.OBSERVE` where it is only watched, whatever the policy's own mode is."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What one application does about a spec, or about several."""

    specs: tuple[Spec, ...]
    """At least one, with ids of their own."""
    mode: Mode
    digest: str
    """``sha256:`` and hexadecimal digits: of the file's bytes or, where several files or an environment make it, as
    `specspan.policy.sources.digest_of` puts them together."""
    clauses: Mapping[str, ClausePolicy]
    """The clauses the file names, by their names in `authority`. Other clauses are considered, and unassessed."""
    overrides: tuple[Override, ...] = ()
    source: str = ""
    pins: Mapping[str, str] = field(default_factory=dict)
    """By a spec's id, the digest of the one text that the file admits; absent where it admits any."""
    layers: tuple[Layer, ...] = ()
    """The files it was made of, each holding over those before it."""
    environment: str | None = None
    """The environment it was made for; None for all, or where its files make no difference between them."""
    order: Order = ()
    """The levels of all specs, strongest first; not needed with one spec."""
    context: Mapping[str, Scalar] = field(default_factory=dict)
    """Facts that hold of calls of which the application does not say otherwise."""
    authority: Authority = field(init=False, repr=False, compare=False)
    """The chain of command of all specs."""

    def __post_init__(self) -> None:
        """Build the chain of command.

        Raises:
            ValueError: several specs and no order of their levels.
        """
        object.__setattr__(self, "authority", build_authority(self.specs, self.order))

    @property
    def spec(self) -> Spec:
        """The first spec, which of most policies is the only one."""
        return self.specs[0]

    def without_sampling(self) -> Policy:
        """Return the policy with every check running on every call, so that each run finds the same."""
        clauses = {
            name: replace(bound, checks=tuple(replace(binding, sample=1.0) for binding in bound.checks))
            for name, bound in self.clauses.items()
        }
        return replace(self, clauses=clauses)

    def mode_of(self, clause_id: str) -> Mode:
        """The mode of a clause: enforced where both the policy and the clause are."""
        bound = self.clauses.get(clause_id)
        return self.mode if bound is None or bound.mode is Mode.ENFORCE else Mode.OBSERVE
