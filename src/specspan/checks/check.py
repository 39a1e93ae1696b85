"""What a check is. The engine knows checks by this protocol alone."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from specspan._support.fast_dataclass import quickly_made
from specspan.call import ModelCall
from specspan.decision import CheckKind, CheckRef, Evidence, Finding, Outcome, Stage


@quickly_made
@dataclass(frozen=True, slots=True)
class TextAt:
    """One text of a call and where it stands."""

    pointer: str
    """JSON pointer of its part, such as ``/output/0/parts/0``."""
    role: str
    """Role of its message."""
    text: str
    framed: bytes | None = field(default=None, init=False, repr=False, compare=False)
    """The text as `specspan.checks.patterns` last wrote it for RE2, kept so that it is written once."""


class Check(Protocol):
    """Decides one clause for one model call at one stage.

    Called from any thread, several at once; it keeps no state between calls.
    """

    @property
    def ref(self) -> CheckRef:
        """Name, kind and version, as recorded with every finding."""

    @property
    def stage(self) -> Stage:
        """When it looks."""

    @property
    def prefilter(self) -> tuple[str, ...]:
        """Patterns in the syntax of `specspan.checks.patterns`, of which one must hit before `decide` can find a thing.

        The engine looks for the patterns of all checks in one pass and calls `decide` only on a hit; without a hit
        the clause complied. Empty: `decide` is always called.

        A check of kind ``pattern`` with such patterns finds in a text nothing but their matches, told by what matches
        and the characters next to it: so the engine may ask it about the end of a text that grows, and again about
        what a redaction left.
        """

    @property
    def timeout_s(self) -> float | None:
        """Time `decide` may take before its outcome is ``error``; None runs it on the caller's thread, unlimited."""

    def reads(self, text: TextAt) -> bool:
        """Whether this check looks at ``text`` at all, told from its role alone: the answer is remembered for the role.

        With nothing to look at, the clause is not applicable.
        """

    def decide(self, call: ModelCall, texts: Sequence[TextAt]) -> Finding | bool | None:
        """Look. ``texts`` are those of its stage that it `reads`.

        Returns:
            True complied, False violated, None not applicable, or a `Finding` that says more.
        """


INPUT, OUTPUT, TOOL_CALLS, ARGUMENTS = "input", "output", "tool_calls", "arguments"
"""The sides of a call, as `specspan.call.Gaps` names them."""
EVERYTHING = frozenset((INPUT, OUTPUT, TOOL_CALLS, ARGUMENTS))


def needs_of(check: Check) -> frozenset[str]:
    """The sides of a call without which a check cannot say that it complies: what it declares as ``needs``.

    One that declares nothing is handed the whole call, and may look at all of it that there is at its stage.
    """
    declared: frozenset[str] | None = getattr(check, "needs", None)
    if declared is not None:
        return declared
    return frozenset((INPUT,)) if check.stage is Stage.INPUT else EVERYTHING


def finds_in_part(check: Check) -> bool:
    """Whether a violation that a check finds in a part of a call is one, whatever the rest holds.

    It is where it looks for what must not be there: a pattern, or what declares ``finds_in_part``.
    """
    forbids = check.ref.kind is CheckKind.PATTERN and bool(check.prefilter)
    return forbids or bool(getattr(check, "finds_in_part", False))


class CheckConfigError(ValueError):
    """A check's configuration cannot be used; the policy loader adds file and line."""

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
    """A module in `specspan.checks.kinds`, or an object behind the entry point group ``specspan_checks``."""

    KIND: str
    """The key in a policy file, such as ``pattern``."""
    build: Build
    SCHEMA: Mapping[str, Any]
    """JSON Schema of its configuration, for editors. A first policy shows its ``description`` and ``examples``."""


# MERGED results: What a check returned, as a finding; nonsense is told apart from an answer.


COMPLIED = Finding(Outcome.COMPLIED)
VIOLATED = Finding(Outcome.VIOLATED)
NOT_APPLICABLE = Finding(Outcome.NOT_APPLICABLE)

CHECKS_OWN = frozenset(set(Outcome) - {Outcome.OVERRIDDEN, Outcome.UNASSESSED})
"""The outcomes a check can find, ``pending`` among them for one that goes on in the background.

The others say what became of a clause that no check decided.
"""

_POINTERS = ("/input/", "/output/", "/system_instructions/")


class NonsenseResult(ValueError):
    """A check returned something that is no finding; the clause's outcome is ``error``."""


def as_finding(result: Any) -> Finding:
    """What a check returned, as a finding whose every field can be trusted.

    True complied, False violated, None is not applicable. A `Finding` is taken as it is (evidence as a tuple).

    Raises:
        NonsenseResult: it is anything else, or a finding that contradicts itself.
    """
    if result is True:
        return COMPLIED
    if result is False:
        return VIOLATED
    if result is None:
        return NOT_APPLICABLE
    if not isinstance(result, Finding):
        raise NonsenseResult(f"a check returns a Finding, True, False or None, not {type(result).__name__}")
    _refuse_outcome(result.outcome)
    _refuse_score(result.score)
    for name in ("reason", "explanation"):
        if not isinstance(getattr(result, name), (str, type(None))):
            raise NonsenseResult(f"{name} is a string or None, not {type(getattr(result, name)).__name__}")
    return _with_evidence(result)


def _refuse_outcome(outcome: Any) -> None:
    if not isinstance(outcome, Outcome) or outcome not in CHECKS_OWN:
        raise NonsenseResult(f"a check finds one of {', '.join(sorted(CHECKS_OWN))}, not {_shown(outcome)}")


def _refuse_score(score: Any) -> None:
    if score is None:
        return
    if isinstance(score, bool) or not isinstance(score, (int, float)) or not abs(score) <= sys.float_info.max:
        raise NonsenseResult(f"a score is a finite number or None, not {_shown(score)}")


def _with_evidence(finding: Finding) -> Finding:
    evidence: Any = finding.evidence
    if not isinstance(evidence, (tuple, list)):
        raise NonsenseResult(f"evidence is a tuple of Evidence, not {type(evidence).__name__}")
    for each in evidence:
        if not isinstance(each, Evidence) or not _points_somewhere(each):
            raise NonsenseResult(
                f"evidence points at characters start to end of a part such as /output/0/parts/0, not at {_shown(each)}"
            )
    return finding if isinstance(evidence, tuple) else replace(finding, evidence=tuple(evidence))


def _points_somewhere(evidence: Evidence) -> bool:
    pointer: Any = evidence.pointer
    start: Any = evidence.start
    end: Any = evidence.end
    if not isinstance(pointer, str) or not pointer.startswith(_POINTERS):
        return False
    return type(start) is int and type(end) is int and 0 <= start <= end


def _shown(value: Any) -> str:
    """A value in a message: offsets and words may be shown, content must not be, and a ``__repr__`` may raise."""
    if isinstance(value, (Outcome, Evidence, bool, int, float)):
        return repr(value)[:80]
    return type(value).__name__
