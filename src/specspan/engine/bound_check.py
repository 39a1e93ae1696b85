"""Checks bound to their clauses, and the findings that their results become.

Every (clause, check) has exactly one finding on every call. The common findings are made once and shared by all calls.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from specspan._support.guard import contain
from specspan._support.interruption import raise_interruption
from specspan.call import ModelCall, Request
from specspan.checks.check import CheckTraits, InvalidResult, Redaction, Redactor, TextAt, as_finding
from specspan.checks.texts import EVERY_ROLE, UnreadRoles
from specspan.checks.work import WorkLimitReached
from specspan.decision import CheckRef, Finding, Outcome
from specspan.policy.policy import CheckBinding, ClausePolicy

NOT_REACHED = "not_reached"
"""Unassessed: the call ended before the check's stage, or the check was not waited for."""
INCOMPLETE_ANSWER = "incomplete_answer"
"""Unassessed: the answer was cut short, by its consumer or by an error, and the check found nothing in what came."""
NOT_UNDERSTOOD = "content_not_understood"
"""Unassessed: the call holds a part that cannot be read, and the check found nothing in what it read."""
REQUEST_NOT_SEEN = "request_not_seen"
"""Unassessed: only the answer is asked for here, and the check found nothing in it."""
UNREAD = frozenset((NOT_UNDERSTOOD, REQUEST_NOT_SEEN))
"""Reasons of checks that could not read all that they need, over which a clause's ``on_unread`` acts."""
NOT_SAMPLED = "not_sampled"
"""Unassessed: the check runs on a share of the calls, and this call is not in it."""
NOTHING_TO_READ = "nothing_to_read"
"""Not applicable: the check reads none of the call's texts."""
OVERRIDE = "override"
"""Overridden: a granted override sets the clause aside."""
RAISED = "raised"
"""Error: the check raised."""
NONSENSE = "nonsense"
"""Error: the check returned something that is not a valid finding."""
TIMEOUT = "timeout"
"""Error: the check was out of time."""
WORK_LIMIT = "work_limit"
"""Error: the texts of the call would take too much work (`specspan.checks.work`)."""
WORKERS_EXHAUSTED = "workers_exhausted"
"""Error: too many earlier checks hang, or all threads were busy for too long."""
INTERNAL = "internal"
"""Error: specspan itself failed before the check could run."""
INTERRUPTED = "interrupted"
"""Unassessed: the application interrupted the call before the check had decided."""

IS_IN_CHECK: ContextVar[bool] = ContextVar("specspan.is_in_check", default=False)
"""Whether a check runs here: a model call that a check makes is not judged by checks."""
NOTABLE_NS = 100_000
"""Duration below which a check that found nothing amiss shares its finding with all others; its duration reads 0."""

_NEED_REASON = frozenset((Outcome.VIOLATED, Outcome.UNCERTAIN))
NOTHING_AMISS = frozenset((Outcome.COMPLIED, Outcome.NOT_APPLICABLE))
"""Outcomes that a check cannot vouch for where it did not see all that it needs."""
_EXPLANATION_CHARS = 500
_SAMPLING_VALUES = 1 << 64


def unread_reason(request: Request, of_answer: UnreadRoles) -> str:
    """Return the reason for which a check could not read all that it needs, by what could not be read of the answer."""
    return NOT_UNDERSTOOD if request.is_seen or of_answer else REQUEST_NOT_SEEN


