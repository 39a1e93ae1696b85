"""Policy, the model that the engine takes: loaded, checked against its spec, every check built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import Enum
from fnmatch import fnmatchcase
from typing import Any

from specspan.call import ModelCall, Scalar
from specspan.checks.check import Check, ClauseReader
from specspan.decision import Action, Mode, Override, ReviewCause, Severity
from specspan.policy.authority import Authority, Order, build_authority
from specspan.policy.mitigation import Mitigation
from specspan.spec.spec import Clause, Spec

OTHER_CONTEXT = "other_context"
"""Reason of a clause that is not applicable because the circumstances are others than the clause is for."""
UNKNOWN_CONTEXT = "unknown_context"
"""Reason of a clause that is not applicable because nobody says that the circumstances are those the clause is for."""
REQUEST_FACTS = ("operation", "provider", "model")
"""Facts that are known of every call, whatever the application says."""


class OnError(str, Enum):
    """Effect of a failing check in enforce mode."""

    OPEN = "open"
    """The call goes on; the outcome is still ``error``."""
    CLOSED = "closed"
    """The call is blocked."""
    ESCALATE = "escalate"
    """The call is stopped and a person is asked."""


class OnUnread(str, Enum):
    """Effect of content that a check cannot read, in enforce mode and where the rest holds no violation."""

    OPEN = "open"
    """The call goes on; the outcome is still ``unassessed``."""
    CLOSED = "closed"
    """The clause's action is taken as over a violation; what would be rewritten is blocked."""
    ESCALATE = "escalate"
    """The call is stopped and a person is asked."""


@dataclass(frozen=True, slots=True)
class HoldBack:
    """Part of a streamed answer that is held back until it is known to hold no match; none of it by default."""

    chars: int = 0
    """Characters that have to follow what is handed over."""
    sentence: bool = False
    """Whether only whole sentences are handed over."""
    whole: bool = False
    """Whether nothing is handed over before the answer is complete."""

    def __or__(self, other: HoldBack) -> HoldBack:
        """Return what holds back as much as both."""
        return HoldBack(max(self.chars, other.chars), self.sentence or other.sentence, self.whole or other.whole)

    def __bool__(self) -> bool:
        return bool(self.chars or self.sentence or self.whole)

    def __str__(self) -> str:
        if self.whole or self.sentence:
            return "all" if self.whole else "sentence"
        return f"chars: {self.chars}" if self.chars else "detect"


DETECT = HoldBack()
"""Nothing is held back: a stream is cut at the chunk that completes a match."""


def hold_back_from(value: Any) -> HoldBack | None:
    """Return what a file writes as ``detect``, ``sentence``, ``all`` or ``{chars: 64}``; None for anything else."""
    if isinstance(value, dict):
        chars: Any = value.get("chars")
        if chars.__class__ is not int or len(value) != 1 or not 0 < chars <= MAX_HELD_CHARS:
            return None
        return HoldBack(chars=chars)
    return _HOLD_BACK.get(value) if isinstance(value, str) else None


MAX_HELD_CHARS = 100_000
_HOLD_BACK = {"detect": DETECT, "sentence": HoldBack(sentence=True), "all": HoldBack(whole=True)}


@dataclass(frozen=True, slots=True)
class Condition:
    """Circumstances under which a clause has a bearing on a call; all of them have to be given."""

    facts: tuple[tuple[str, tuple[Scalar, ...]], ...] = ()
    """Values that each fact may have. In a value of `REQUEST_FACTS`, ``*`` stands for anything."""

    def unmet_reason(self, call: ModelCall | None, assumed: Mapping[str, Scalar]) -> str | None:
        """Return the reason why the clause has no bearing on ``call``; None where it has.

        ``assumed`` are facts that hold where the application says nothing else.
        """
        reason = None
        for name, values in self.facts:
            fact = _fact_value(name, call, assumed)
            if fact is None:
                reason = UNKNOWN_CONTEXT
            elif not any(fact == value for value in values) and not _matches_wildcard(name, fact, values):
                return OTHER_CONTEXT
        return reason


ALWAYS = Condition()


@dataclass(frozen=True, slots=True)
class Objective:
    """Share of the traffic that must comply with a clause."""

    target: float
    """Share between 0 and 1, such as 0.999."""
    window: timedelta


@dataclass(frozen=True, slots=True)
class CheckBinding:
    """Check of a clause, with the limits that the policy sets to it."""

    check: Check
    sample: float = 1.0
    """Share of the calls on which the check runs, above 0 and at most 1."""
    timeout_limit_s: float | None = None
    """Time limit of the policy in seconds; None leaves the check's own."""
    definition: str | None = field(default=None, compare=False)
    """``sha256:`` and the hex digest of the kind and configuration that a file gives the check; None without a file."""

    def for_clause(self, clause: Clause) -> CheckBinding:
        """Return the binding with the check of ``clause``, where the check reads the text of its clause."""
        return replace(self, check=self.check.for_clause(clause)) if isinstance(self.check, ClauseReader) else self

    @property
    def timeout_s(self) -> float | None:
        """Seconds the check may take before its outcome is ``error``; None runs it on the caller's thread."""
        return self.check.traits.timeout_s if self.timeout_limit_s is None else self.timeout_limit_s


