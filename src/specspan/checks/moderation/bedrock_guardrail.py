"""Guardrails of Amazon Bedrock. https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ApplyGuardrail.html."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from specspan.checks.foreign.verdict import code_of
from specspan.checks.moderation.assessment import CONFIDENCE, Assessment, ModerationFailed
from specspan.decision import Stage

_POLICIES = (
    ("topicPolicy", "topics", "name", "topic_"),
    ("contentPolicy", "filters", "type", ""),
    ("wordPolicy", "customWords", None, "word"),
    ("wordPolicy", "managedWordLists", "type", "word_"),
    ("sensitiveInformationPolicy", "piiEntities", "type", "pii_"),
    ("sensitiveInformationPolicy", "regexes", "name", "regex_"),
    ("contextualGroundingPolicy", "filters", "type", ""),
)
"""By policy and list in an assessment, the key with the name of what was found, and what our category begins with."""


class BedrockGuardrail:
    """Client of one guardrail, by its id and version."""

    def __init__(
        self, guardrail: str, version: str, region: str | None, endpoint: str | None, timeout_s: float
    ) -> None:
        import botocore.session
        from botocore.config import Config

        self.name = f"bedrock/{guardrail}"
        self._guardrail, self._version = guardrail, version
        config = Config(connect_timeout=timeout_s, read_timeout=timeout_s, retries={"max_attempts": 1})
        session = botocore.session.get_session()
        self._client = session.create_client("bedrock-runtime", region, endpoint_url=endpoint, config=config)

    def assess(self, text: str, stage: Stage) -> Assessment:
        """Have the guardrail applied to a text, as input or as output of a model."""
        answer = self._client.apply_guardrail(
            guardrailIdentifier=self._guardrail,
            guardrailVersion=self._version,
            source="INPUT" if stage is Stage.INPUT else "OUTPUT",
            content=[{"text": {"text": text}}],
        )
        if answer.get("action") not in ("NONE", "GUARDRAIL_INTERVENED"):
            raise ModerationFailed("moderation_nonsense")
        scores: dict[str, float] = {}
        flagged, words, is_masked = set[str](), list[str](), False
        for category, found in _found(answer.get("assessments") or ()):
            confidence = found.get("confidence")
            scores[category] = max(scores.get(category, 0.0), CONFIDENCE.get(confidence, 1.0) if confidence else 1.0)
            if found.get("action") in ("BLOCKED", "ANONYMIZED"):
                flagged.add(category)
            is_masked = is_masked or found.get("action") == "ANONYMIZED"
            words += [found["match"]] if isinstance(found.get("match"), str) else []
        if answer["action"] == "GUARDRAIL_INTERVENED" and not flagged:
            flagged.add("guardrail")
            scores["guardrail"] = 1.0
        outputs = [output.get("text") for output in answer.get("outputs") or ()]
        is_blocked = any(found.get("action") == "BLOCKED" for _, found in _found(answer.get("assessments") or ()))
        masked = outputs[0] if is_masked and not is_blocked and len(outputs) == 1 else None  # else it is its refusal
        return Assessment(scores, frozenset(flagged), masked, tuple(words))


def _found(assessments: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for assessment in assessments:
        for policy, items, key, start in _POLICIES:
            for found in (assessment.get(policy) or {}).get(items) or ():
                name = code_of(found.get(key), "other") if key is not None else ""
                yield f"{start}{name}", found
