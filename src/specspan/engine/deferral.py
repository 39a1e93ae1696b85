"""Checks that go on after the decision: the choice of calls for them, and the way back of their findings.

The engine chooses; whoever runs such checks is a `BackgroundRunner`. A finding that comes while the call waits is part
of the decision. Else the finding is pending, and what comes later is handed to whoever recorded the decision.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeAlias

from specspan._support.alarm import Alarm
from specspan._support.process import ForkedLock
from specspan.call import ModelCall, Scalar
from specspan.checks.check import ALWAYS_WORTH_IT, Trigger
from specspan.decision import CheckMechanism, Evidence, Finding, Judgement, Outcome, Stage
from specspan.engine.amendment import Amendments
from specspan.engine.bound_check import NOT_SAMPLED, BoundCheck
from specspan.engine.event_loops import make_alarm
from specspan.engine.stage_run import StageRun
from specspan.engine.waiting import Steps
from specspan.policy.policy import condition_from_facts

NOT_TRIGGERED = "not_triggered"
"""Unassessed: nothing on the call makes it worth the check."""
_FOUND = frozenset((Outcome.VIOLATED, Outcome.UNCERTAIN))
_UNSURE = (CheckMechanism.JUDGE, CheckMechanism.HUMAN)
"""Mechanisms whose uncertainty does not call for a judge."""


class ChosenCheck(NamedTuple):
    """Check that is to run on a call in the background."""

    check: BoundCheck
    sampled: float
    """Probability with which the call was chosen."""


class DeferredGroup:
    """Checks of one call that are decided together in the background: a `specspan.engine.waiting.Job`.

    The runner calls `finish` once; the call waits, and `attach` takes what comes later.
    """

    def __init__(self, checks: Sequence[ChosenCheck], call: ModelCall, pointed_at: Sequence[Evidence]) -> None:
        self.checks = tuple(checks)
        self.call = call
        self.pointed_at = tuple(pointed_at)
        """Places that other checks of the call point at."""
        self.findings: Mapping[int, Finding] | None = None
        """Findings by position of their check; None while checks run."""
        self.reports: Sequence[Any] = ()
        """Reports of the runner's work, for whoever records it."""
        self.is_in_time = False
        """True where the findings are part of the decision."""
        self._wait_s = _wait_s(checks[0].check) or 0.0
        self._lock = ForkedLock()
        self._wake: Callable[[], None] = lambda: None
        self._on_done: Callable[[DeferredGroup], None] | None = None

    def finish(self, findings: Mapping[int, Finding], reports: Sequence[Any] = ()) -> None:
        """Take in what the checks found, once."""
        with self._lock.held:
            self.reports = reports
            self.findings = findings
            on_done = self._on_done
        self._wake()
        if on_done is not None:
            on_done(self)

    def take(self) -> Mapping[int, Finding] | None:
        """Return the findings for the decision; None where they come too late for it."""
        with self._lock.held:
            self.is_in_time = self.findings is not None
            return self.findings

    def attach(self, on_done: Callable[[DeferredGroup], None]) -> None:
        """Have the group handed to ``on_done``: now where it is done, or when it is."""
        with self._lock.held:
            self._on_done = on_done
            is_done = self.findings is not None
        if is_done:
            on_done(self)

    def wait(self) -> None:
        """Wait as long as the policy says, on this thread."""
        alarm = Alarm()
        self._wake = alarm.ring
        deadline_s = time.monotonic() + self._wait_s
        while self.findings is None and (left_s := deadline_s - time.monotonic()) > 0:
            alarm.wait(left_s)

    async def wait_async(self) -> None:
        """Wait as `wait` does, without blocking the event loop."""
        alarm = make_alarm()
        self._wake = alarm.ring
        deadline_s = time.monotonic() + self._wait_s
        while self.findings is None and (left_s := deadline_s - time.monotonic()) > 0:
            await alarm.wait(left_s)


class BackgroundRunner(Protocol):
    """Runner of checks that go on after the decision. Called by every thread that makes calls; nothing is raised."""

    def start(self, group: DeferredGroup) -> str | None:
        """Run the checks of a group, and return None; or return the reason for which they do not run."""

    def flush(self, timeout_s: float) -> bool:
        """Wait until everything started so far is finished; return False where that took longer."""

    def shutdown(self, timeout_s: float) -> None:
        """Start nothing more, wait for what runs, and finish the rest as unassessed."""


LateFindings: TypeAlias = "Callable[[Amendments, DeferredGroup, Mapping[int, Finding]], None]"
"""Callback that takes the decision, a group that is done, and what it found too late by the index in the decision."""