@dataclass(frozen=True, slots=True, eq=False)
class BoundCheck:
    """One check bound to one clause of a plan."""

    position: int
    """Index among all bound checks of the plan."""
    clause_policy: ClausePolicy
    ref: CheckRef
    traits: CheckTraits
    decide: Callable[[ModelCall, Sequence[TextAt]], Any]
    """The check's own."""
    timeout_s: float | None
    """Seconds that the check may take; None runs it on the caller's thread."""
    sample: float
    """Share of the calls on which the check runs."""
    complied: Finding
    """Shared finding that says nothing of one call, as are the next two."""
    not_applicable: Finding
    unassessed: Finding
    redactor: Redactor | None = None
    """The check, where it says itself what a redaction takes away."""
    gap: Finding | None = None
    """Finding that replaces these three where something was not seen that the clause is decided by."""

    @property
    def clause_id(self) -> str:
        """Id of the clause."""
        return self.clause_policy.clause.id

    def with_gap(self, reason: str) -> BoundCheck:
        """Return this check for calls of which not everything was seen: it can still find a violation in what was,
        but the clause cannot comply.
        """
        gap = self.gap_finding(reason)
        return replace(self, complied=gap, not_applicable=gap, unassessed=gap, gap=gap)

    def gap_finding(self, reason: str) -> Finding:
        """Return the finding of this check where it did not see all that it needs."""
        return self.complete(Finding(Outcome.UNASSESSED, reason))

    def misses(self, unread: UnreadRoles) -> bool:
        """Return whether the check needs a message of which a part cannot be read."""
        traits = self.traits
        sides = {*traits.needed_sides, *(("reasoning",) if traits.reads_reasoning else ())}
        return any(
            side in sides and (roles is EVERY_ROLE or any(map(traits.reads, roles))) for side, roles in unread.items()
        )

    def complete(self, finding: Finding, duration_ns: int = 0) -> Finding:
        """Return ``finding`` with everything that the check could not know."""
        clause_policy = self.clause_policy
        reason = self.ref.name if finding.reason is None and finding.outcome in _NEED_REASON else finding.reason
        return Finding(
            outcome=finding.outcome,
            reason=reason,
            score=finding.score,
            explanation=finding.explanation,
            evidence=finding.evidence,
            clause=clause_policy.clause.id,
            authority=clause_policy.clause.authority or "",
            severity=clause_policy.severity,
            action=clause_policy.action,
            stage=self.traits.stage,
            check=self.ref,
            duration_ns=duration_ns,
            judgement=finding.judgement,
        )

    def error_finding(self, reason: str, explanation: str | None = None, duration_ns: int = 0) -> Finding:
        """Return the finding of a check that failed."""
        return self.complete(Finding(Outcome.ERROR, reason, explanation=explanation), duration_ns)

    def interrupted_finding(self) -> Finding:
        """Return the finding of a check that had not decided when the application interrupted the call."""
        return replace(self.unassessed, reason=INTERRUPTED)

    def exception_finding(self, error: BaseException, duration_ns: int = 0) -> Finding:
        """Return the finding of a check that raised ``error``."""
        reason = WORK_LIMIT if isinstance(error, WorkLimitReached) else RAISED
        return self.error_finding(reason, _describe(error), duration_ns)

    def finding_from(self, result: Any, duration_ns: int = 0) -> Finding:
        """Return the finding that a check's result becomes; an invalid result becomes an error."""
        if result is True or result is None:
            shared = self.complied if result else self.not_applicable
            return shared if duration_ns < NOTABLE_NS else replace(shared, duration_ns=duration_ns)
        try:
            finding = as_finding(result)
        except InvalidResult as error:
            return self.error_finding(NONSENSE, str(error), duration_ns)
        if self.gap is not None and finding.outcome in NOTHING_AMISS:
            return self.gap
        return self.complete(finding, duration_ns)


def bind_check(position: int, clause_policy: ClausePolicy, binding: CheckBinding) -> BoundCheck:
    """Bind a check of a clause's policy to a position in a plan."""
    check, placeholder = binding.check, Finding(Outcome.COMPLIED)
    bound = BoundCheck(
        position=position,
        clause_policy=clause_policy,
        ref=check.ref,
        traits=check.traits,
        decide=check.decide,
        timeout_s=binding.timeout_s,
        sample=binding.sample,
        complied=placeholder,
        not_applicable=placeholder,
        unassessed=placeholder,
        redactor=check if isinstance(check, Redactor) else None,
    )
    return replace(
        bound,
        complied=bound.complete(Finding(Outcome.COMPLIED)),
        not_applicable=bound.complete(Finding(Outcome.NOT_APPLICABLE)),
        unassessed=bound.complete(Finding(Outcome.UNASSESSED, NOT_REACHED)),
    )


