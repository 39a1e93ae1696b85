"""``scope``: whether the model's tool calls are within the scope of autonomy of the work they belong to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from pydantic import BaseModel, ConfigDict

from specspan.call import CallContext, ModelCall, ToolCall
from specspan.checks.check import Check, TextAt
from specspan.checks.tool_calls import OfToolCalls, decided, out_of_scope
from specspan.decision import CheckKind, CheckRef, Finding
from specspan.scope.rules import Trust

KIND = "scope"


class ScopeConfig(BaseModel):
    """What a policy file says under ``scope``."""

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
    """A check from what a policy file says under ``scope``."""
    config = ScopeConfig.model_validate(configuration if configuration is not None else {})
    return WithinScope(CheckRef(KIND, CheckKind.CODE, config.version), config.require)


@dataclass(frozen=True, slots=True)
class WithinScope(OfToolCalls):
    """Violated by the first tool call that the scope in force does not allow; every such call is evidence."""

    require: bool

    def decide(self, call: ModelCall, texts: Sequence[TextAt]) -> Finding | bool | None:
        """Look at every tool call of the answer. Without a scope there is nothing to keep to."""
        context = call.context
        if self.require:
            return decided(call, texts, partial(_not_allowed, context))
        if context.scope is None and context.standing is None:
            return None
        return decided(call, texts, partial(out_of_scope, context))


def _not_allowed(context: CallContext, tool: ToolCall) -> str | None:
    standing = context.standing
    if standing is None:
        return "scope_missing"
    if not standing.trust.counts:
        return "scope_expired" if standing.trust is Trust.EXPIRED else "scope_untrusted"
    return out_of_scope(context, tool)
