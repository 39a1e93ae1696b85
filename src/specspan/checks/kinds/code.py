"""``code``: a function of your own decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from specspan._support.messages import did_you_mean
from specspan.call import ModelCall
from specspan.checks import registry as code
from specspan.checks.check import Check, CheckConfigError, TextAt
from specspan.decision import CheckKind, CheckRef, Finding, Stage
from specspan.documents.json_schema import hoisted

KIND = "code"


class CodeConfig(BaseModel):
    """What a policy file says under ``code``; a single string is the ``name``.

    What it leaves out is as the registration says.
    """

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    name: str
    """Name given to `specspan.check`, or ``package.module:function``."""
    stage: Stage | None = Field(default=None, strict=False)
    timeout_s: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Time the function may take; null runs it on the caller's thread, unlimited."""
    version: str | None = None


_REGISTER = (
    "Import the module that registers it with @specspan.check before the policy is loaded (on the command line, with "
    "--import), or name the function as package.module:function."
)

SCHEMA = hoisted(
    {
        "description": "a function of your own, by its @specspan.check name or where it is",
        "anyOf": [{"type": "string"}, CodeConfig.model_json_schema()],
        "examples": [{"name": "my_checks:no_account_numbers", "stage": "output", "timeout_s": 0.5}],
    }
)


def build(clause_id: str, configuration: Any) -> Check:
    """A check from what a policy file says under ``code``."""
    config = CodeConfig.model_validate({"name": configuration} if isinstance(configuration, str) else configuration)
    found = code.registered().get(config.name) or _found(config.name)
    return FunctionCheck(
        CheckRef(found.name, CheckKind.CODE, config.version or found.version),
        config.stage or found.stage,
        config.timeout_s if "timeout_s" in config.model_fields_set else found.timeout_s,
        found.function,
    )


@dataclass(frozen=True, slots=True)
class FunctionCheck:
    """Asks one function."""

    ref: CheckRef
    stage: Stage
    timeout_s: float | None
    of_call: code.CheckFunction
    """What decides. The engine calls it without going through `decide`, which saves a tenth of a microsecond each."""

    @property
    def prefilter(self) -> tuple[str, ...]:
        """None: what the function looks for is its own affair."""
        return ()

    def reads(self, text: TextAt) -> bool:
        """Every text."""
        return True

    def decide(self, call: ModelCall, texts: Sequence[TextAt]) -> Finding | bool | None:
        """What the function says of the whole call."""
        return self.of_call(call)


def _found(name: str) -> code.CodeCheck:
    if ":" in name:
        return _imported(name)
    remedy = did_you_mean(name, code.registered(), _REGISTER)
    raise CheckConfigError(f"no check is registered under {name!r}", remedy, "name")


def _imported(name: str) -> code.CodeCheck:
    module_name, _, attribute = name.partition(":")
    try:
        found: Any = import_module(module_name)
        for step in attribute.split("."):
            found = getattr(found, step)
        code.refuse_unusable(name, found)
    except Exception as error:  # whatever importing somebody else's module raises
        raise CheckConfigError(
            f"check {name!r} could not be imported: {type(error).__name__}: {error}",
            "Give package.module:function of a plain function of one ModelCall that can be imported from here.",
            "name",
        ) from error
    for registered in code.registered().values():
        if registered.function is found:
            return registered
    return code.CodeCheck(name, found)
