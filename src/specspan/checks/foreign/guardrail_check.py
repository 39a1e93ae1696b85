"""Check that asks a guardrail of somebody else about each text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from specspan.call import ModelCall, Side
from specspan.checks.check import CheckConfigError, CheckResult, CheckTraits, TextAt
from specspan.checks.foreign.verdict import InvalidVerdict, Span, Verdict
from specspan.decision import CheckMechanism, CheckRef, Evidence, Finding, Outcome, Stage

FAILED = "guardrail_failed"
"""Error: the guardrail raised, or could not be reached."""
NONSENSE = "guardrail_nonsense"
"""Error: its answer means nothing."""
TOO_LONG = "guardrail_text_too_long"
"""Error: a text is longer than the check hands over."""

_NEEDED_SIDES = {
    Stage.INPUT: frozenset((Side.INPUT,)),
    Stage.OUTPUT: frozenset((Side.OUTPUT,)),
    Stage.TOOL_CALL: frozenset((Side.TOOL_CALLS, Side.ARGUMENTS)),
}
_WORST_FIRST = (Outcome.VIOLATED, Outcome.ERROR, Outcome.UNCERTAIN, Outcome.COMPLIED, Outcome.NOT_APPLICABLE)


class ServiceConfig(BaseModel):
    """Options that everybody has who is asked about a call."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    stage: Stage = Field(default=Stage.OUTPUT, strict=False)
    """``input``, ``output`` or ``tool_call``."""
    roles: list[str] | None = Field(default=None, min_length=1)
    """Roles of the messages to read; by default ``user`` and ``tool`` on input, every role elsewhere."""
    name: str | None = None
    version: str | None = None
    """By default that of the package."""

    def reads_roles(self) -> frozenset[str] | None:
        """Return the roles whose texts are read; None for every role."""
        if self.roles is not None:
            return frozenset(self.roles)
        return frozenset(("user", "tool")) if self.stage is Stage.INPUT else None

    def traits(self, timeout_s: float = 10.0) -> CheckTraits:
        """Return the traits of the check, which runs on a worker's thread.

        Raises:
            CheckConfigError: the stage is one at which nobody else can be asked.
        """
        if self.stage is Stage.STREAM:
            raise CheckConfigError(
                "a guardrail reads whole texts, and has no stage 'stream'", "Write 'output'.", "stage"
            )
        needs = _NEEDED_SIDES[self.stage]
        return CheckTraits(self.stage, reads_roles=self.reads_roles(), needs=needs, timeout_s=timeout_s)


class GuardrailConfig(ServiceConfig):
    """Options that every guardrail of texts has."""

    messages: Literal["newest", "all"] = "newest"
    """On input: the messages after the model's latest answer, or all of them, each time."""
    max_chars: int = Field(default=100_000, ge=1)
    """Longest text that is handed over; a longer one is an error."""


class Guardrail(Protocol):
    """Guardrail of somebody else. It is called from any thread, several at once."""

    def judge(self, text: str, call: ModelCall, stage: Stage) -> Verdict:
        """Return the verdict about one text. Whatever it raises is an error of the check."""


@dataclass(frozen=True, slots=True)
class GuardrailCheck:
    """Check of texts by a guardrail, which sees texts alone and can change nothing of the call."""

    ref: CheckRef
    traits: CheckTraits
    guardrail: Guardrail
    messages: str
    max_chars: int

    def decide(self, call: ModelCall, texts: Sequence[TextAt]) -> CheckResult:
        """Ask about each text; the worst verdict counts, and every text that it objects to is evidence."""
        read = _newest(call, texts) if self.traits.stage is Stage.INPUT and self.messages == "newest" else texts
        verdicts = [(text, self._verdict(text.text, call)) for text in read if text.text]
        if not verdicts:
            return None
        return finding_of(verdicts)

    def _verdict(self, text: str, call: ModelCall) -> Verdict:
        if len(text) > self.max_chars:
            return Verdict(Outcome.ERROR, TOO_LONG)
        try:
            return self.guardrail.judge(text, call, self.traits.stage)
        except InvalidVerdict as error:
            return Verdict(Outcome.ERROR, NONSENSE, explanation=str(error))
        except Exception as error:
            return Verdict(Outcome.ERROR, FAILED, explanation=_described(error))


def guardrail_check(
    guardrail: Guardrail, config: GuardrailConfig, name: str, version: str, *, timeout_s: float = 10.0
) -> GuardrailCheck:
    """Return the check of a guardrail, under its own name and version.

    Raises:
        CheckConfigError: the stage is one at which nobody else's guardrail can be asked.
    """
    ref = CheckRef(config.name or name, CheckMechanism.CLASSIFIER, config.version or version)
    return GuardrailCheck(ref, config.traits(timeout_s), guardrail, config.messages, config.max_chars)


def finding_of(verdicts: Sequence[tuple[TextAt, Verdict]]) -> Finding:
    """Return the finding of a whole call: the worst verdict, with its places in the call."""
    worst = min((verdict for _, verdict in verdicts), key=lambda verdict: _WORST_FIRST.index(verdict.outcome))
    evidence = (
        place
        for text, verdict in verdicts
        if verdict.outcome is Outcome.VIOLATED
        for place in _places(text, verdict.spans)
    )
    return Finding(
        worst.outcome,
        worst.reason,
        worst.score,
        worst.explanation,
        tuple(evidence) if worst.outcome is Outcome.VIOLATED else (),
    )


def _places(text: TextAt, spans: Sequence[Span]) -> Sequence[Evidence]:
    """Return the places that a guardrail names, and the whole text where it names none."""
    return [place for start, end in spans or ((0, len(text.text)),) for place in text.evidence(start, end)]


def _newest(call: ModelCall, texts: Sequence[TextAt]) -> Sequence[TextAt]:
    last = max((i for i, message in enumerate(call.input) if message.role == "assistant"), default=-1)
    return [text for text in texts if _message_number(text.pointer) > last]


def _message_number(pointer: str) -> int:
    side, _, rest = pointer[1:].partition("/")
    return int(rest.partition("/")[0]) if side == "input" else -1


def _described(error: Exception) -> str:
    try:
        return f"{type(error).__name__}: {error}"[:500]
    except Exception:  # its own text cannot be made
        return type(error).__name__
