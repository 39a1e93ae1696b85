"""The plan: everything about a policy that does not depend on the call, worked out once.

Clauses without checks are a number in it and cost a call nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias, TypeVar

from specspan.call import Gaps
from specspan.checks.check import INPUT, TextAt, finds_in_part, needs_of
from specspan.checks.patterns import MultiPattern
from specspan.decision import Finding, Outcome, OverrideKind, OverrideRuling, SpecRef, Stage
from specspan.engine.bound_check import INCOMPLETE_ANSWER, NOT_SAMPLED, NOTHING_TO_READ, OVERRIDE, Round, Slot, slot
from specspan.engine.outcomes import Frame
from specspan.engine.precedence import Law, law_of
from specspan.engine.stream_check import StreamPlan, stream_plan
from specspan.policy.policy import Policy

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

STAGES = tuple(Stage)
_NONE: Mapping[str, str] = {}
_MEMO_LIMIT = 64


@dataclass(frozen=True, slots=True, eq=False)
class Matcher:
    """The prefilters of all checks of one stage in one pass."""

    patterns: MultiPattern
    owners: tuple[int, ...]
    """By index of a pattern, the position of the slot whose it is."""

    def hits(self, text: TextAt) -> set[int]:
        """Positions of the slots of which a pattern matches somewhere in ``text``."""
        hits = self.patterns.hits(text)
        return {self.owners[index] for index in hits} if hits else set()


@dataclass(frozen=True, slots=True, eq=False)
class Audience:
    """The checks of one stage that read something, for calls whose texts have certain roles."""

    readers: Mapping[int, Slot]
    """Those that read something, by position."""
    roles: Mapping[int, frozenset[str] | None]
    """Roles that each reader reads of those there are; None: all of them."""
    inline: Round
    """Asked on every call, on the caller's thread; they read all texts."""
    choosy: tuple[Slot, ...]
    """Likewise, but they read some texts only."""
    timed: tuple[Slot, ...]
    """Asked on every call, on a worker's thread."""
    usual: Mapping[int, Finding]
    """What each slot of the stage finds, unless it deviates."""

    def reads(self, position: int, role: str) -> bool:
        """Whether the reader at a position reads texts of ``role``, which is among those there are."""
        roles = self.roles[position]
        return roles is None or role in roles

    def read_by(self, slot: Slot, texts: Sequence[TextAt]) -> Sequence[TextAt]:
        """Those of ``texts`` that the slot's check reads."""
        roles = self.roles[slot.position]
        return texts if roles is None else tuple(text for text in texts if text.role in roles)


@dataclass(frozen=True, slots=True, eq=False)
class StagePlan:
    """The checks of one stage."""

    slots: tuple[Slot, ...]
    """All but those of overridden clauses."""
    matcher: Matcher | None
    _audiences: dict[frozenset[str], Audience] = field(default_factory=dict)

    def without(self, clauses: Container[str]) -> StagePlan:
        """The same without the checks of some clauses."""
        return self.keeping(lambda slot: slot.bound.clause.id not in clauses)

    def keeping(self, wanted: Callable[[Slot], bool]) -> StagePlan:
        """The same with some of its checks."""
        kept = tuple(filter(wanted, self.slots))
        return StagePlan(kept, self.matcher if any(slot.check.prefilter for slot in kept) else None)

    def short(self, reasons: Mapping[str, str], blind: Container[int]) -> StagePlan:
        """The same where clauses cannot comply, for ``reasons``, and the checks at some positions do not look."""
        seeing = (slot for slot in self.slots if slot.position not in blind)
        clauses = ((slot, reasons.get(slot.bound.clause.id)) for slot in seeing)
        return replace(
            self, slots=tuple(slot.short(reason) if reason else slot for slot, reason in clauses), _audiences={}
        )

    def never_complying(self, reason: str) -> StagePlan:
        """Return the plan in which every check can find a violation, and none that its clause complies."""
        slots = tuple(slot if slot.gap is not None else slot.short(reason) for slot in self.slots)
        return replace(self, slots=slots, _audiences={})

    def audience(self, texts: Sequence[TextAt]) -> Audience:
        """The checks that read something of ``texts``."""
        roles = frozenset([text.role for text in texts])
        found = self._audiences.get(roles)
        if found is None:
            found = _audience(self.slots, {text.role: text for text in texts})
            remember(self._audiences, roles, found)
        return found


