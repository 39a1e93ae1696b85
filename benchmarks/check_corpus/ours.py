"""Ready-made checks over the corpus: which entities they find in each text."""

from __future__ import annotations

from collections.abc import Callable

from specspan.call import Message, ModelCall, Request, Response, Text, ToolCallResponse
from specspan.checks.check import Check, as_finding
from specspan.checks.registry import kinds
from specspan.checks.texts import texts
from specspan.decision import Outcome

_PII = ("card", "iban", "national_id", "email", "phone", "address")
Find = Callable[[str], frozenset[str]]


def checks() -> dict[str, Find]:
    """Return, by entity, a function that says whether a check finds it in a text."""
    found: dict[str, Find] = {entity: _finder(entity, "pii", {"entities": [entity]}) for entity in _PII}
    found["secret"] = _finder("secret", "secrets", {})
    found["injection"] = _finder("injection", "injection", {})
    found["refusal"] = _finder("refusal", "refusal", {})
    return found


def _finder(entity: str, kind: str, configuration: dict[str, object]) -> Find:
    check = kinds()[kind].build("clause", configuration)

    def find(text: str) -> frozenset[str]:
        return frozenset((entity,)) if _is_violated(check, text) else frozenset()

    return find


def _is_violated(check: Check, text: str) -> bool:
    call = ModelCall(
        Request("test", input=(Message("tool", (ToolCallResponse(text),)),)),
        Response(output=(Message("assistant", (Text(text),)),)),
    )
    read = [each for each in texts(call, check.traits.stage) if check.traits.reads(each.role)]
    return as_finding(check.decide(call, read)).outcome is Outcome.VIOLATED
