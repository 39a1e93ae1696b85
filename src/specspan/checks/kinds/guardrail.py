"""Kind ``guardrail``: a plain function of a text, such as one that calls a guardrail of your own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from specspan.call import ModelCall
from specspan.checks.check import Check, CheckConfigError
from specspan.checks.foreign.guardrail_check import GuardrailConfig, guardrail_check
from specspan.checks.foreign.verdict import InvalidVerdict, Verdict, verdict_from, verdict_from_json
from specspan.decision import Stage
from specspan.documents.json_schema import hoist_definitions

KIND = "guardrail"


class FunctionConfig(GuardrailConfig):
    """Configuration under ``guardrail``; a single string is the ``function``."""

    function: str
    """``package.module:function`` of a function of one text."""


SCHEMA = hoist_definitions(
    {
        "description": "a function of your own that looks at each text: True for what may pass",
        "anyOf": [{"type": "string"}, FunctionConfig.model_json_schema()],
        "examples": [{"function": "my_checks:no_competitors", "stage": "output"}],
    }
)


def build(clause_id: str, configuration: Any) -> Check:
    """Build a check from the configuration under ``guardrail`` in a policy file."""
    given = {"function": configuration} if isinstance(configuration, str) else configuration
    config = FunctionConfig.model_validate(given)
    return guardrail_check(_FunctionGuardrail(_imported(config.function)), config, config.function, "1")


@dataclass(frozen=True, slots=True)
class _FunctionGuardrail:
    function: Callable[[str], Any]

    def judge(self, text: str, call: ModelCall, stage: Stage) -> Verdict:
        """Call the function: True or False, the text as it may go on, or an object as a webhook answers it."""
        answer = self.function(text)
        if isinstance(answer, bool):
            return verdict_from(not answer, text, reason=None if answer else "guardrail")
        if isinstance(answer, str):
            return verdict_from(is_violated=False, text=text, masked=answer)
        if isinstance(answer, dict):
            return verdict_from_json(answer, text, "guardrail")
        raise InvalidVerdict(f"a verdict of the type {type(answer).__name__}")


def _imported(name: str) -> Callable[[str], Any]:
    module_name, _, attribute = name.partition(":")
    try:
        function = getattr(import_module(module_name), attribute)
        if not callable(function):
            raise TypeError(f"{attribute} cannot be called")
    except Exception as error:  # whatever importing somebody else's module raises
        raise CheckConfigError(
            f"guardrail {name!r} could not be imported: {type(error).__name__}: {error}",
            "Give package.module:function of a function of one text that can be imported from here.",
            "function",
        ) from error
    found: Callable[[str], Any] = function
    return found
