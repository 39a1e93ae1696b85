"""Decision on one model call: what was found about every clause, and what was done about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from itertools import compress
from operator import attrgetter

from specspan._support.fast_dataclass import fast_init


class _Word(str, Enum):
    """Closed set of words that print, compare and serialise as plain strings."""

    __str__ = str.__str__
    __hash__ = str.__hash__  # Enum's own is Python code; these are keys on the hot path

    def __format__(self, format_spec: str) -> str:
        return str.__format__(self, format_spec)


class Outcome(_Word):
    """Result of one clause on one call."""

    COMPLIED = "complied"
    VIOLATED = "violated"
    UNCERTAIN = "uncertain"
    """A check ran and could not decide."""
    NOT_APPLICABLE = "not_applicable"
    """A check ran and the clause has no bearing on this call."""
    OVERRIDDEN = "overridden"
    """A granted override set the clause aside."""
    UNASSESSED = "unassessed"
    """No check ran: none is bound, its stage was never reached, or its content was not there."""
    PENDING = "pending"
    """A check is still at work; its finding arrives later."""
    ERROR = "error"
    """A check failed: it raised, ran out of time or returned nonsense."""


OUTCOMES_WORST_FIRST = (
    Outcome.VIOLATED,
    Outcome.ERROR,
    Outcome.UNCERTAIN,
    Outcome.PENDING,
    Outcome.OVERRIDDEN,  # alone on its clause, because no check of it runs
    Outcome.COMPLIED,
    Outcome.NOT_APPLICABLE,
    Outcome.UNASSESSED,
)
OUTCOME_SEVERITY = {outcome: severity for severity, outcome in enumerate(reversed(OUTCOMES_WORST_FIRST))}
"""Severity of each outcome, 0 for the mildest. A clause with several findings has the worst of their outcomes."""
FAULTS = frozenset((Outcome.VIOLATED, Outcome.ERROR, Outcome.UNCERTAIN))
"""Outcomes of a clause that was checked and did not comply."""
_outcome_of = attrgetter("outcome")
DEVIATIONS = FAULTS | {Outcome.OVERRIDDEN, Outcome.PENDING}
"""Outcomes that are no ordinary one: those of a clause of which a reader will want to know why."""


class Verdict(_Word):
    """Result of all findings of one call together."""

    COMPLIED = "complied"
    VIOLATED = "violated"
    UNCERTAIN = "uncertain"
    UNASSESSED = "unassessed"
    """Nothing was both applicable and assessed."""
    ERROR = "error"


class Action(_Word):
    """Response to a violation, mildest first."""

    ALLOW = "allow"
    FLAG = "flag"
    REDACT = "redact"
    """The characters that the evidence points at are taken out of the text."""
    REPLACE = "replace"
    """The text is replaced by the policy's own."""
    BLOCK = "block"
    """The call is stopped: `Blocked` is raised."""
    ESCALATE = "escalate"
    """The call is stopped as by `BLOCK`, and a person is asked."""

    def __init__(self, word: str) -> None:
        self.stops = word in ("block", "escalate")  # stored, as every call asks for it
        """True if nothing is sent or handed over under this action."""

    @property
    def rank(self) -> int:
        """Strictness, 0 for `ALLOW`."""
        return _STRICTNESS[self]


_STRICTNESS = {action: rank for rank, action in enumerate(Action)}


class Mode(_Word):
    """Taking actions (`ENFORCE`) or only recording them (`OBSERVE`)."""

    OBSERVE = "observe"
    ENFORCE = "enforce"


class Stage(_Word):
    """Point of a call at which a check runs."""

    INPUT = "input"
    """Before the model is called."""
    OUTPUT = "output"
    """Before the answer is handed over; on a stream, also while it grows."""
    TOOL_CALL = "tool_call"
    """Before a tool that the answer asks for runs."""
    STREAM = "stream"
    """Only while a streamed answer grows."""