def run_check(
    check: BoundCheck,
    call: ModelCall,
    texts: Sequence[TextAt],
    passes: tuple[type[BaseException], ...] = (KeyboardInterrupt, SystemExit),
) -> Finding:
    """Run a check and return its finding. Exceptions become findings, but for those in ``passes``.

    Interruptions are raised as well, unless ``passes`` is empty: then nobody's call runs on this thread.
    """
    started_ns = time.perf_counter_ns()
    before = IS_IN_CHECK.get()  # kept instead of a token, which an interruption could lose
    try:
        IS_IN_CHECK.set(True)
        result = check.decide(call, texts)
    except passes:
        raise
    except BaseException as error:
        if passes:
            raise_interruption(error)
        return check.exception_finding(error, time.perf_counter_ns() - started_ns)
    finally:
        IS_IN_CHECK.set(before)
    return check.finding_from(result, time.perf_counter_ns() - started_ns)


def redactions_of(check: BoundCheck, call: ModelCall, texts: Sequence[TextAt]) -> Sequence[Redaction] | None:
    """Return what a check itself wants redacted, nothing where it does not say; None where it fails to."""
    if check.redactor is None:
        return ()
    before = IS_IN_CHECK.get()
    try:
        IS_IN_CHECK.set(True)
        return tuple(check.redactor.redactions(call, texts))
    except Exception as error:
        if not isinstance(error, WorkLimitReached):
            contain("engine.redactions", error)
        return None
    finally:
        IS_IN_CHECK.set(before)


class InlineChecks:
    """Checks that all read the same texts and run one after another on the caller's thread.

    They are timed together as long as that takes next to nothing, and each by itself on the call that follows a slow
    one.
    """

    __slots__ = ("_checks", "_checks_with_functions", "_times_each")

    def __init__(self, checks: Sequence[BoundCheck]) -> None:
        self._checks = checks
        self._checks_with_functions = [(check, check.traits.decide_call) for check in checks]
        self._times_each = False

    def run(self, call: ModelCall, texts: Sequence[TextAt]) -> list[tuple[BoundCheck, Finding]]:
        """Run all checks and return the findings, as `run_check` makes them, except those that the clause complied."""
        started_ns = time.perf_counter_ns()
        findings = self._run_timed(call, texts) if self._times_each else self._run_untimed(call, texts)
        self._times_each = time.perf_counter_ns() - started_ns >= NOTABLE_NS
        return findings

    def _run_timed(self, call: ModelCall, texts: Sequence[TextAt]) -> list[tuple[BoundCheck, Finding]]:
        findings = ((check, run_check(check, call, texts)) for check in self._checks)
        return [(check, finding) for check, finding in findings if finding is not check.complied]

    def _run_untimed(self, call: ModelCall, texts: Sequence[TextAt]) -> list[tuple[BoundCheck, Finding]]:
        findings: list[tuple[BoundCheck, Finding]] = []
        before = IS_IN_CHECK.get()
        try:
            IS_IN_CHECK.set(True)
            for check, function in self._checks_with_functions:
                try:
                    result = check.decide(call, texts) if function is None else function(call)
                    if result is not True:
                        findings.append((check, check.finding_from(result)))
                except (KeyboardInterrupt, SystemExit):
                    raise
                except BaseException as error:
                    raise_interruption(error)
                    findings.append((check, check.exception_finding(error)))
        finally:
            IS_IN_CHECK.set(before)
        return findings


def sampling_value(decision_id: str) -> float:
    """Return the number from 0 up to 1 by which a call is sampled: a check runs where the number is below its share.

    It is the first 8 bytes of the SHA-256 of the decision's id, as a fraction of what 8 bytes can hold. So the record
    alone shows which checks were to run, and a check with a small share runs only on calls on which a check with a
    larger share runs too.
    """
    return int.from_bytes(sha256(decision_id.encode()).digest()[:8], "big") / _SAMPLING_VALUES


def _describe(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"[:_EXPLANATION_CHARS]
    except Exception as failure:  # its own __str__ raises
        raise_interruption(failure)
        return type(error).__name__
