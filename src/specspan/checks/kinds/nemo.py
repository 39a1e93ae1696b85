"""Kind ``nemo``: input or output rails of NeMo Guardrails. https://docs.nvidia.com/nemo/guardrails."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import Field

from specspan.call import ModelCall
from specspan.checks.check import Check, CheckConfigError
from specspan.checks.foreign.event_loop import run_coroutine
from specspan.checks.foreign.guardrail_check import GuardrailConfig, guardrail_check
from specspan.checks.foreign.packages import require_distribution
from specspan.checks.foreign.verdict import InvalidVerdict, Verdict, code_of, verdict_from
from specspan.decision import Stage
from specspan.documents.json_schema import hoist_definitions

KIND = "nemo"
REQUIRES = "nemoguardrails"

_TIMEOUT_S = 30.0
_INTERNAL_ERROR = "I'm sorry, an internal error has occurred."
"""Content in which NeMo Guardrails tells that an action failed; the status is as if a rail had blocked the text."""


class NemoConfig(GuardrailConfig):
    """Configuration under ``nemo`` in a policy file; a single string is the ``config``."""

    config: str
    """Folder with their ``config.yml``, or that file, from the working directory."""
    rails: list[str] | None = Field(default=None, min_length=1)
    """The flows to run, such as ``regex check input``; by default all rails of the side in the configuration."""


SCHEMA = hoist_definitions(
    {
        "description": "input or output rails of NeMo Guardrails decide",
        "anyOf": [{"type": "string"}, NemoConfig.model_json_schema()],
        "examples": [{"config": "rails", "stage": "input"}],
    }
)


def build(clause_id: str, configuration: Any) -> Check:
    """Build a check from the configuration under ``nemo`` in a policy file."""
    config = NemoConfig.model_validate({"config": configuration} if isinstance(configuration, str) else configuration)
    package, version = require_distribution("nemoguardrails", "nemoguardrails", KIND)
    if config.stage not in (Stage.INPUT, Stage.OUTPUT):
        raise CheckConfigError("rails are for input and output", "Write one of the two.", "stage")
    try:
        loaded = package.RailsConfig.from_path(str(Path(config.config)))
    except Exception as error:
        problem = f"NeMo Guardrails refuses {config.config!r}: {error}"[:300]
        raise CheckConfigError(problem, "Give a folder that has a config.yml.", "config") from None
    side = loaded.rails.input if config.stage is Stage.INPUT else loaded.rails.output
    if config.rails is not None:
        missing = [flow for flow in config.rails if flow not in side.flows]
        if missing:
            problem = f"{missing[0]!r} is not among the {config.stage.value} rails of {config.config!r}"
            raise CheckConfigError(problem, f"It has {', '.join(side.flows) or 'none'}.", "rails")
        side.flows = config.rails
    if not side.flows:
        raise CheckConfigError(f"{config.config!r} has no {config.stage.value} rails", "Write another stage.", "stage")
    name = f"nemoguardrails/{', '.join(config.rails) if config.rails else config.stage.value}"
    return guardrail_check(_Rails(package, loaded), config, name, version, timeout_s=_TIMEOUT_S)


@dataclass(slots=True)
class _Rails:
    package: Any
    loaded: Any
    _made: Any = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def judge(self, text: str, call: ModelCall, stage: Stage) -> Verdict:
        """Run the rails of one side on a text."""
        options = import_module("nemoguardrails.rails.llm.options")
        asked = [{"role": "user", "content": text if stage is Stage.INPUT else call.input_text}]
        answer = [] if stage is Stage.INPUT else [{"role": "assistant", "content": text}]
        side = options.RailType.INPUT if stage is Stage.INPUT else options.RailType.OUTPUT
        result = run_coroutine(self._rails().check_async([*asked, *answer], rail_types=[side]), _TIMEOUT_S)
        status = getattr(result.status, "value", None)
        if status not in ("passed", "modified", "blocked"):
            raise InvalidVerdict("a status that is not known")
        if status == "blocked" and result.content == _INTERNAL_ERROR:
            raise RuntimeError(f"an action of {result.rail!r} failed")
        masked = result.content if status == "modified" else None  # of a blocked text it is their refusal
        return verdict_from(status == "blocked", text, masked, reason=code_of(result.rail, "rail"))

    def _rails(self) -> Any:
        with self._lock:
            if self._made is None:
                self._made = self.package.LLMRails(self.loaded)
            return self._made