class Severity(_Word):
    """Weight of a violation of a clause, to this application."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """Position in the order, 0 for `LOW`."""
        return _SEVERITY[self]


_SEVERITY = {severity: rank for rank, severity in enumerate(Severity)}


class CheckMechanism(_Word):
    """Means by which a check decides; recorded as ``specspan.check.kind``.

    Several kinds of check that a policy can name (`specspan.checks.kinds`) may decide by one mechanism.
    """

    PATTERN = "pattern"
    CODE = "code"
    CLASSIFIER = "classifier"
    JUDGE = "judge"
    HUMAN = "human"


@dataclass(frozen=True, slots=True)
class CheckRef:
    """Reference to the check that made a finding, precise enough to run that check again."""

    name: str
    mechanism: CheckMechanism
    version: str = "1"


@fast_init
@dataclass(frozen=True, slots=True)
class Evidence:
    """Place in a call that a finding points at: offsets, never content."""

    pointer: str
    """JSON pointer of a part, such as ``/output/0/parts/0``."""
    start: int
    """First character (code points) in that part's text."""
    end: int
    """One past the last character."""


@fast_init
@dataclass(frozen=True, slots=True)
class Judgement:
    """Facts about a judge's finding, without which a share of violations cannot be estimated."""

    applies: bool | None = None
    """False where the judge says that the clause has no bearing on the call; None where there is no answer."""
    sampled: float = 1.0
    """Probability with which the call was chosen for the judge."""
    spread: float | None = None
    """Difference of the largest and the smallest score, where the judge was asked several times."""
    dropped_quotations: int | None = None
    """Number of quotations that are not in the text."""
    left_out_chars: int | None = None
    """Number of characters that the judge was not shown."""


@fast_init
@dataclass(frozen=True, slots=True)
class Finding:
    """Result of one check of one clause on one call.

    A check of your own gives the outcome and whatever else it knows; the engine fills in the rest.
    """

    outcome: Outcome
    reason: str | None = None
    """A low-cardinality code, such as ``ssn``."""
    score: float | None = None
    explanation: str | None = None
    """Free text. It may quote content, so it is exported only where content is."""
    evidence: tuple[Evidence, ...] = ()
    clause: str = ""
    authority: str = ""
    severity: Severity = Severity.MEDIUM
    action: Action = Action.FLAG
    """Action that the policy asks for when this clause is violated."""
    stage: Stage = Stage.OUTPUT
    check: CheckRef | None = None
    """None where no check ran, as for an overridden clause."""
    duration_ns: int = 0
    """Time the check took; 0 where it shared one pass with others, or where it complied too quickly to matter."""
    judgement: Judgement | None = None
    """None for a finding of any check that is not a judge."""


class OverrideKind(_Word):
    """Effect of an override, and how plainly it was asked for."""

    EXPLICIT = "explicit"
    """Said in so many words. Clauses above the guidelines take nothing less."""
    IMPLICIT = "implicit"
    """Inferred, as from a request to talk like a pirate. Enough for guidelines alone."""
    REVOKE = "revoke"
    """The clause holds again."""


@dataclass(frozen=True, slots=True)
class Override:
    """Declared exception to one clause, or the end of one."""

    clause: str
    by: str
    """The level of the spec's chain of command that declares it."""
    reason: str
    until: date | None = None
    """The last day it holds (UTC); None for no end."""
    kind: OverrideKind = OverrideKind.EXPLICIT
    source: str | Evidence | None = None
    """Where in the call it was asked for: a message or a part (``/input/3/parts/0``), or some characters of one. It has
    no more authority than what stands there. None: the application says it of its own accord."""


@dataclass(frozen=True, slots=True)
class OverrideRuling:
    """Ruling of the chain of command on an override."""

    override: Override
    """With the names that clause and level have in the policy."""
    granted: bool
    refusal: str | None = None
    """Why it was refused: a code of `specspan.policy.overrides`, such as ``insufficient_authority``."""


