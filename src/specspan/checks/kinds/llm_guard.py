"""Kind ``llm_guard``: a scanner of LLM Guard. https://protectai.github.io/llm-guard."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pydantic import Field

from specspan.call import ModelCall
from specspan.checks.check import Check, CheckConfigError
from specspan.checks.foreign.guardrail_check import GuardrailConfig, guardrail_check
from specspan.checks.foreign.packages import require_distribution
from specspan.checks.foreign.verdict import InvalidVerdict, Verdict, code_of, verdict_from
from specspan.decision import Stage
from specspan.documents.json_schema import hoist_definitions

KIND = "llm_guard"
REQUIRES = "llm_guard"

_TIMEOUT_S = 30.0


class LlmGuardConfig(GuardrailConfig):
    """Configuration under ``llm_guard`` in a policy file."""

    scanner: str
    """Class of an input or output scanner, such as ``BanSubstrings``."""
    arguments: dict[str, Any] = Field(default_factory=dict)
    """Arguments with which it is made, when a call first needs it: models are loaded then."""


SCHEMA = hoist_definitions(
    {
        **LlmGuardConfig.model_json_schema(),
        "description": "a scanner of LLM Guard decides",
        "examples": [{"scanner": "BanSubstrings", "arguments": {"substrings": ["acme"]}, "stage": "output"}],
    }
)


def build(clause_id: str, configuration: Any) -> Check:
    """Build a check from the configuration under ``llm_guard`` in a policy file."""
    config = LlmGuardConfig.model_validate(configuration)
    side = "input" if config.stage is Stage.INPUT else "output"
    scanners, version = require_distribution("llm-guard", f"llm_guard.{side}_scanners", KIND)
    scanner = getattr(scanners, config.scanner, None)
    if not inspect.isclass(scanner):
        raise CheckConfigError(
            f"unknown {side} scanner {config.scanner!r}", "Write the class of one, such as BanSubstrings.", "scanner"
        )
    adapter = _Scanner(partial(scanner, **config.arguments), side, code_of(config.scanner, KIND))
    return guardrail_check(adapter, config, f"llm-guard/{config.scanner}", version, timeout_s=_TIMEOUT_S)


@dataclass(slots=True)
class _Scanner:
    make: Callable[[], Any]
    side: str
    reason: str
    _made: Any = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def judge(self, text: str, call: ModelCall, stage: Stage) -> Verdict:
        """Scan a text; what the scanner hands back in its place is its masking."""
        scan = self._scanner().scan
        answer = scan(text) if self.side == "input" else scan(call.input_text, text)
        if not isinstance(answer, tuple) or len(answer) != 3:
            raise InvalidVerdict("an answer that is not a text, a verdict and a risk")
        masked, is_valid, risk = answer
        score = float(risk) if isinstance(risk, (int, float)) and risk >= 0 else None
        is_violated = not is_valid if isinstance(is_valid, bool) else None
        return verdict_from(is_violated, text, masked, reason=self.reason, score=score)

    def _scanner(self) -> Any:
        with self._lock:
            if self._made is None:
                self._made = self.make()
            return self._made
