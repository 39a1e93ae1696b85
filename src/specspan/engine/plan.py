"""Plan of a policy: everything about deciding a call that does not depend on the call, computed once.

Clauses without checks are a number in the plan and cost a call nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, TypeAlias

from specspan._support.caches import BoundedCache
from specspan.call import Gaps, Side
from specspan.checks.check import PartialFindings, TextAt
from specspan.decision import Finding, Outcome, OverrideKind, OverrideRuling, SpecRef, Stage
from specspan.engine.bound_check import (
    INCOMPLETE_ANSWER,
    NOT_SAMPLED,
    NOTHING_TO_READ,
    OVERRIDE,
    BoundCheck,
    InlineChecks,
    bind_check,
)
from specspan.engine.matcher import Matcher, build_matcher
from specspan.engine.outcomes import BaselineOutcomes
from specspan.engine.precedence import CommandChain, command_chain
from specspan.engine.stream_plan import StreamPlan, stream_plan
from specspan.policy.policy import Policy, ReviewRule

STAGES = tuple(Stage)
_EMPTY: Mapping[str, str] = {}
MAX_CACHED_PLANS = 64
"""Size of a cache whose keys come with calls."""


def _plan_cache() -> BoundedCache[Any, Any]:
    return BoundedCache(MAX_CACHED_PLANS)


Source: TypeAlias = "str | tuple[str, bool]"
"""Role of the message of a text; of a text that is reasoning, the role and True."""


_NO_SOURCES: frozenset[Source] = frozenset()


@lru_cache(maxsize=64)
def _only_source(role: str) -> frozenset[Source]:
    return frozenset((role,))


def source_of(text: TextAt) -> Source:
    """Return the source of a text, by which checks read it or not."""
    return (text.role, True) if text.is_reasoning else text.role


@dataclass(frozen=True, slots=True, eq=False)
class StageChecks:
    """Checks of one stage, sorted by how they run on calls whose texts have certain roles."""

    applicable: Mapping[int, BoundCheck]
    """By position, the checks that read something."""
    sources: Mapping[int, frozenset[Source] | None]
    """By position of an applicable check, the sources it reads of those that occur; None means all of them."""
    inline: InlineChecks
    """Checks that always run, on the caller's thread, and read all texts."""
    role_filtered: tuple[BoundCheck, ...]
    """Checks that always run, on the caller's thread, and read some of the texts."""
    timed: tuple[BoundCheck, ...]
    """Checks that always run, on a worker's thread."""
    default_findings: Mapping[int, Finding]
    """By position, the shared finding that each check of the stage has unless it finds something else."""

    def is_read(self, position: int, text: TextAt) -> bool:
        """Return whether the applicable check at ``position`` reads ``text``, whose source is one that occurs."""
        sources = self.sources[position]
        return sources is None or source_of(text) in sources

    def texts_read_by(self, check: BoundCheck, texts: Sequence[TextAt]) -> Sequence[TextAt]:
        """Return those of ``texts`` that an applicable check reads."""
        sources = self.sources[check.position]
        return texts if sources is None else tuple(text for text in texts if source_of(text) in sources)


