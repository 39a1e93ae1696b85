"""A slot: one check bound to one clause, and the findings that its answers become.

Every (clause, check) has exactly one finding on every call. The common ones are made once and shared by all calls.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

from specspan._support.guard import guard
from specspan.call import ModelCall
from specspan.checks.check import Check, NonsenseResult, TextAt, as_finding
from specspan.checks.limited import share_of
from specspan.decision import CheckRef, Finding, Outcome
from specspan.policy.policy import ClausePolicy

NOT_REACHED = "not_reached"
"""Unassessed: the call ended before the check's stage, or the check was not waited for."""
INCOMPLETE_ANSWER = "incomplete_answer"
"""Unassessed: the answer was cut short, by its consumer or by an error, and the check found nothing in what came."""
NOTHING_TO_READ = "nothing_to_read"
"""Not applicable: the check reads none of the call's texts."""
OVERRIDE = "override"
"""Overridden: a granted override sets the clause aside."""
RAISED = "raised"
"""Error: the check raised."""
NONSENSE = "nonsense"
"""Error: the check answered what no check may answer."""
TIMEOUT = "timeout"
"""Error: the check was out of time."""
WORKERS_EXHAUSTED = "workers_exhausted"
"""Error: too many earlier checks hang, or all threads were busy for too long."""
INTERNAL = "internal"
"""Error: specspan itself failed before the check could look."""

NOTABLE_NS = 100_000
"""A check that found nothing amiss in less time shares its finding with all others, and its duration reads 0."""

_NEED_REASON = frozenset((Outcome.VIOLATED, Outcome.UNCERTAIN))
_WELL = frozenset((Outcome.COMPLIED, Outcome.NOT_APPLICABLE))
_EXPLANATION_CHARS = 500


@dataclass(frozen=True, slots=True, eq=False)
class Slot:
    """One check bound to one clause."""

    position: int
    """Where it stands among all slots of the plan."""
    bound: ClausePolicy
    check: Check
    ref: CheckRef
    decide: Callable[[ModelCall, Sequence[TextAt]], Any]
    """The check's own."""
    timeout_s: float | None
    share: float
    """Of the calls, how many it looks at."""
    complied: Finding
    """Shared, like the two below: findings that say nothing of one call."""
    not_applicable: Finding
    unassessed: Finding
    gap: Finding | None = None
    """What stands for these three where not all was seen that the clause is decided by."""

    def short(self, reason: str) -> Slot:
        """The same where not all was seen: it still finds a violation in what was, and nothing complies."""
        gap = self.found(Finding(Outcome.UNASSESSED, reason))
        return replace(self, complied=gap, not_applicable=gap, unassessed=gap, gap=gap)

    def reads(self, text: TextAt) -> bool:
        """Whether the check looks at ``text``; in doubt it does."""
        with guard("engine.reads"):
            return bool(self.check.reads(text))
        return True

    def found(self, finding: Finding, duration_ns: int = 0) -> Finding:
        """``finding`` with all that the check could not know."""
        bound = self.bound
        reason = self.ref.name if finding.reason is None and finding.outcome in _NEED_REASON else finding.reason
        return Finding(
            outcome=finding.outcome,
            reason=reason,
            score=finding.score,
            explanation=finding.explanation,
            evidence=finding.evidence,
            clause=bound.clause.id,
            authority=bound.clause.authority or "",
            severity=bound.severity,
            action=bound.action,
            stage=self.check.stage,
            check=self.ref,
            duration_ns=duration_ns,
        )

    def error(self, reason: str, explanation: str | None = None, duration_ns: int = 0) -> Finding:
        """The finding of a check that failed."""
        return self.found(Finding(Outcome.ERROR, reason, explanation=explanation), duration_ns)

    def raised(self, error: BaseException, duration_ns: int = 0) -> Finding:
        """The finding of a check that raised ``error``."""
        return self.error(RAISED, _said(error), duration_ns)

    def answered(self, answer: Any, duration_ns: int = 0) -> Finding:
        """The finding that a check's ``answer`` becomes; one it may not give is an error."""
        if answer is True or answer is None:
            shared = self.complied if answer else self.not_applicable
            return shared if duration_ns < NOTABLE_NS else replace(shared, duration_ns=duration_ns)
        try:
            finding = as_finding(answer)
        except NonsenseResult as error:
            return self.error(NONSENSE, str(error), duration_ns)
        if self.gap is not None and finding.outcome in _WELL:
            return self.gap
        return self.found(finding, duration_ns)


