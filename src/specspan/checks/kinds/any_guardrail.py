"""Kind ``any_guardrail``: a guardrail behind Mozilla's any-guardrail. https://github.com/mozilla-ai/any-guardrail."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from specspan._support.messages import did_you_mean
from specspan.call import ModelCall
from specspan.checks.check import Check, CheckConfigError
from specspan.checks.foreign.guardrail_check import GuardrailConfig, guardrail_check
from specspan.checks.foreign.packages import require_distribution
from specspan.checks.foreign.verdict import InvalidVerdict, Verdict, code_of, valid_spans, verdict_from
from specspan.decision import Stage
from specspan.documents.json_schema import hoist_definitions

KIND = "any_guardrail"
REQUIRES = "any_guardrail"

_TIMEOUT_S = 30.0


class AnyGuardrailConfig(GuardrailConfig):
    """Configuration under ``any_guardrail`` in a policy file."""

    guardrail: str
    """Its name, such as ``any_llm`` or ``llama_guard``."""
    create: dict[str, Any] = Field(default_factory=dict)
    """Arguments with which it is made, when a call first needs it: models are loaded then."""
    validate_with: dict[str, Any] = Field(default_factory=dict)
    """Arguments of each validation beside the text, such as ``policy``."""


SCHEMA = hoist_definitions(
    {
        **AnyGuardrailConfig.model_json_schema(),
        "description": "a guardrail behind any-guardrail decides",
        "examples": [{"guardrail": "any_llm", "validate_with": {"policy": "Name no competitor."}}],
    }
)


def build(clause_id: str, configuration: Any) -> Check:
    """Build a check from the configuration under ``any_guardrail`` in a policy file."""
    config = AnyGuardrailConfig.model_validate(configuration)
    package, version = require_distribution("any-guardrail", "any_guardrail", KIND)
    names = {name.value: name for name in package.GuardrailName}
    if config.guardrail not in names:
        remedy = did_you_mean(config.guardrail, names, f"any-guardrail has {', '.join(sorted(names))}.")
        raise CheckConfigError(f"unknown guardrail {config.guardrail!r}", remedy, "guardrail")
    adapter = _AnyGuardrail(package.AnyGuardrail, names[config.guardrail], config, code_of(config.guardrail, KIND))
    return guardrail_check(adapter, config, f"any-guardrail/{config.guardrail}", version, timeout_s=_TIMEOUT_S)


@dataclass(slots=True)
class _AnyGuardrail:
    factory: Any
    name: Any
    config: AnyGuardrailConfig
    reason: str
    _made: Any = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def judge(self, text: str, call: ModelCall, stage: Stage) -> Verdict:
        """Validate a text; an answer of a model that could not be read is nonsense, although theirs then objects."""
        output = self._guardrail().validate(text, **self.config.validate_with)
        if (output.extra or {}).get("parse_failure"):
            raise InvalidVerdict("a model's answer that could not be read")
        spans = [(each.start, each.end) for each in output.spans or ()]
        score = output.score if isinstance(output.score, float) else None
        is_violated = not output.valid if isinstance(output.valid, bool) else None
        return verdict_from(
            is_violated, text, output.modified_text, reason=self.reason, score=score, spans=valid_spans(text, spans)
        )

    def _guardrail(self) -> Any:
        with self._lock:
            if self._made is None:
                self._made = self.factory.create(self.name, **self.config.create)
            return self._made