@dataclass(frozen=True, slots=True, eq=False)
class StagePlan:
    """Checks of one stage, before anything is known of a call."""

    checks: tuple[BoundCheck, ...]
    """All checks but those of clauses that are set aside."""
    matcher: Matcher | None
    reads_reasoning: bool = field(init=False)
    """True if a check reads a model's reasoning."""
    _by_sources: BoundedCache[frozenset[Source], StageChecks] = field(init=False, default_factory=_plan_cache)

    def __post_init__(self) -> None:
        object.__setattr__(self, "reads_reasoning", any(check.traits.reads_reasoning for check in self.checks))

    def without(self, clauses: Container[str]) -> StagePlan:
        """Return the plan without the checks of some clauses."""
        return self.filtered(lambda check: check.clause_id not in clauses)

    def filtered(self, is_kept: Callable[[BoundCheck], bool]) -> StagePlan:
        """Return the plan with some of its checks."""
        kept = tuple(filter(is_kept, self.checks))
        return StagePlan(kept, self.matcher if any(check.traits.prefilter for check in kept) else None)

    def with_gaps(self, reasons: Mapping[str, str], not_run: Container[int]) -> StagePlan:
        """Return the plan for a call of which not everything was seen.

        Args:
            reasons: by id of a clause that cannot comply, the reason.
            not_run: positions of the checks that do not run.
        """
        kept = (check for check in self.checks if check.position not in not_run)
        with_reasons = ((check, reasons.get(check.clause_id)) for check in kept)
        checks = tuple(check.with_gap(reason) if reason else check for check, reason in with_reasons)
        return replace(self, checks=checks)

    def never_complying(self, reason: str) -> StagePlan:
        """Return the plan in which every check can find a violation, and none that its clause complies."""
        checks = tuple(check if check.gap is not None else check.with_gap(reason) for check in self.checks)
        return replace(self, checks=checks)

    def checks_for(self, texts: Sequence[TextAt]) -> StageChecks:
        """Return the checks of the stage, sorted by how they run on ``texts``."""
        sources: frozenset[Source]
        if self.reads_reasoning:
            sources = frozenset([source_of(text) for text in texts])
        elif len(texts) < 2:  # as in most answers
            sources = _only_source(texts[0].role) if texts else _NO_SOURCES
        else:
            sources = frozenset([text.role for text in texts])
        stage_checks = self._by_sources.get(sources)
        if stage_checks is None:
            stage_checks = _stage_checks(self.checks, sources)
            self._by_sources[sources] = stage_checks
        return stage_checks


