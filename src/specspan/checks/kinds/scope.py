"""Kind ``scope``: tool calls must stay within the scope of autonomy of the work they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import BaseModel, ConfigDict

from specspan.call import CallContext, ModelCall, Side, ToolCall
from specspan.checks.check import Check, CheckResult, CheckTraits, TextAt
from specspan.checks.tool_calls import check_tool_calls, out_of_scope, tool_call_traits
from specspan.decision import CheckMechanism, CheckRef
from specspan.scope.narrowing import Trust

KIND = "scope"


class ScopeConfig(BaseModel):
    """Configuration of a check under ``scope``."""

    model_config = ConfigDict(strict=True, extra="forbid")

    require: bool = False
    """No tool may be called without a scope that this process declared, or that arrived with a valid signature."""
    version: str = "1"


SCHEMA = {
    **ScopeConfig.model_json_schema(),
    "description": "tool calls keep to the scope of autonomy that the application declared, or that arrived",
    "examples": [{}, {"require": True}],
}


def build(clause_id: str, configuration: Any) -> Check:
    """Build a check from the configuration under ``scope`` in a policy file."""
    config = ScopeConfig.model_validate(configuration if configuration is not None else {})
    return ScopeCheck(
        CheckRef(KIND, CheckMechanism.CODE, config.version),
        tool_call_traits(Side.TOOL_CALLS, Side.ARGUMENTS),
        config.require,
    )


@dataclass(frozen=True, slots=True)
class ScopeCheck:
    """Check that every tool call is allowed by the scope of autonomy in force."""

    ref: CheckRef
    traits: CheckTraits
    requires_scope: bool

    def decide(self, call: ModelCall, texts: Sequence[TextAt]) -> CheckResult:
        """Check every tool call of the answer; without a scope and a need for one, the clause is not applicable."""
        context = call.context
        if self.requires_scope:
            return check_tool_calls(call, texts, partial(_violation_of_required_scope, context))
        if context.scope is None and context.standing is None:
            return None
        return check_tool_calls(call, texts, partial(out_of_scope, context))


def _violation_of_required_scope(context: CallContext, tool: ToolCall) -> str | None:
    standing = context.standing
    if standing is None:
        return "scope_missing"
    if not standing.trust.is_trusted:
        return "scope_expired" if standing.trust is Trust.EXPIRED else "scope_untrusted"
    return out_of_scope(context, tool)
