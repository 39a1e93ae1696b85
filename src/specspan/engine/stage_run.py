"""A look: what the checks of one stage find on one call."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import partial

from specspan._support import drop_counts
from specspan._support.guard import guard
from specspan.call import ModelCall
from specspan.checks.check import TextAt
from specspan.checks.texts import texts
from specspan.decision import Finding, Stage
from specspan.engine.bound_check import INTERNAL, TIMEOUT, WORKERS_EXHAUSTED, Slot, ask
from specspan.engine.plan import Audience, Matcher, StagePlan
from specspan.engine.waiting import Steps
from specspan.engine.workers import Task, Workers


@dataclass(slots=True)
class Look:
    """What one stage found so far."""

    call: ModelCall
    audience: Audience
    texts: Sequence[TextAt] = ()
    deviations: dict[int, Finding] = field(default_factory=dict)
    """By position, the findings that are not the usual ones."""
    waiting: list[Slot] = field(default_factory=list)
    """Checks that still have to be run on a worker's thread."""

    def read_by(self, slot: Slot) -> Sequence[TextAt]:
        """The texts that the slot's check reads."""
        return self.audience.read_by(slot, self.texts)

    def note(self, slot: Slot, finding: Finding) -> None:
        """Keep what a check found."""
        if finding is not self.audience.usual[slot.position]:
            self.deviations[slot.position] = finding


def look(plan: StagePlan, call: ModelCall, stage: Stage) -> Look:
    """Run the checks of a stage that need no waiting. Should we fail ourselves, no clause looks as if it complied."""
    try:
        return _look(plan, call, texts(call, stage))
    except Exception:
        with guard("engine.look"):
            raise
        errors = {slot.position: slot.error(INTERNAL) for slot in plan.slots}
        return Look(call, plan.audience(()), deviations=errors)


def wait(look: Look, workers: Workers) -> Steps[None]:
    """Run the checks that need waiting for, in sequence on one thread; past a hanging one, on another."""
    while look.waiting:
        batch = workers.submit([_task(slot, look) for slot in look.waiting])
        if batch is not None:
            try:
                yield batch
            finally:  # also when the caller gave up waiting
                done, look.waiting = look.waiting[: len(batch.results)], look.waiting[len(batch.results) :]
                for slot, finding in zip(done, batch.results, strict=True):
                    look.note(slot, finding)
        if batch is None or not batch.taken:
            _refuse(look)
        elif look.waiting:
            late = look.waiting.pop(0)
            look.note(late, late.error(TIMEOUT, duration_ns=int((late.timeout_s or 0) * 1e9)))


def _look(plan: StagePlan, call: ModelCall, read: Sequence[TextAt]) -> Look:
    audience = plan.audience(read)
    look = Look(call, audience, read)
    if not audience.readers:
        return look
    for slot, finding in audience.inline.ask(call, read):
        look.note(slot, finding)
    for slot in audience.choosy:
        look.note(slot, ask(slot, call, look.read_by(slot)))
    look.waiting += audience.timed
    for slot in _hit(plan, look):
        if slot.timeout_s is None:
            look.note(slot, ask(slot, call, look.read_by(slot)))
        else:
            look.note(slot, slot.unassessed)
            look.waiting.append(slot)
    return look


def _hit(plan: StagePlan, look: Look) -> list[Slot]:
    """The checks with a pattern that matches in a text they read, in order."""
    if plan.matcher is None:
        return []
    readers, positions = look.audience.readers, set[int]()
    for text in look.texts:
        for position in _hits(plan.matcher, text):
            if position in readers and look.audience.reads(position, text.role):
                positions.add(position)
    return [readers[position] for position in sorted(positions)] if positions else []


def _hits(matcher: Matcher, text: TextAt) -> Collection[int]:
    try:
        return matcher.hits(text)
    except Exception:
        with guard("engine.prefilter"):
            raise
        return matcher.owners  # in doubt every check looks for itself


def _task(slot: Slot, look: Look) -> Task:
    return Task(partial(ask, slot, look.call, look.read_by(slot), passes=()), slot.timeout_s or 0.0)


def _refuse(look: Look) -> None:
    drop_counts.count("check", WORKERS_EXHAUSTED, len(look.waiting))
    for slot in look.waiting:
        look.note(slot, slot.error(WORKERS_EXHAUSTED))
    look.waiting.clear()