Reached: TypeAlias = "tuple[Audience | None, ...]"
"""By stage in the order of `STAGES`: who listened there; None where the call never came."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What is the same for all calls under one policy and one set of overrides."""

    policy: Policy
    law: Law
    stages: Mapping[Stage, StagePlan]
    """Stages without checks are absent."""
    stream: StreamPlan
    """The checks that can cut a streamed answer."""
    specs: tuple[SpecRef, ...]
    considered: int
    """Clauses of the specs that bind somebody."""
    rulings: tuple[OverrideRuling, ...] = ()
    aside: tuple[Finding, ...] = ()
    """A finding for each clause whose checks are not run: it has no bearing, or a granted override sets it aside."""
    shares: tuple[float, ...] = ()
    """Of the calls, how many those checks look at that do not look at all."""
    unsampled: Mapping[int, Finding] = field(default_factory=dict)
    """By position, a finding for each check that does not look at this call: it is no sample, or not there to see."""
    _frames: dict[Reached, Frame] = field(default_factory=dict)
    _drawn: dict[float, Plan] = field(default_factory=dict)
    _short: dict[Gaps, Plan] = field(default_factory=dict)
    _incomplete: list[Plan] = field(default_factory=list)

    def frame(self, reached: Reached) -> Frame:
        """The frame of calls that came so far."""
        found = self._frames.get(reached)
        if found is None:
            found = Frame(self._usual(reached), self.law.order, self.considered)
            remember(self._frames, reached, found)
        return found

    def under(self, rulings: Sequence[OverrideRuling], left_out: Mapping[str, str] = _NONE) -> Plan:
        """The same, made without overrides, under those that ``rulings`` grant.

        ``left_out``: clauses that have no bearing on the call, and why.
        """
        aside = {name: self._aside(Outcome.NOT_APPLICABLE, name, reason) for name, reason in left_out.items()}
        weakest_first = sorted(rulings, key=lambda ruling: -self.law.rank.get(ruling.override.by, 0))
        for ruling in weakest_first:  # of several, the strongest gives its reason
            name = ruling.override.clause
            if ruling.granted and ruling.override.kind is not OverrideKind.REVOKE and name not in left_out:
                aside[name] = self._aside(Outcome.OVERRIDDEN, name, OVERRIDE, ruling.override.reason)
        return replace(
            self,
            stages={stage: plan.without(aside) for stage, plan in self.stages.items()} if aside else self.stages,
            stream=self.stream.without(aside) if aside else self.stream,
            rulings=tuple(rulings),
            aside=tuple(aside.values()),
            _frames={},
            _drawn={},
            _incomplete=[],
        )

    def drawn(self, chance: float) -> Plan:
        """The same for a call with this chance: without the checks that are no sample of it.

        ``chance``: from 0 up to 1; a check looks where it is below its share.
        """
        share = max((share for share in self.shares if share <= chance), default=None)
        if share is None:
            return self
        if share not in self._drawn:
            self._drawn[share] = self._sampled(share)
        return self._drawn[share]

    def short(self, gaps: Gaps) -> Plan:
        """The same for a call of which not all was seen.

        A check that needs what was not seen does not look, unless what it finds in a part is in the whole. A clause
        with such a check does not comply, whatever else is found of it.
        """
        if gaps not in self._short:
            remember(self._short, gaps, self._seeing(gaps))
        return self._short[gaps]

    def for_incomplete_answer(self) -> Plan:
        """Return the plan for an answer that was cut short: it can violate a clause, and complies with none."""
        if not self._incomplete:
            stages = {
                stage: plan if stage is Stage.INPUT else plan.never_complying(INCOMPLETE_ANSWER)
                for stage, plan in self.stages.items()
            }
            self._incomplete.append(replace(self, stages=stages, _frames={}, _drawn={}, _short={}, _incomplete=[]))
        return self._incomplete[0]

    def without_checks(self) -> Plan:
        """Return the plan for a call that cannot be evaluated at all: it runs no check."""
        every = [slot for plan in self.stages.values() for slot in plan.slots]
        return replace(
            self,
            stages={stage: plan.keeping(lambda _: False) for stage, plan in self.stages.items()},
            stream=self.stream.keeping(lambda _: False),
            unsampled={**self.unsampled, **{slot.position: slot.unassessed for slot in every}},
            shares=(),
            _frames={},
            _drawn={},
            _short={},
            _incomplete=[],
        )

    def slots_at(self, stages: Container[Stage]) -> list[Slot]:
        """Return the checks that could act at some stages. Without the input, no check that needs it can look."""
        return [
            slot
            for stage, plan in self.stages.items()
            for slot in plan.slots
            if stage in stages or (Stage.INPUT in stages and INPUT in needs_of(slot.check))
        ]

    def _seeing(self, gaps: Gaps) -> Plan:
        every = [slot for plan in self.stages.values() for slot in plan.slots]
        short = [(slot, reason) for slot in every if (reason := gaps.of(sorted(needs_of(slot.check))))]
        blind = {
            slot.position: slot.short(reason).unassessed for slot, reason in short if not finds_in_part(slot.check)
        }
        reasons = {slot.bound.clause.id: reason for slot, reason in short}
        return replace(
            self,
            stages={stage: plan.short(reasons, blind) for stage, plan in self.stages.items()},
            unsampled={**blind, **self.unsampled},
            _frames={},
            _drawn={},
            _short={},
            _incomplete=[],
        )

    def _sampled(self, share: float) -> Plan:
        """The same without the checks that look at no more than this share of the calls."""
        out = (slot for plan in self.stages.values() for slot in plan.slots if slot.share <= share)
        return replace(
            self,
            stages={stage: plan.keeping(lambda slot: slot.share > share) for stage, plan in self.stages.items()},
            stream=self.stream.keeping(lambda slot: slot.share > share),
            unsampled={slot.position: slot.found(Finding(Outcome.UNASSESSED, NOT_SAMPLED)) for slot in out},
            shares=(),
            _frames={},
            _drawn={},
            _incomplete=[],
        )

    def _usual(self, reached: Reached) -> dict[int, Finding]:
        heard = {position: finding for audience in reached if audience for position, finding in audience.usual.items()}
        slots = (slot for stage in self.stages.values() for slot in stage.slots)
        usual = {slot.position: heard.get(slot.position, slot.unassessed) for slot in slots}
        usual |= self.unsampled
        usual |= {-place: finding for place, finding in enumerate(self.aside, 1)}
        order = self.law.order
        return dict(sorted(usual.items(), key=lambda item: (order[item[1].clause], item[0])))

    def _aside(self, outcome: Outcome, name: str, reason: str, explanation: str | None = None) -> Finding:
        clause = self.policy.authority.clauses[name]
        finding = Finding(outcome, reason, explanation=explanation, clause=clause.id, authority=clause.authority or "")
        bound = self.policy.clauses.get(clause.id)
        return finding if bound is None else replace(finding, severity=bound.severity, action=bound.action)


