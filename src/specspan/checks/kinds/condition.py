"""Kind ``condition``: an expression in CEL over the call, its context, its tools and the turns before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from specspan.call import ModelCall, Side
from specspan.checks.check import Check, CheckConfigError, CheckResult, CheckTraits, TextAt
from specspan.checks.conditions.condition import Condition, ConditionFailed, compile_condition, values_of
from specspan.checks.conversations.turns import MAX_ITEMS
from specspan.decision import CheckMechanism, CheckRef, Finding, Outcome, Stage
from specspan.documents.json_schema import hoist_definitions

KIND = "condition"

_SIDES = {
    "input": frozenset((Side.INPUT,)),
    "history": frozenset((Side.INPUT,)),
    "output": frozenset((Side.OUTPUT,)),
    "tools": frozenset((Side.TOOL_CALLS, Side.ARGUMENTS)),
}
_OF_CONVERSATION = frozenset(("history", "input"))


class ConditionConfig(BaseModel):
    """Configuration under ``condition``; a single string is ``holds``."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    holds: str
    """Expression in CEL that must be true."""
    when: str | None = None
    """Expression in CEL; where it is false, the clause does not apply."""
    stage: Stage | None = Field(default=None, strict=False)
    """By default ``tool_call`` where the expression reads ``tools``, ``output`` where it reads that, else ``input``."""
    reason: str = "condition"
    """Low-cardinality code of a violation."""
    name: str | None = None
    version: str = "1"


SCHEMA = hoist_definitions(
    {
        "description": "an expression in CEL that must be true of the call, its tools and the conversation",
        "anyOf": [{"type": "string"}, ConditionConfig.model_json_schema()],
        "examples": [
            "tools.all(t, t.name != 'pay' || history.tools.exists(e, e.name == 'confirm' && e.answered))",
            {"holds": "size(output.text) < 4000", "reason": "too_long"},
        ],
    }
)


def build(clause_id: str, configuration: Any) -> Check:
    """Build a check from the configuration under ``condition`` in a policy file."""
    given = {"holds": configuration} if isinstance(configuration, str) else configuration
    config = ConditionConfig.model_validate(given)
    holds = compile_condition(config.holds, None if isinstance(configuration, str) else "holds")
    when = None if config.when is None else compile_condition(config.when, "when")
    reads = holds.reads | (when.reads if when is not None else frozenset())
    stage = config.stage or _earliest_stage(reads)
    _refuse_too_early(stage, reads)
    needs = frozenset(side for name in reads for side in _SIDES.get(name, ()))
    if "arguments" not in f"{config.holds} {config.when}":
        needs -= {Side.ARGUMENTS}
    return ConditionCheck(
        CheckRef(config.name or config.reason, CheckMechanism.CODE, config.version),
        CheckTraits(stage, needs=needs, accepts_timeout=False),
        holds,
        when,
        config.reason,
    )


@dataclass(frozen=True, slots=True)
class ConditionCheck:
    """Check that an expression is true of a call."""

    ref: CheckRef
    traits: CheckTraits
    holds: Condition
    when: Condition | None
    reason: str
    """Low-cardinality code of a violation."""

    def decide(self, call: ModelCall, texts: Sequence[TextAt]) -> CheckResult:
        """Evaluate the expression; one that reads tools does not apply to an answer without any."""
        if self.traits.stage is Stage.TOOL_CALL and not call.tool_calls:
            return None
        if call.gaps.reason_for(self.traits.needed_sides) is not None:
            return None  # what is not there would look as if it had not happened; the engine says that it was not seen
        if call.request.executes is not None and self.holds.reads & _OF_CONVERSATION:
            return None  # a tool's run sends no messages: the answer that asked for it was decided
        if len(call.tool_calls) > MAX_ITEMS:
            return Finding(Outcome.ERROR, "condition_too_long")
        values = values_of(call)
        try:
            if self.when is not None and not self.when.evaluate(values):
                return None
            is_true = self.holds.evaluate(values)
        except ConditionFailed as failed:
            return Finding(Outcome.ERROR, failed.reason)
        if not is_true:
            return Finding(Outcome.VIOLATED, self.reason)
        is_cut = bool(self.holds.reads & _OF_CONVERSATION) and values.turns.is_cut
        return Finding(Outcome.UNCERTAIN, "history_cut") if is_cut else True


def _earliest_stage(reads: frozenset[str]) -> Stage:
    if "tools" in reads:
        return Stage.TOOL_CALL
    return Stage.OUTPUT if "output" in reads else Stage.INPUT


def _refuse_too_early(stage: Stage, reads: frozenset[str]) -> None:
    if stage is Stage.STREAM:
        raise CheckConfigError("a condition reads whole texts, and has no stage 'stream'", "Write 'output'.", "stage")
    unknown = sorted(reads & {"tools", "output"})
    if stage is Stage.INPUT and unknown:
        raise CheckConfigError(f"{unknown[0]!r} is not known at the stage 'input'", "Write 'output'.", "stage")
