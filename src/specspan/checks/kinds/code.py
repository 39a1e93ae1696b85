"""Kind ``code``: a function of the application's own decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from specspan._support.messages import did_you_mean
from specspan.call import ModelCall
from specspan.checks.check import Check, CheckConfigError, CheckFunction, CheckResult, CheckTraits, TextAt
from specspan.checks.registry import RegisteredFunction, registered_functions, require_plain_function
from specspan.decision import CheckMechanism, CheckRef, Stage
from specspan.documents.json_schema import hoist_definitions

KIND = "code"


class CodeConfig(BaseModel):
    """Configuration under ``code``; a single string is the ``name``.

    Keys that are left out have the values of the registration.
    """

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    name: str
    """Name given to `specspan.check`, or ``package.module:function``."""
    stage: Stage | None = Field(default=None, strict=False)
    timeout_s: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Seconds the function may take; null runs it on the caller's thread, without a limit."""
    version: str | None = None


_REGISTER = (
    "Import the module that registers it with @specspan.check before the policy is loaded (on the command line, with "
    "--import), or name the function as package.module:function."
)

SCHEMA = hoist_definitions(
    {
        "description": "a function of your own, by its @specspan.check name or where it is",
        "anyOf": [{"type": "string"}, CodeConfig.model_json_schema()],
        "examples": [{"name": "my_checks:no_account_numbers", "stage": "output", "timeout_s": 0.5}],
    }
)


def build(clause_id: str, configuration: Any) -> Check:
    """Build a check from the configuration under ``code`` in a policy file."""
    config = CodeConfig.model_validate({"name": configuration} if isinstance(configuration, str) else configuration)
    registered = registered_functions().get(config.name) or _resolve(config.name)
    return FunctionCheck(
        CheckRef(registered.name, CheckMechanism.CODE, config.version or registered.version),
        CheckTraits(
            config.stage or registered.stage,
            timeout_s=config.timeout_s if "timeout_s" in config.model_fields_set else registered.timeout_s,
            decide_call=registered.function,
        ),
        registered.function,
    )


@dataclass(frozen=True, slots=True)
class FunctionCheck:
    """Check that calls one function with the whole call."""

    ref: CheckRef
    traits: CheckTraits
    function: CheckFunction

    def decide(self, call: ModelCall, texts: Sequence[TextAt]) -> CheckResult:
        """Return what the function returns for the whole call."""
        return self.function(call)


def _resolve(name: str) -> RegisteredFunction:
    if ":" in name:
        return _import_function(name)
    remedy = did_you_mean(name, registered_functions(), _REGISTER)
    raise CheckConfigError(f"no check is registered under {name!r}", remedy, "name")


def _import_function(name: str) -> RegisteredFunction:
    module_name, _, attribute = name.partition(":")
    try:
        function: Any = import_module(module_name)
        for step in attribute.split("."):
            function = getattr(function, step)
        require_plain_function(name, function)
    except Exception as error:  # whatever importing somebody else's module raises
        raise CheckConfigError(
            f"check {name!r} could not be imported: {type(error).__name__}: {error}",
            "Give package.module:function of a plain function of one ModelCall that can be imported from here.",
            "name",
        ) from error
    for registered in registered_functions().values():
        if registered.function is function:
            return registered
    return RegisteredFunction(name, function)
