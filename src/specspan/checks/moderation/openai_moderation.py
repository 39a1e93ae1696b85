"""OpenAI's moderation endpoint, and services that speak it. https://platform.openai.com/docs/api-reference/moderations."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from specspan.checks.foreign.verdict import code_of
from specspan.checks.moderation.assessment import Assessment, ModerationFailed, as_share, secret_from
from specspan.decision import Stage

MODEL = "omni-moderation-latest"
KEY_VARIABLE = "OPENAI_API_KEY"
CATEGORIES = frozenset(
    (
        "harassment", "harassment_threatening", "hate", "hate_threatening", "illicit", "illicit_violent", "self_harm",
        "self_harm_instructions", "self_harm_intent", "sexual", "sexual_minors", "violence", "violence_graphic",
    )
)  # fmt: skip


class OpenAIModeration:
    """Client of an endpoint that answers as OpenAI's does."""

    def __init__(self, model: str, endpoint: str | None, key_variable: str, timeout_s: float) -> None:
        self.name = f"openai/{model}"
        self._model = model
        key = secret_from(key_variable) if endpoint is None or key_variable != KEY_VARIABLE else "none"
        client = import_module("openai").OpenAI  # found when it is needed: no check depends on a provider
        self._client = client(api_key=key, base_url=endpoint, timeout=timeout_s, max_retries=1)

    def assess(self, text: str, stage: Stage) -> Assessment:
        """Return the scores and flags of all categories."""
        answer = self._client.moderations.create(model=self._model, input=text)
        if len(answer.results) != 1:
            raise ModerationFailed("moderation_nonsense")
        result: dict[str, Any] = answer.results[0].model_dump(by_alias=True)
        scores, flags = result.get("category_scores"), result.get("categories")
        if not isinstance(scores, dict) or not isinstance(flags, dict):
            raise ModerationFailed("moderation_nonsense")
        return Assessment(
            {code_of(name, name): as_share(score) for name, score in scores.items() if score is not None},
            frozenset(code_of(name, name) for name, is_flagged in flags.items() if is_flagged is True),
        )
