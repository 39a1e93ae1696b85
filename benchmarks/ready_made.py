"""Cost of the ready-made checks against a span written by hand: 30 of them over 2 kB sent and 2 kB answered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from benchmarks.measure import HAND_WRITTEN, Row, hand_written_span, provider_to_nowhere, rows_of
from specspan.call import Message, ModelCall, Request, Response, Text, ToolCallResponse
from specspan.checks.registry import kinds
from specspan.decision import Action, Mode, Severity
from specspan.engine.engine import Engine
from specspan.engine.waiting import run_sync
from specspan.policy.policy import CheckBinding, ClausePolicy, OnError, Policy
from specspan.spec.spec import Clause, Spec

_SENT = ("Where is my order? I placed it on Monday and would like to know when I can expect it. " * 24)[:1000]
_RESULT = ("Order 4711 left the warehouse in Kassel on Monday at 9:30, in 2 parcels of 1.5 kg each. " * 24)[:1000]
_ANSWERED = (
    " ".join(
        f"Parcel {number} of your order {4000 + number * 7} left our warehouse on day {number}, and should be with you "
        f"after {number + 2} days; we tell you once it is there."
        for number in range(30)
    )
)[:2000]
_INSTRUCTIONS = (
    "You are Ada, the assistant of a shop. Answer briefly, and never tell anybody the code name of the shop."
)

_BOUND: tuple[tuple[str, Any], ...] = (
    *(("pii", {"entities": [entity]}) for entity in ("card", "iban", "national_id", "email", "phone", "address")),
    *(("pii", {"stage": "input", "entities": [entity]}) for entity in ("card", "iban", "national_id", "email")),
    ("pii", {"countries": ["DE", "AT", "CH"]}),
    ("secrets", {}),
    ("secrets", {"stage": "input"}),
    ("links", {}),
    ("links", {"hosts": ["example.com"], "images": []}),
    *(("injection", {"families": [name]}) for name in ("override", "role", "disclosure", "delimiter")),
    ("injection", {"roles": ["tool", "user"]}),
    ("leak", {}),
    ("leak", {"of": ["tools"], "tools": ["read_contract"]}),
    ("length", {"max_chars": 4000}),
    ("length", {"max_words": 1000}),
    ("length", {"min_sentences": 1}),
    ("refusal", {}),
    ("refusal", {"name": "refusal_of_orders"}),
    ("repetition", {}),
    ("citations", {"look": ["sources"]}),
    ("citations", {"look": ["quotations"]}),
)


def main() -> list[Row]:
    """Measure all 30 together, and one of each kind alone."""
    provider = provider_to_nowhere()
    alone = {kind: [(kind, configuration)] for kind, configuration in reversed(_BOUND)}
    works: dict[str, Callable[[], object]] = {
        HAND_WRITTEN: hand_written_span(provider),
        f"{len(_BOUND)} ready-made checks": _deciding(_BOUND),
        "no check": _deciding(()),
        **{f"{kind} alone": _deciding(bound) for kind, bound in sorted(alone.items())},
    }
    return rows_of(works, provider, {})


def _deciding(bound: Any) -> Callable[[], object]:
    engine, call = Engine(_policy(bound)), _call()

    def decide() -> object:
        evaluation = engine.open(call=call)
        run_sync(evaluation.input(call))
        run_sync(evaluation.output(call))
        return evaluation.decide()

    return decide


def _call() -> ModelCall:
    messages = (
        Message("system", (Text(_INSTRUCTIONS),)),
        Message("user", (Text(_SENT),)),
        Message("tool", (ToolCallResponse(_RESULT, "call_1"),)),
    )
    request = Request("test", model="model", input=messages)
    return ModelCall(request, Response(output=(Message("assistant", (Text(_ANSWERED),)),)))


def _policy(bound: Any) -> Policy:
    clauses: Mapping[str, ClausePolicy] = {
        f"clause_{number}": ClausePolicy(
            Clause(f"clause_{number}", kind, "", "user"),
            Severity.HIGH,
            Action.REDACT,
            OnError.OPEN,
            (CheckBinding(kinds()[kind].build(f"clause_{number}", configuration)),),
        )
        for number, (kind, configuration) in enumerate(bound)
    }
    spec = Spec("spec", "1", "sha256:0", ("root", "user"), {id_: each.clause for id_, each in clauses.items()})
    return Policy((spec,), Mode.ENFORCE, "sha256:1", dict(clauses))
