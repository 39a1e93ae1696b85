"""Contract of a check, and the validation of what a check returns.

The engine and the policy loader know a check by `Check` alone: its reference, its declared traits and `decide`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Protocol, TypeAlias, runtime_checkable

from specspan._support.fast_dataclass import fast_init
from specspan.call import ModelCall, Scalar, Side
from specspan.checks.work import Work
from specspan.decision import CheckRef, Evidence, Finding, Outcome, Stage
from specspan.spec.spec import Clause

CheckResult: TypeAlias = Finding | bool | None
"""True complied, False violated, None not applicable, or a `Finding` that says more."""
CheckFunction: TypeAlias = Callable[[ModelCall], CheckResult]
"""Function of a whole call that decides one clause."""


@fast_init
@dataclass(frozen=True, slots=True)
class TextAt:
    """One text of a call and where it stands."""

    pointer: str
    """JSON pointer of its part, such as ``/output/0/parts/0``."""
    role: str
    """Role of its message."""
    text: str
    is_reasoning: bool = False
    """True for a model's reasoning, which only a check that asks for it reads."""
    is_result: bool = False
    """True for what a tool answered, which does not read on with the words around it."""
    framed: bytes | None = field(default=None, init=False, repr=False, compare=False)
    """The text as `specspan.checks.patterns` last wrote it for RE2, kept so that it is written once."""
    work: Work | None = field(default=None, init=False, repr=False, compare=False)
    """Counter of the work over the texts of its call; None where these are short."""

    def evidence(self, start: int, end: int) -> tuple[Evidence, ...]:
        """Return the places in the call of the characters ``start`` to ``end`` of this text."""
        return (Evidence(self.pointer, start, end),)

    def places(self, spans: Sequence[tuple[int, int]]) -> list[Evidence]:
        """Return the places in the call of distinct spans of this text, each place once."""
        pointer = self.pointer
        return [Evidence(pointer, start, end) for start, end in spans]


class PartialFindings(Enum):
    """Findings of a check that hold when the check is given only a part of what it reads."""

    NONE = "none"
    """Only the whole can be decided: what must be there may stand in the part that is missing."""
    VIOLATIONS = "violations"
    """A violation found in a part stands, whatever the rest holds.

    On a stream the engine therefore runs the check on the text so far, each time the text has grown a good deal.
    """
    MATCHES = "matches"
    """As `VIOLATIONS`, and every finding is a match of a pattern of `CheckTraits.prefilter`, decided by the matching
    characters and the ones next to them.

    On a stream the engine therefore runs the check on the end of the text after each chunk, and before it redacts it
    runs the check again on what the redaction would leave.
    """


@dataclass(frozen=True, slots=True)
class Trigger:
    """Circumstances that make a call worth a check in the background; all that are given have to be there."""

    checks: tuple[str, ...] = ()
    """Names of checks, reasons or clauses, of which a finding on the call must be violated or uncertain."""
    tags: tuple[str, ...] = ()
    """Facts of which one must be true."""
    facts: tuple[tuple[str, tuple[Scalar, ...]], ...] = ()
    """Values that each fact may have, as in the ``when`` of a clause."""


ALWAYS_WORTH_IT = Trigger()


@dataclass(frozen=True, slots=True)
class Background:
    """Traits of a check that goes on after the decision: its finding is pending until it arrives."""

    group: Hashable
    """Checks of one call with equal groups are decided together."""
    question: Any
    """Question of the check, for whoever runs it in the background; the engine does not look at it."""
    wait_s: float | None = None
    """Seconds that the call waits for the finding; None: not at all."""
    trigger: Trigger = ALWAYS_WORTH_IT


