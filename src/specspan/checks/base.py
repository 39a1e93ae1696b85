"""What a check is. The engine knows checks by this protocol alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from specspan.call import ModelCall
from specspan.decision import CheckKind, CheckRef, Finding, Stage
from specspan.making import quickly_made


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