@dataclass(frozen=True, slots=True)
class SpecRef:
    """Reference to the text of a spec that was in force."""

    id: str
    version: str | None
    digest: str
    """``sha256:`` and the hex digest of the file's bytes."""


@fast_init
@dataclass(frozen=True, slots=True)
class Summary:
    """Clauses of one call by outcome, complete however many there are."""

    applied: str = ""
    """Ids of every clause that applied and was checked, space-separated."""
    violated: tuple[str, ...] = ()
    uncertain: tuple[str, ...] = ()
    overridden: tuple[str, ...] = ()
    errored: tuple[str, ...] = ()
    pending: tuple[str, ...] = ()
    considered: int = 0
    """Every clause of the spec in force."""
    not_applicable: int = 0
    unassessed: int = 0
    complied: int = field(init=False, repr=False, compare=False)
    """Number of clauses that complied: all that are in no other group."""

    def __post_init__(self) -> None:
        deviating = (self.violated, self.uncertain, self.overridden, self.errored, self.pending)
        complied = self.considered - self.not_applicable - self.unassessed - sum(map(len, deviating))
        object.__setattr__(self, "complied", complied)


class ReviewCause(_Word):
    """Reason for which a person reviews a clause of a decision."""

    ESCALATED = "escalated"
    """The action over a finding is, or would be, `Action.ESCALATE`."""
    VIOLATED = "violated"
    UNCERTAIN = "uncertain"
    """A check could not decide."""
    ABSTAINED = "abstained"
    """A judge could not decide: its score lies between its thresholds, or it says so."""
    DISAGREED = "disagreed"
    """One check found a violation, and another one none."""
    SAMPLED = "sampled"
    """The policy's share of the calls was drawn."""
    REQUESTED = "requested"
    """A person asked for it."""


@dataclass(frozen=True, slots=True)
class ReviewNeed:
    """Review of one clause that the policy asks for."""

    clause: str
    outcome: Outcome
    """Worst outcome that the checks found."""
    causes: tuple[ReviewCause, ...]
    rulings: int = 1
    """Number of reviewers who rule."""
    expires_unix_nano: int | None = None
    """Time from which on nobody rules; None for no end."""


@fast_init
@dataclass(frozen=True, slots=True)
class Decision:
    """Decision on one model call: every finding, the clause that governed, and what was done."""

    id: str
    """UUIDv7; the same in span, events, log records and ledger."""
    time_unix_nano: int
    specs: tuple[SpecRef, ...]
    policy_digest: str
    mode: Mode
    verdict: Verdict
    action: Action
    """What was done."""
    would: Action | None = None
    """Action if every clause were enforced; in enforce mode only where that is stricter than ``action``, else None."""
    governing_clause: str | None = None
    reason: str | None = None
    findings: tuple[Finding, ...] = ()
    """Every finding about a clause that a check is bound to, or that was overridden."""
    summary: Summary = Summary()
    overrides: tuple[OverrideRuling, ...] = ()
    redacted: tuple[str, ...] = ()
    """JSON pointers of the parts that were redacted or replaced."""
    released_chars: int | None = None
    """Characters the consumer had already seen when a stream was cut; None when none was."""
    reads_reasoning: bool = False
    """True if a check of a stage that the call reached reads a model's reasoning."""
    reviews: tuple[ReviewNeed, ...] = ()
    """Reviews that the policy asks for."""
    _deviating: tuple[Finding, ...] | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def deviating(self) -> tuple[Finding, ...]:
        """Findings of `DEVIATIONS`, in order; looked for once, as many who record a decision ask for them."""
        found = self._deviating
        if found is None:
            found = tuple(compress(self.findings, map(DEVIATIONS.__contains__, map(_outcome_of, self.findings))))
            object.__setattr__(self, "_deviating", found)
        return found
