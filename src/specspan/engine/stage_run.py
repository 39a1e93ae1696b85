"""Run of one stage: the findings of its checks on one call."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from functools import partial
from itertools import chain

from specspan._support import drop_counts
from specspan._support.guard import guard
from specspan.call import ModelCall
from specspan.checks.check import TextAt
from specspan.checks.readings import are_joined, readings
from specspan.checks.texts import has_further_readings, limit_work, shortest_first, texts
from specspan.checks.work import Work, WorkLimitReached
from specspan.decision import Finding, Stage
from specspan.engine.bound_check import (
    INTERNAL,
    NOTHING_AMISS,
    TIMEOUT,
    WORKERS_EXHAUSTED,
    BoundCheck,
    run_check,
)
from specspan.engine.matcher import Matcher
from specspan.engine.plan import StageChecks, StagePlan
from specspan.engine.waiting import Steps
from specspan.engine.workers import Task, Workers


@dataclass(slots=True)
class StageRun:
    """Findings of one stage so far, and the checks that still have to run."""

    call: ModelCall
    checks: StageChecks
    texts: Sequence[TextAt] = ()
    deviations: dict[int, Finding] = field(default_factory=dict)
    """By position, the findings that are not the default ones."""
    unfinished: list[BoundCheck] = field(default_factory=list)
    """Checks that still have to run on a worker's thread."""
    work: Work | None = None
    """Counter of the work over the texts of the call; None where they are short."""

    def texts_read_by(self, check: BoundCheck) -> Sequence[TextAt]:
        """Return the texts that a check reads."""
        return self.checks.texts_read_by(check, self.texts)

    def add(self, check: BoundCheck, finding: Finding) -> None:
        """Store what a check found, unless it is the default finding."""
        if finding is not self.checks.default_findings[check.position]:
            self.deviations[check.position] = finding

    def withhold_compliance(self, check: BoundCheck, reason: str) -> None:
        """Replace the finding of a check of this stage that found nothing amiss, since it did not see all it needs."""
        default = self.checks.default_findings.get(check.position)
        finding = self.deviations.get(check.position, default)
        if finding is not None and finding.outcome in NOTHING_AMISS:
            self.deviations[check.position] = check.gap_finding(reason)


def run_stage(plan: StagePlan, call: ModelCall, stage: Stage, work: Work | None = None) -> StageRun:
    """Run the checks of a stage that need no waiting.

    ``work``: counter of the work over texts of the call, if other stages have one.

    Where specspan itself fails, every check of the stage has an error, so that no clause looks as if it complied.
    """
    try:
        return _run_inline_checks(plan, call, stage, work)
    except Exception:
        with guard("engine.look"):
            raise
        errors = {check.position: check.error_finding(INTERNAL) for check in plan.checks}
        return StageRun(call, plan.checks_for(()), deviations=errors)


def run_timed_checks(run: StageRun, workers: Workers, context_of: Callable[[], Context] | None = None) -> Steps[None]:
    """Run the unfinished checks in sequence on one thread and, past a hanging one, on another.

    ``context_of`` returns the context variables that they see; by default a copy of those of the caller.
    """
    while run.unfinished:
        context = None if context_of is None else context_of()
        batch = workers.submit([_task(check, run) for check in run.unfinished], context)
        if batch is not None:
            try:
                yield batch
            finally:  # also when the caller gave up waiting
                count = len(batch.results)
                finished, run.unfinished = run.unfinished[:count], run.unfinished[count:]
                for check, finding in zip(finished, batch.results, strict=True):
                    run.add(check, finding)
        if batch is None or not batch.is_started:
            _refuse_unfinished(run)
        elif run.unfinished:
            late = run.unfinished.pop(0)
            run.add(late, late.error_finding(TIMEOUT, duration_ns=int((late.timeout_s or 0) * 1e9)))


def _run_inline_checks(plan: StagePlan, call: ModelCall, stage: Stage, work: Work | None) -> StageRun:
    stage_texts = texts(call, stage, with_reasoning=plan.reads_reasoning)
    checks = plan.checks_for(stage_texts)
    run = StageRun(call, checks, stage_texts, work=limit_work(stage_texts, work))
    if not checks.applicable:
        return run
    for check, finding in checks.inline.run(call, stage_texts):
        run.add(check, finding)
    for check in checks.role_filtered:
        run.add(check, run_check(check, call, run.texts_read_by(check)))
    run.unfinished += checks.timed
    for check in _checks_with_match(plan.matcher, run, stage) if plan.matcher is not None else ():
        if check.timeout_s is None:
            run.add(check, run_check(check, call, run.texts_read_by(check)))
        else:
            run.add(check, check.unassessed)
            run.unfinished.append(check)
    return run


def _checks_with_match(matcher: Matcher, run: StageRun, stage: Stage) -> list[BoundCheck]:
    """Return the checks with a pattern that matches in a text they read, or in a further reading of it, in order.

    The others find errors where the texts take too much work to search.
    """
    applicable = run.checks.applicable
    positions: set[int] = set()
    read: Iterable[TextAt] = run.texts
    is_normalised = matcher.is_normalised
    if run.work is not None:
        read = shortest_first(run.texts)
    if has_further_readings(run.texts, is_normalised=is_normalised):
        read = chain(read, readings(run.texts, is_joined=are_joined(stage), is_normalised=is_normalised))
    try:
        for text in read:
            for position in _matching_positions(matcher, text):
                if position in applicable and run.checks.is_read(position, text):
                    positions.add(position)
    except WorkLimitReached as error:
        for position in set(matcher.owners).intersection(applicable) - positions:
            run.add(applicable[position], applicable[position].exception_finding(error))
    return [applicable[position] for position in sorted(positions)] if positions else []


def _matching_positions(matcher: Matcher, text: TextAt) -> Collection[int]:
    try:
        return matcher.matching_positions(text)
    except WorkLimitReached:
        raise
    except Exception:
        with guard("engine.prefilter"):
            raise
        return matcher.owners  # in doubt every check runs


def _task(check: BoundCheck, run: StageRun) -> Task:
    work = partial(run_check, check, run.call, run.texts_read_by(check))
    return Task(partial(work, passes=()), check.timeout_s or 0.0, work)


def _refuse_unfinished(run: StageRun) -> None:
    drop_counts.count("check", WORKERS_EXHAUSTED, len(run.unfinished))
    for check in run.unfinished:
        run.add(check, check.error_finding(WORKERS_EXHAUSTED))
    run.unfinished.clear()
