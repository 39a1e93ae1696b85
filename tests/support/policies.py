"""Small specs, policies and calls for tests of what stands on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from specspan.call import Message, ModelCall, Part, Request, Response, Text, ToolCall
from specspan.checks.check import Check, CheckTraits, PartialFindings, TextAt
from specspan.checks.kinds.pattern import build
from specspan.decision import Action, CheckMechanism, CheckRef, Mode, Override, Severity, Stage
from specspan.policy.policy import CheckBinding, ClausePolicy, OnError, Policy
from specspan.spec.spec import Clause, Spec

LADDER = ("root", "system", "developer", "user", "guideline")


@dataclass(frozen=True)
class Code:
    """A check that asks a function of the call and the texts."""

    decide: Callable[[ModelCall, Sequence[TextAt]], Any]
    stage: Stage = Stage.OUTPUT
    timeout_s: float | None = None
    ref: CheckRef = field(default=CheckRef("code", CheckMechanism.CODE))
    prefilter: tuple[str, ...] = ()
    roles: frozenset[str] | None = None
    finds_in_part: PartialFindings = PartialFindings.NONE

    @property
    def traits(self) -> CheckTraits:
        return CheckTraits(
            self.stage,
            prefilter=self.prefilter,
            reads_roles=self.roles,
            finds_in_part=self.finds_in_part,
            timeout_s=self.timeout_s,
        )


def says(answer: Any, stage: Stage = Stage.OUTPUT, name: str = "code", timeout_s: float | None = None) -> Check:
    """A check that always gives the same answer, or raises it."""

    def decide(call: ModelCall, texts: Sequence[TextAt]) -> Any:
        if isinstance(answer, BaseException):
            raise answer
        return answer

    return Code(decide, stage, timeout_s, CheckRef(name, CheckMechanism.CODE))


def pattern(*patterns: str, stage: Stage = Stage.OUTPUT, reason: str | None = None) -> Check:
    """A pattern check as a policy file would make it."""
    return build("clause", {"any": list(patterns), "stage": stage.value, "reason": reason})


def bound(
    id_: str,
    *checks: Check | CheckBinding,
    authority: str = "user",
    severity: Severity = Severity.MEDIUM,
    action: Action = Action.FLAG,
    on_error: OnError = OnError.OPEN,
    replacement: str = "",
) -> ClausePolicy:
    """A clause and what is done about it."""
    clause = Clause(id_, id_.title(), "…", authority)
    bindings = tuple(each if isinstance(each, CheckBinding) else CheckBinding(each) for each in checks)
    return ClausePolicy(clause, severity, action, on_error, bindings, replacement)


def policy(
    *clauses: ClausePolicy, mode: Mode = Mode.ENFORCE, overrides: Sequence[Override] = (), silent: int = 0
) -> Policy:
    """A policy over a spec of just these clauses and ``silent`` ones that it does not name."""
    named = {each.clause.id: each.clause for each in clauses}
    unnamed = {id_: Clause(id_, id_, "…", "guideline") for id_ in (f"silent_{number}" for number in range(silent))}
    spec = Spec("test_spec", "1", "sha256:spec", LADDER, {**named, **unnamed})
    return Policy((spec,), mode, "sha256:policy", {each.clause.id: each for each in clauses}, tuple(overrides))


def asked(question: str = "hello", *, streaming: bool = False) -> ModelCall:
    """A call before its answer."""
    messages = (Message("user", (Text(question),)),)
    return ModelCall(Request("test", model="model", input=messages, streaming=streaming))


def answered(
    *texts: str, question: str = "hello", tools: Sequence[ToolCall] = (), streaming: bool = False
) -> ModelCall:
    """A call with its answer: one message whose parts are ``texts``, then ``tools``."""
    parts: tuple[Part, ...] = (*(Text(text) for text in texts), *tools)
    return ModelCall(asked(question, streaming=streaming).request, Response(output=(Message("assistant", parts),)))