@dataclass(frozen=True, slots=True)
class CheckTraits:
    """Declared properties of a check: everything that is known of the check before it runs.

    Raises:
        ValueError: `PartialFindings.MATCHES` is declared without patterns that could match.
    """

    stage: Stage
    """Stage at which the check runs."""
    prefilter: tuple[str, ...] = ()
    """Patterns in the syntax of `specspan.checks.patterns`, of which one must match before `Check.decide` can find
    anything.

    The engine looks for the patterns of all checks in one pass and runs a check only after a match; without a match
    the clause complied. Empty: the check always runs.
    """
    reads_roles: frozenset[str] | None = None
    """Roles of the messages whose texts are read; None reads every role. With nothing to read, the clause is not
    applicable."""
    reads_reasoning: bool = False
    """True where a model's reasoning is read as well. Nothing of it is rewritten: an action that would is to block."""
    reads_normalised: bool = False
    """True where the texts are also read in their normalised writing (`specspan.checks.normalisation`)."""
    needs: frozenset[Side] | None = None
    """Sides of a call without which the check cannot say that the clause complied; None means all that is there at
    its stage."""
    finds_in_part: PartialFindings = PartialFindings.NONE
    timeout_s: float | None = None
    """Seconds the check may take before its outcome is ``error``, unless a policy sets another limit; None runs it on
    the caller's thread, without a limit."""
    accepts_timeout: bool = True
    """False where a time limit in a policy would be a mistake, because the check runs in linear time."""
    decide_call: CheckFunction | None = None
    """Function that decides as `Check.decide` does, for a check that reads no texts. Calling it directly saves the
    engine a tenth of a microsecond on each check."""
    background: Background | None = None
    """Set for a check that goes on after the decision, where somebody runs such checks; else it is waited for."""

    def __post_init__(self) -> None:
        if self.finds_in_part is PartialFindings.MATCHES and not self.prefilter:
            raise ValueError("a check that finds matches in a part needs the patterns that match, as its prefilter")

    def reads(self, role: str, *, is_reasoning: bool = False) -> bool:
        """Return whether the check reads the texts, or the reasoning, of messages with ``role``."""
        if is_reasoning and not self.reads_reasoning:
            return False
        return self.reads_roles is None or role in self.reads_roles

    @property
    def needed_sides(self) -> frozenset[Side]:
        """Sides of a call that must have been seen, whether they are declared or follow from the stage."""
        if self.needs is not None:
            return self.needs
        return frozenset((Side.INPUT,)) if self.stage is Stage.INPUT else frozenset(Side)


class Check(Protocol):
    """Decision procedure for one clause, run on one model call at one stage.

    A check is called from any thread, several at once. It keeps no state between calls.
    """

    @property
    def ref(self) -> CheckRef:
        """Name, mechanism and version, as recorded with every finding."""

    @property
    def traits(self) -> CheckTraits:
        """Declared properties, the same for the whole life of the check."""

    def decide(self, call: ModelCall, texts: Sequence[TextAt]) -> CheckResult:
        """Decide the clause. ``texts`` are those of the check's stage whose roles it reads."""


@runtime_checkable
class ClauseReader(Protocol):
    """Check that reads the text of its clause, which is known once the policy meets its spec."""

    def for_clause(self, clause: Clause) -> Check:
        """Return the check of ``clause``."""


@dataclass(frozen=True, slots=True)
class Redaction:
    """Place that a check wants redacted, and what takes its place."""

    place: Evidence
    label: str
    """Low-cardinality code of what stands there, for the marker."""
    substitute: str | None = None
    """Text in place of the marker ``[redacted:<label>]``."""
    is_reversible: bool = False
    """True where a numbered name such as ``<PERSON_1>`` takes its place in what the model reads, and the model's
    answer has the characters back in place of the name."""
    closing: str | None = None
    """Pattern of what ends it, where it reaches to the end of the text because that did not come yet."""


@runtime_checkable
class Redactor(Protocol):
    """Check that says itself what a redaction takes away, and what stands there afterwards."""

    def redactions(self, call: ModelCall, texts: Sequence[TextAt]) -> Iterable[Redaction]:
        """Return all places to redact in the texts that the check reads; more than a finding has as evidence."""