def slot(position: int, bound: ClausePolicy, check: Check) -> Slot:
    """Bind ``check`` to its clause."""
    nothing = Finding(Outcome.COMPLIED)
    made = Slot(
        position, bound, check, check.ref, check.decide, check.timeout_s, share_of(check), nothing, nothing, nothing
    )
    return replace(
        made,
        complied=made.found(Finding(Outcome.COMPLIED)),
        not_applicable=made.found(Finding(Outcome.NOT_APPLICABLE)),
        unassessed=made.found(Finding(Outcome.UNASSESSED, NOT_REACHED)),
    )


def ask(
    slot: Slot,
    call: ModelCall,
    texts: Sequence[TextAt],
    passes: tuple[type[BaseException], ...] = (KeyboardInterrupt, SystemExit),
) -> Finding:
    """Run the check and read its answer. Whatever it raises becomes a finding, but for ``passes``."""
    started_ns = time.perf_counter_ns()
    try:
        answer = slot.decide(call, texts)
    except passes:
        raise
    except BaseException as error:
        return slot.raised(error, time.perf_counter_ns() - started_ns)
    return slot.answered(answer, time.perf_counter_ns() - started_ns)


class Round:
    """Checks that all read the same texts, asked one after another on the caller's thread.

    They are timed together as long as that takes next to nothing, and each by itself from the round on that follows one
    that took longer.
    """

    __slots__ = ("_slots", "_timed", "_with_functions")

    def __init__(self, slots: Sequence[Slot]) -> None:
        self._slots = slots
        self._with_functions = [(slot, getattr(slot.check, "of_call", None)) for slot in slots]
        self._timed = False

    def ask(self, call: ModelCall, texts: Sequence[TextAt]) -> list[tuple[Slot, Finding]]:
        """What they find other than that the call complied, as `ask` says it."""
        started_ns = time.perf_counter_ns()
        found = self._one_by_one(call, texts) if self._timed else self._together(call, texts)
        self._timed = time.perf_counter_ns() - started_ns >= NOTABLE_NS
        return found

    def _one_by_one(self, call: ModelCall, texts: Sequence[TextAt]) -> list[tuple[Slot, Finding]]:
        answers = ((slot, ask(slot, call, texts)) for slot in self._slots)
        return [(slot, finding) for slot, finding in answers if finding is not slot.complied]

    def _together(self, call: ModelCall, texts: Sequence[TextAt]) -> list[tuple[Slot, Finding]]:
        found: list[tuple[Slot, Finding]] = []
        for slot, of_call in self._with_functions:
            try:
                answer = slot.decide(call, texts) if of_call is None else of_call(call)
                if answer is not True:
                    found.append((slot, slot.answered(answer)))
            except (KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:
                found.append((slot, slot.raised(error)))
        return found


def _said(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"[:_EXPLANATION_CHARS]
    except Exception:  # its own __str__ raises
        return type(error).__name__


# MERGED sampling: Which calls a check looks at that is asked for a share of them only.
#
# One number is drawn for each decision, told by its id alone: so the record says again who was drawn, and a check
# with a
# small share looks at no call that one with a larger share does not look at.


NOT_SAMPLED = "not_sampled"
"""Unassessed: the check looks at a share of the calls, and this is none of them."""

_WHOLE = 1 << 64


def chance(decision_id: str) -> float:
    """The number of a decision, from 0 up to 1: a check looks where it is below its share.

    The first 8 bytes of the SHA-256 of the id, as a fraction of what 8 bytes can hold.
    """
    return int.from_bytes(sha256(decision_id.encode()).digest()[:8], "big") / _WHOLE