StagesReached: TypeAlias = "tuple[StageChecks | None, ...]"
"""By stage in the order of `STAGES`, the checks that could run there; None where the call never came."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Everything that is the same for all calls under one policy and one set of overrides."""

    policy: Policy
    chain: CommandChain
    stages: Mapping[Stage, StagePlan]
    """Stages without checks are absent."""
    stream: StreamPlan
    """Checks that can cut a streamed answer."""
    specs: tuple[SpecRef, ...]
    considered: int
    """Number of clauses in the specs that bind somebody."""
    needs_input: bool = True
    """True if a check needs what was sent to the model."""
    rulings: tuple[OverrideRuling, ...] = ()
    set_aside: tuple[Finding, ...] = ()
    """A finding for each clause whose checks do not run: it is not applicable, or a granted override applies."""
    reviews: Mapping[str, ReviewRule] = field(default_factory=dict)
    """By clause, the rule of its reviews by people."""
    samples: tuple[float, ...] = ()
    """Shares of the calls, each below 1, on which some checks run."""
    defers: bool = False
    """True if some checks go on after the decision: they are chosen when it is made, with what the others found."""
    not_run: Mapping[int, Finding] = field(default_factory=dict)
    """By position, the finding of each check that does not run on this call: it is not sampled, or not seen."""
    reads_reasoning: bool = field(init=False)
    """True if a check of any stage reads a model's reasoning."""
    # init=False: a plan that is derived from this one by `replace` begins with caches of its own
    _baselines: BoundedCache[StagesReached, BaselineOutcomes] = field(init=False, default_factory=_plan_cache)
    _by_sample: dict[float, Plan] = field(init=False, default_factory=dict)
    _by_gaps: BoundedCache[Gaps, Plan] = field(init=False, default_factory=_plan_cache)
    _incomplete: list[Plan] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        object.__setattr__(self, "reads_reasoning", any(stage.reads_reasoning for stage in self.stages.values()))

    def baseline(self, reached: StagesReached) -> BaselineOutcomes:
        """Return the outcomes of calls that came so far, on which every check has its default finding."""
        baseline = self._baselines.get(reached)
        if baseline is None:
            baseline = BaselineOutcomes(self._default_findings(reached), self.chain.clause_order, self.considered)
            self._baselines[reached] = baseline
        return baseline

    def with_overrides(self, rulings: Sequence[OverrideRuling], inapplicable: Mapping[str, str] = _EMPTY) -> Plan:
        """Return this plan, which has no overrides, under those that ``rulings`` grant.

        ``inapplicable``: by id of a clause that has no bearing on the call, the reason.
        """
        set_aside = {
            name: self._finding_without_check(Outcome.NOT_APPLICABLE, name, reason)
            for name, reason in inapplicable.items()
        }
        weakest_first = sorted(rulings, key=lambda ruling: -self.chain.level_ranks.get(ruling.override.by, 0))
        for ruling in weakest_first:  # of several, the strongest gives its reason
            override = ruling.override
            if ruling.granted and override.kind is not OverrideKind.REVOKE and override.clause not in inapplicable:
                set_aside[override.clause] = self._finding_without_check(
                    Outcome.OVERRIDDEN, override.clause, OVERRIDE, override.reason
                )
        stages = {stage: plan.without(set_aside) for stage, plan in self.stages.items()}
        return replace(
            self,
            stages=stages if set_aside else self.stages,
            stream=self.stream.without(set_aside) if set_aside else self.stream,
            rulings=tuple(rulings),
            set_aside=tuple(set_aside.values()),
        )

    def for_sample(self, sampling_value: float) -> Plan:
        """Return this plan without the checks that do not run on a call with ``sampling_value``.

        ``sampling_value``: from 0 up to 1; a check runs where it is below the check's share.
        """
        sample = max((sample for sample in self.samples if sample <= sampling_value), default=None)
        if sample is None:
            return self
        if sample not in self._by_sample:
            self._by_sample[sample] = self._without_samples_up_to(sample)
        return self._by_sample[sample]

    def with_gaps(self, gaps: Gaps) -> Plan:
        """Return this plan for a call of which not everything was seen.

        A check that needs what was not seen does not run, unless what it finds in a part holds for the whole. A
        clause with such a check does not comply, whatever else is found of it.
        """
        plan = self._by_gaps.get(gaps)
        if plan is None:
            plan = self._by_gaps[gaps] = self._without_unseen(gaps)
        return plan

    def for_incomplete_answer(self) -> Plan:
        """Return this plan for an answer that was cut short: it can violate a clause, and complies with none."""
        if not self._incomplete:
            stages = {
                stage: plan if stage is Stage.INPUT else plan.never_complying(INCOMPLETE_ANSWER)
                for stage, plan in self.stages.items()
            }
            plan = replace(self, stages=stages)
            self._incomplete.append(plan)
        return self._incomplete[0]

    def without_checks(self) -> Plan:
        """Return this plan for a call that cannot be evaluated at all: it runs no check."""
        unassessed = {check.position: check.unassessed for plan in self.stages.values() for check in plan.checks}
        return replace(
            self,
            stages={stage: plan.filtered(lambda _: False) for stage, plan in self.stages.items()},
            stream=self.stream.filtered(lambda _: False),
            not_run={**self.not_run, **unassessed},
            samples=(),
        )

    def checks_at(self, stages: Container[Stage]) -> list[BoundCheck]:
        """Return the checks that could act at some stages; without the input, no check that needs it can run."""
        return [
            check
            for stage, plan in self.stages.items()
            for check in plan.checks
            if stage in stages or (Stage.INPUT in stages and Side.INPUT in check.traits.needed_sides)
        ]

    def _without_unseen(self, gaps: Gaps) -> Plan:
        checks = [check for plan in self.stages.values() for check in plan.checks]
        affected = [(check, reason) for check in checks if (reason := gaps.reason_for(check.traits.needed_sides))]
        not_run = {
            check.position: check.with_gap(reason).unassessed
            for check, reason in affected
            if check.traits.finds_in_part is PartialFindings.NONE
        }
        reasons = {check.clause_id: reason for check, reason in affected}
        return replace(
            self,
            stages={stage: plan.with_gaps(reasons, not_run) for stage, plan in self.stages.items()},
            not_run={**not_run, **self.not_run},
        )

    def _without_samples_up_to(self, sample: float) -> Plan:
        """Return this plan without the checks that run on no more than this share of the calls."""
        dropped = (check for plan in self.stages.values() for check in plan.checks if not self._runs(check, sample))
        not_sampled = {check.position: check.complete(Finding(Outcome.UNASSESSED, NOT_SAMPLED)) for check in dropped}
        return replace(
            self,
            stages={
                stage: plan.filtered(lambda check: self._runs(check, sample)) for stage, plan in self.stages.items()
            },
            stream=self.stream.filtered(lambda check: self._runs(check, sample)),
            not_run={**self.not_run, **not_sampled},
            samples=(),
        )

    def _runs(self, check: BoundCheck, sample: float) -> bool:
        """Return whether a check runs where those with this share of the calls, and smaller ones, do not."""
        return check.sample > sample or (self.defers and check.traits.background is not None)

    def _default_findings(self, reached: StagesReached) -> dict[int, Finding]:
        of_stages = {
            position: finding
            for stage_checks in reached
            if stage_checks
            for position, finding in stage_checks.default_findings.items()
        }
        checks = (check for stage in self.stages.values() for check in stage.checks)
        findings = {check.position: of_stages.get(check.position, check.unassessed) for check in checks}
        findings |= self.not_run
        findings |= {-place: finding for place, finding in enumerate(self.set_aside, 1)}
        order = self.chain.clause_order
        return dict(sorted(findings.items(), key=lambda item: (order[item[1].clause], item[0])))

    def _finding_without_check(
        self, outcome: Outcome, name: str, reason: str, explanation: str | None = None
    ) -> Finding:
        clause = self.policy.authority.clauses[name]
        finding = Finding(outcome, reason, explanation=explanation, clause=clause.id, authority=clause.authority or "")
        clause_policy = self.policy.clauses.get(clause.id)
        if clause_policy is None:
            return finding
        return replace(finding, severity=clause_policy.severity, action=clause_policy.action)


