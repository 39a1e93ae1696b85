"""Kind ``openai_guardrails``: a guardrail of OpenAI Guardrails. https://openai.github.io/openai-guardrails-python."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from pydantic import Field

from specspan.call import ModelCall
from specspan.checks.check import Check, CheckConfigError
from specspan.checks.conversations.turns import earlier_turns, text_of
from specspan.checks.foreign.event_loop import run_coroutine
from specspan.checks.foreign.guardrail_check import GuardrailConfig, guardrail_check
from specspan.checks.foreign.packages import require_distribution, resolve
from specspan.checks.foreign.verdict import Verdict, code_of, spans_of, verdict_from
from specspan.decision import Stage
from specspan.documents.json_schema import hoist_definitions

KIND = "openai_guardrails"
REQUIRES = "guardrails"

_TIMEOUT_S = 30.0
_FOUND = ("matched", "blocked", "detected_secrets")
"""Members of a result with words of the text; ``detected_entities`` has them by type."""


class OpenAIGuardrailConfig(GuardrailConfig):
    """Configuration under ``openai_guardrails`` in a policy file."""

    guardrail: str
    """Name in their registry, such as ``Keyword Filter``."""
    config: dict[str, Any] = Field(default_factory=dict)
    """Their configuration of it."""
    client: str | None = None
    """``package.module:name`` of an ``openai.AsyncOpenAI``, for guardrails that ask a model; by default one is made
    from the environment."""


SCHEMA = hoist_definitions(
    {
        **OpenAIGuardrailConfig.model_json_schema(),
        "description": "a guardrail of OpenAI Guardrails decides",
        "examples": [{"guardrail": "Keyword Filter", "config": {"keywords": ["confidential"]}}],
    }
)


def build(clause_id: str, configuration: Any) -> Check:
    """Build a check from the configuration under ``openai_guardrails`` in a policy file."""
    config = OpenAIGuardrailConfig.model_validate(configuration)
    runtime, version = require_distribution("openai-guardrails", "guardrails.runtime", KIND)
    package, _ = require_distribution("openai-guardrails", "guardrails", KIND)
    try:
        bundle = runtime.load_config_bundle({"guardrails": [{"name": config.guardrail, "config": config.config}]})
        (guardrail,) = runtime.instantiate_guardrails(bundle, package.default_spec_registry)
    except Exception as error:
        problem = f"OpenAI Guardrails refuses {config.guardrail!r}: {error}"[:300]
        raise CheckConfigError(problem, "Give the name and the config of one of its guardrails.", "guardrail") from None
    client = None if config.client is None else resolve(config.client, "client")
    adapter = _OpenAIGuardrail(guardrail, _Client(client), code_of(config.guardrail, KIND))
    return guardrail_check(adapter, config, f"openai-guardrails/{config.guardrail}", version, timeout_s=_TIMEOUT_S)


class _Client:
    """Client that is made when a guardrail first asks for it."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def get(self) -> Any:
        """Return the client, made from the environment where none was given."""
        if self._client is None:
            self._client = import_module("openai").AsyncOpenAI()
        return self._client


class _Context:
    """Context as their guardrails expect one: a client and the conversation."""

    def __init__(self, client: _Client, call: ModelCall) -> None:
        self._client, self._call = client, call

    @property
    def guardrail_llm(self) -> Any:
        """Client of the guardrails that ask a model."""
        return self._client.get()

    def get_conversation_history(self) -> list[dict[str, str]]:
        """Return the messages that the request sends, as copies."""
        messages = earlier_turns(self._call).messages
        return [{"role": message.role, "content": text_of(message)} for message in messages]


@dataclass(frozen=True, slots=True)
class _OpenAIGuardrail:
    guardrail: Any
    client: _Client
    reason: str

    def judge(self, text: str, call: ModelCall, stage: Stage) -> Verdict:
        """Run the guardrail; one that says itself that it failed has failed."""
        result = run_coroutine(self.guardrail.run(_Context(self.client, call), text), _TIMEOUT_S)
        if result.execution_failed:
            raise RuntimeError(f"it failed: {type(result.original_exception).__name__}")
        info: Mapping[str, Any] = result.info
        score = info.get("confidence")
        return verdict_from(
            result.tripwire_triggered,
            text,
            info.get("checked_text"),
            reason=self.reason,
            score=score if isinstance(score, float) else None,
            spans=spans_of(text, _words(info)),
        )


def _words(info: Mapping[str, Any]) -> list[Any]:
    words = [word for member in _FOUND for word in info.get(member) or ()]
    entities = info.get("detected_entities") or {}
    return [*words, *(word for found in entities.values() for word in found)]