@dataclass(slots=True)
class Deferral:
    """Choice of the checks that go on after one call's decision."""

    runner: BackgroundRunner
    sampling_value: Callable[[], float]
    """Returns the number from 0 up to 1 below which a check's share has to lie."""
    assumed: Mapping[str, Scalar]
    """Facts that hold of calls of which the application says nothing else."""
    groups: list[DeferredGroup] = field(default_factory=list)
    """Groups that run, or ran."""
    _call: ModelCall | None = None
    _waiting: list[BoundCheck] = field(default_factory=list)
    """Checks whose stage was reached, and that nobody has chosen or refused yet."""
    _pending: dict[int, Finding] = field(default_factory=dict)

    def set_aside(self, checks: Sequence[BoundCheck], call: ModelCall) -> list[BoundCheck]:
        """Take the checks that go on after the decision, and return the others. ``call`` is what they read."""
        self._call = call
        self._waiting += [check for check in checks if check.traits.background is not None]
        return [check for check in checks if check.traits.background is None]

    @property
    def is_awaited(self) -> bool:
        """True if the call waits for one of the checks."""
        return any(_wait_s(check) is not None for check in self._waiting)

    def withhold_compliance(self, clauses: Collection[str], reason: str) -> None:
        """Let none of these clauses comply, since something that its checks need was not seen."""
        self._waiting = [
            check.with_gap(reason) if check.clause_id in clauses and check.gap is None else check
            for check in self._waiting
        ]

    def run_awaited(self, runs: Mapping[Stage, StageRun]) -> Steps[None]:
        """Run the checks that the call waits for, and wait as long as the policy says."""
        awaited = [check for check in self._waiting if _wait_s(check) is not None]
        self._waiting = [check for check in self._waiting if _wait_s(check) is None]
        for group in self._start(awaited, runs):
            if group.findings is None:
                yield group
            self._take(group, runs)

    def run_unawaited(self, runs: Mapping[Stage, StageRun]) -> None:
        """Start the other checks, with everything that was found of the call in view."""
        waiting, self._waiting = self._waiting, []
        for group in self._start(waiting, runs):
            self._take(group, runs)  # whose answers were known

    def attach(self, amendments: Amendments, on_done: LateFindings) -> None:
        """Have each group handed to ``on_done`` when it is done, with its findings that came too late."""
        index = {id(finding): at for at, finding in enumerate(amendments.decision.findings)}
        places = {position: index.get(id(finding)) for position, finding in self._pending.items()}
        for group in self.groups:
            group.attach(partial(_hand_over, amendments, places, on_done))

    def _take(self, group: DeferredGroup, runs: Mapping[Stage, StageRun]) -> None:
        findings = group.take()
        if findings is not None:
            for check, _ in group.checks:
                runs[check.traits.stage].add(check, findings[check.position])

    def _start(self, checks: Sequence[BoundCheck], runs: Mapping[Stage, StageRun]) -> list[DeferredGroup]:
        """Start the checks that are chosen, note what is so about all of them, and return the groups."""
        call = self._call
        if call is None or not checks:
            return []
        found = [finding for run in runs.values() for finding in run.deviations.values()]
        chosen: dict[object, list[ChosenCheck]] = {}
        counts: Counter[object] = Counter()
        for check in checks:
            sampled, reason = self._chance(check, call, found)
            if reason is not None:
                runs[check.traits.stage].add(check, _unassessed(check, reason))
            elif check.traits.background is not None:
                group = check.traits.background.group
                counts[group, check.clause_id] += 1  # one request asks about a clause once
                chosen.setdefault((group, counts[group, check.clause_id]), []).append(ChosenCheck(check, sampled))
        pointed_at = [piece for finding in found for piece in finding.evidence]
        groups = [DeferredGroup(each, call, pointed_at) for each in chosen.values()]
        return [group for group in groups if self._start_group(group, runs)]

    def _start_group(self, group: DeferredGroup, runs: Mapping[Stage, StageRun]) -> bool:
        refusal = self.runner.start(group)
        for check, sampled in group.checks:
            finding = _unassessed(check, refusal) if refusal else _pending(check, sampled)
            runs[check.traits.stage].add(check, finding)
            if not refusal:
                self._pending[check.position] = finding
        if not refusal:
            self.groups.append(group)
        return not refusal

    def _chance(self, check: BoundCheck, call: ModelCall, found: Sequence[Finding]) -> tuple[float, str | None]:
        """Return the probability with which the call is chosen for a check, and the reason why it is not."""
        if any(_is_unsure(finding, check) for finding in found):
            return 1.0, None
        trigger = ALWAYS_WORTH_IT if check.traits.background is None else check.traits.background.trigger
        if not is_triggered(trigger, call, found, self.assumed):
            return 0.0, NOT_TRIGGERED
        is_sampled = check.sample >= 1 or self.sampling_value() < check.sample
        return check.sample, None if is_sampled else NOT_SAMPLED


def _hand_over(
    amendments: Amendments, places: Mapping[int, int | None], on_done: LateFindings, group: DeferredGroup
) -> None:
    late = {}
    if not group.is_in_time and group.findings is not None:
        found = ((places.get(position), finding) for position, finding in group.findings.items())
        late = {place: finding for place, finding in found if place is not None}
    on_done(amendments, group, late)


def _wait_s(check: BoundCheck) -> float | None:
    return None if check.traits.background is None else check.traits.background.wait_s


def is_triggered(trigger: Trigger, call: ModelCall, found: Sequence[Finding], assumed: Mapping[str, Scalar]) -> bool:
    """Return whether a call is worth a check in the background."""
    if trigger.checks and not any(_is_named(finding, trigger.checks) for finding in found):
        return False
    facts = {**assumed, **call.context.attributes}
    if trigger.tags and not any(facts.get(tag) is True for tag in trigger.tags):
        return False
    return not trigger.facts or condition_from_facts(dict(trigger.facts)).unmet_reason(call, assumed) is None


def _pending(check: BoundCheck, sampled: float) -> Finding:
    """Return the finding of a check that runs."""
    return check.complete(Finding(Outcome.PENDING, judgement=Judgement(sampled=sampled)))


def _unassessed(check: BoundCheck, reason: str) -> Finding:
    """Return the finding of a check that does not run."""
    return replace(check.unassessed, reason=reason)


def _is_unsure(finding: Finding, check: BoundCheck) -> bool:
    if finding.outcome is not Outcome.UNCERTAIN or finding.clause != check.clause_id or finding.check is None:
        return False
    return finding.check.mechanism not in _UNSURE


def _is_named(finding: Finding, names: Sequence[str]) -> bool:
    if finding.outcome not in _FOUND:
        return False
    return (
        finding.clause in names
        or finding.reason in names
        or (finding.check is not None and finding.check.name in names)
    )