class CheckConfigError(ValueError):
    """Configuration from which no check can be built; the policy loader adds file and line."""

    def __init__(self, message: str, remedy: str, key: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.key = key
        """Key inside the check's own configuration; None for the whole of it."""


Build = Callable[[str, Any], Check]
"""``build(clause_id, configuration)``: a check from what a policy file says under its kind.

Raises `CheckConfigError` (or pydantic's ``ValidationError``).
"""


class CheckKindModule(Protocol):
    """Kind of check that a policy can name: a module in `specspan.checks.kinds`, or an object behind the entry point
    group ``specspan_checks``.
    """

    KIND: str
    """The key in a policy file, such as ``pattern``."""
    build: Build
    SCHEMA: Mapping[str, Any]
    """JSON Schema of the configuration, for editors. A first policy shows its ``description`` and ``examples``."""


COMPLIED = Finding(Outcome.COMPLIED)
VIOLATED = Finding(Outcome.VIOLATED)
NOT_APPLICABLE = Finding(Outcome.NOT_APPLICABLE)

CHECK_OUTCOMES = frozenset(set(Outcome) - {Outcome.OVERRIDDEN, Outcome.UNASSESSED})
"""Outcomes that a check can find, ``pending`` among them for a check that goes on in the background.

The other outcomes are those of a clause that no check decided.
"""

_NO_POINTER = object()
_POINTERS = ("/input/", "/output/", "/system_instructions/")


class InvalidResult(ValueError):
    """Result of a check that is not a valid finding; the clause's outcome is ``error``."""


def as_finding(result: Any) -> Finding:
    """Return what a check returned as a finding whose every field can be trusted.

    True means complied, False violated, None not applicable. A `Finding` is taken as it is, with its evidence as a
    tuple.

    Raises:
        InvalidResult: ``result`` is anything else, or a finding that contradicts itself.
    """
    if result is True:
        return COMPLIED
    if result is False:
        return VIOLATED
    if result is None:
        return NOT_APPLICABLE
    if not isinstance(result, Finding):
        raise InvalidResult(f"a check returns a Finding, True, False or None, not {type(result).__name__}")
    _validate_outcome(result.outcome)
    _validate_score(result.score)
    for name in ("reason", "explanation"):
        if not isinstance(getattr(result, name), (str, type(None))):
            raise InvalidResult(f"{name} is a string or None, not {type(getattr(result, name)).__name__}")
    return _with_valid_evidence(result)


def _validate_outcome(outcome: Any) -> None:
    if not isinstance(outcome, Outcome) or outcome not in CHECK_OUTCOMES:
        raise InvalidResult(f"a check finds one of {', '.join(sorted(CHECK_OUTCOMES))}, not {_safe_repr(outcome)}")


def _validate_score(score: Any) -> None:
    if score is None:
        return
    if isinstance(score, bool) or not isinstance(score, (int, float)) or not abs(score) <= sys.float_info.max:
        raise InvalidResult(f"a score is a finite number or None, not {_safe_repr(score)}")


def _with_valid_evidence(finding: Finding) -> Finding:
    evidence: Any = finding.evidence
    if not isinstance(evidence, (tuple, list)):
        raise InvalidResult(f"evidence is a tuple of Evidence, not {type(evidence).__name__}")
    known: object = _NO_POINTER  # pointer of the place before, as most are in one text
    for each in evidence:
        if each.__class__ is Evidence and each.pointer is known and _is_span(each.start, each.end):
            continue
        if _is_valid_evidence(each):
            known = each.pointer
        else:
            raise InvalidResult(
                "evidence points at characters start to end of a part such as /output/0/parts/0, "
                f"not at {_safe_repr(each)}"
            )
    return finding if isinstance(evidence, tuple) else replace(finding, evidence=tuple(evidence))


def _is_valid_evidence(evidence: Any) -> bool:
    if not isinstance(evidence, Evidence):
        return False
    pointer: Any = evidence.pointer
    return _is_span(evidence.start, evidence.end) and isinstance(pointer, str) and pointer.startswith(_POINTERS)


def _is_span(start: Any, end: Any) -> bool:
    return start.__class__ is int and end.__class__ is int and 0 <= start <= end


def _safe_repr(value: Any) -> str:
    """Return a value for a message: offsets and words may be shown, content must not be, a ``__repr__`` may raise."""
    if isinstance(value, (Outcome, Evidence, bool, int, float)):
        return repr(value)[:80]
    return type(value).__name__