def compiled(policy: Policy) -> Plan:
    """The plan of a policy, under no override.

    Raises:
        ValueError: a check is bound to a section that binds nobody.
    """
    law = law_of(policy)
    bound = sorted(policy.clauses.values(), key=lambda bound: law.order[bound.clause.id])
    pairs = ((clause, check) for clause in bound for check in clause.checks)
    slots = [slot(position, clause, check) for position, (clause, check) in enumerate(pairs)]
    by_stage = {stage: tuple(slot for slot in slots if slot.check.stage is stage) for stage in STAGES}
    return Plan(
        policy=policy,
        law=law,
        stages={stage: StagePlan(slots, _matcher(slots)) for stage, slots in by_stage.items() if slots},
        stream=stream_plan(slots),
        specs=tuple(spec.ref for spec in policy.specs),
        considered=sum(1 for _ in policy.authority.binding),
        shares=tuple({slot.share for slot in slots if slot.share < 1}),
    )


def remember(memo: dict[K, V], key: K, value: V) -> None:
    """Keep ``value``; a memo whose keys come with calls is bounded by starting afresh."""
    if len(memo) >= _MEMO_LIMIT:
        memo.clear()
    memo[key] = value


def _matcher(slots: Sequence[Slot]) -> Matcher | None:
    owned = [(pattern, slot.position) for slot in slots for pattern in slot.check.prefilter]
    if not owned:
        return None
    return Matcher(MultiPattern([pattern for pattern, _ in owned]), tuple(position for _, position in owned))


def _audience(slots: Sequence[Slot], by_role: Mapping[str, TextAt]) -> Audience:
    read = {slot.position: frozenset(role for role in by_role if slot.reads(by_role[role])) for slot in slots}
    readers = [slot for slot in slots if read[slot.position]]
    choosy = {slot for slot in readers if len(read[slot.position]) < len(by_role)}
    asked = [slot for slot in readers if not slot.check.prefilter]
    timed = [slot for slot in asked if slot.timeout_s is not None]
    inline = [slot for slot in asked if slot.timeout_s is None]
    return Audience(
        readers={slot.position: slot for slot in readers},
        roles={slot.position: read[slot.position] if slot in choosy else None for slot in readers},
        inline=Round([slot for slot in inline if slot not in choosy]),
        choosy=tuple(slot for slot in inline if slot in choosy),
        timed=tuple(timed),
        usual={slot.position: _usually(slot, read[slot.position]) for slot in slots},
    )


def _usually(slot: Slot, roles: Collection[str]) -> Finding:
    if not roles:
        return slot.gap or replace(slot.not_applicable, reason=NOTHING_TO_READ)
    waited_for = slot.timeout_s is not None and not slot.check.prefilter
    return slot.unassessed if waited_for else slot.complied