@dataclass(frozen=True, slots=True)
class ReviewRule:
    """Rule by which people review decisions on a clause."""

    causes: frozenset[ReviewCause] = frozenset()
    """Causes for which a decision is reviewed, whatever was drawn."""
    sample: float = 0.0
    """Share of the calls that are reviewed, from 0 to 1; drawn as those of a check with a share are."""
    rulings: int = 1
    """Number of reviewers who rule, without seeing one another's rulings."""
    within: timedelta | None = None
    """Time after the decision within which they rule; None for no end."""


@dataclass(frozen=True, slots=True)
class ClausePolicy:
    """Severity, action and checks of one clause in this application."""

    clause: Clause
    severity: Severity
    action: Action
    on_error: OnError
    checks: tuple[CheckBinding, ...] = ()
    replacement: str = ""
    """Text that replaces a violating one under `Action.REPLACE`."""
    objective: Objective | None = None
    when: Condition = ALWAYS
    """Condition that a call meets for the clause to have a bearing on it."""
    mode: Mode = Mode.ENFORCE
    """`Mode.OBSERVE` where the clause is only watched, whatever the policy's own mode is."""
    on_unread: OnUnread = OnUnread.OPEN
    review: ReviewRule | None = None
    """Rule of the reviews of this clause; None without any."""
    hold_back: HoldBack = DETECT
    """How much of a streamed answer is held back for its checks."""

    def for_clause(self, clause: Clause) -> ClausePolicy:
        """Return these settings for ``clause``, which is the same clause in another text."""
        return replace(self, clause=clause, checks=tuple(binding.for_clause(clause) for binding in self.checks))


@dataclass(frozen=True, slots=True)
class Layer:
    """File of a policy."""

    source: str
    digest: str
    """``sha256:`` and the hex digest of the file's bytes."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Policy of one application about one spec or several."""

    specs: tuple[Spec, ...]
    """Specs, at least one, each with an id of its own."""
    mode: Mode
    digest: str
    """``sha256:`` and the hex digest of the file's bytes or, where several files or an environment make the policy, of
    what `specspan.policy.sources.digest_of` combines."""
    clauses: Mapping[str, ClausePolicy]
    """Bound clauses by their names in `authority`. Clauses that the file does not name are unassessed."""
    overrides: tuple[Override, ...] = ()
    source: str = ""
    pins: Mapping[str, str] = field(default_factory=dict)
    """Digest of the one text that the file admits, by spec id; absent where the file admits any text."""
    layers: tuple[Layer, ...] = ()
    """Files of the policy, each overruling those before it."""
    environment: str | None = None
    """Environment that the policy was loaded for; None without one, or where its files tell no environments apart."""
    order: Order = ()
    """Levels of all specs, strongest first; not needed with one spec."""
    context: Mapping[str, Scalar] = field(default_factory=dict)
    """Facts that hold of calls of which the application says nothing else."""
    candidate: Policy | None = field(default=None, repr=False)
    """Policy that is decided beside this one, and never acted on; None without one."""
    mitigations: tuple[Mitigation, ...] = ()
    """Amendments that are in force for some calls until a time."""
    authority: Authority = field(init=False, repr=False, compare=False)
    """Chain of command of all specs."""

    def __post_init__(self) -> None:
        """Build the chain of command.

        Raises:
            ValueError: several specs and no order of their levels.
        """
        object.__setattr__(self, "authority", build_authority(self.specs, self.order))

    @property
    def spec(self) -> Spec:
        """Return the first spec, which is the only one of most policies."""
        return self.specs[0]

    def without_sampling(self) -> Policy:
        """Return the policy with every check running on every call, so that each run finds the same."""
        clauses = {
            name: replace(bound, checks=tuple(replace(binding, sample=1.0) for binding in bound.checks))
            for name, bound in self.clauses.items()
        }
        return replace(self, clauses=clauses)

    def mode_of(self, clause_id: str) -> Mode:
        """Return the mode of a clause: enforced where both the policy and the clause are."""
        bound = self.clauses.get(clause_id)
        return self.mode if bound is None or bound.mode is Mode.ENFORCE else Mode.OBSERVE


def condition_from_facts(when: Mapping[str, Scalar | Sequence[Scalar]]) -> Condition:
    """Return the condition that a policy file writes as a value, or a list of values, for each fact."""
    values_by_fact = (
        (name, (values,) if isinstance(values, (str, bool, int, float)) else values) for name, values in when.items()
    )
    return Condition(tuple((name, tuple(values)) for name, values in values_by_fact))


def condition_from_tags(tags: Sequence[str]) -> Condition:
    """Return the condition of a clause with these tags: each of them is a fact that has to be true."""
    return Condition(tuple((tag, (True,)) for tag in tags))


def _fact_value(name: str, call: ModelCall | None, assumed: Mapping[str, Scalar]) -> Scalar | None:
    if call is not None:
        if name in REQUEST_FACTS:
            value: Scalar | None = getattr(call.request, name)
            return value
        if name in call.context.attributes:
            return call.context.attributes[name]
    return assumed.get(name)


def _matches_wildcard(name: str, fact: Scalar, values: Sequence[Scalar]) -> bool:
    if name not in REQUEST_FACTS:
        return False
    return any(isinstance(value, str) and "*" in value and fnmatchcase(str(fact), value) for value in values)