def compile_plan(policy: Policy, *, defers: bool = False) -> Plan:
    """Return the plan of a policy, without overrides.

    ``defers``: True where somebody runs the checks that can go on after the decision.

    Raises:
        ValueError: a check is bound to a section that binds nobody.
    """
    chain = command_chain(policy)
    clauses = sorted(policy.clauses.values(), key=lambda each: chain.clause_order[each.clause.id])
    bindings = ((clause_policy, binding) for clause_policy in clauses for binding in clause_policy.checks)
    checks = [bind_check(position, *binding) for position, binding in enumerate(bindings)]
    by_stage = {stage: tuple(check for check in checks if check.traits.stage is stage) for stage in STAGES}
    return Plan(
        policy=policy,
        chain=chain,
        stages={
            stage: StagePlan(of_stage, build_matcher(of_stage)) for stage, of_stage in by_stage.items() if of_stage
        },
        stream=stream_plan(checks),
        specs=tuple(spec.ref for spec in policy.specs),
        considered=sum(1 for _ in policy.authority.binding),
        needs_input=any(Side.INPUT in check.traits.needed_sides for check in checks),
        samples=tuple({check.sample for check in checks if check.sample < 1 and not _is_deferred(check, defers)}),
        defers=any(_is_deferred(check, defers) for check in checks),
        reviews={clause.clause.id: clause.review for clause in clauses if clause.review is not None},
    )


def _is_deferred(check: BoundCheck, defers: bool) -> bool:
    return defers and check.traits.background is not None


def _stage_checks(checks: Sequence[BoundCheck], sources: frozenset[Source]) -> StageChecks:
    read = {check.position: frozenset(source for source in sources if _reads(check, source)) for check in checks}
    applicable = [check for check in checks if read[check.position]]
    filtered = {check for check in applicable if len(read[check.position]) < len(sources)}
    always_run = [check for check in applicable if not check.traits.prefilter]
    inline = [check for check in always_run if check.timeout_s is None]
    return StageChecks(
        applicable={check.position: check for check in applicable},
        sources={check.position: read[check.position] if check in filtered else None for check in applicable},
        inline=InlineChecks([check for check in inline if check not in filtered]),
        role_filtered=tuple(check for check in inline if check in filtered),
        timed=tuple(check for check in always_run if check.timeout_s is not None),
        default_findings={check.position: _default_finding(check, read[check.position]) for check in checks},
    )


def _reads(check: BoundCheck, source: Source) -> bool:
    if isinstance(source, tuple):
        return check.traits.reads(source[0], is_reasoning=source[1])
    return check.traits.reads(source)


def _default_finding(check: BoundCheck, sources: Collection[Source]) -> Finding:
    if not sources:
        return check.gap or replace(check.not_applicable, reason=NOTHING_TO_READ)
    is_waited_for = check.timeout_s is not None and not check.traits.prefilter
    return check.unassessed if is_waited_for else check.complied
