"""Google Cloud's Model Armor. https://cloud.google.com/security-command-center/docs/model-armor-overview."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from specspan.checks.moderation.assessment import CONFIDENCE, Assessment
from specspan.decision import Stage

CATEGORIES = frozenset(
    (
        "sexually_explicit", "hate_speech", "harassment", "dangerous", "pi_and_jailbreak", "malicious_uris", "csam",
        "sdp", "virus_scan",
    )
)  # fmt: skip
_FILTERS = {
    "pi_and_jailbreak": "pi_and_jailbreak_filter_result",
    "malicious_uris": "malicious_uri_filter_result",
    "csam": "csam_filter_filter_result",
    "virus_scan": "virus_scan_filter_result",
}


class ModelArmor:
    """Client of one template, by its name."""

    def __init__(self, template: str, endpoint: str | None, timeout_s: float) -> None:
        from google.cloud import modelarmor_v1

        self.name = f"model-armor/{template.rpartition('/')[2]}"
        self._armor = modelarmor_v1
        self._template, self._timeout_s = template, timeout_s
        self._client = modelarmor_v1.ModelArmorClient(transport=_transport(template, endpoint))

    def assess(self, text: str, stage: Stage) -> Assessment:
        """Have a prompt or an answer sanitised."""
        armor, data = self._armor, self._armor.DataItem(text=text)
        if stage is Stage.INPUT:
            prompt = armor.SanitizeUserPromptRequest(name=self._template, user_prompt_data=data)
            result = self._client.sanitize_user_prompt(prompt, timeout=self._timeout_s).sanitization_result
        else:
            answer = armor.SanitizeModelResponseRequest(name=self._template, model_response_data=data)
            result = self._client.sanitize_model_response(answer, timeout=self._timeout_s).sanitization_result
        found = {name: (is_match, score) for name, is_match, score in _matches(result.filter_results)}
        scores = {name: score for name, (_, score) in found.items()}
        flagged = frozenset(name for name, (is_match, _) in found.items() if is_match)
        return Assessment(scores, flagged, _masked(result.filter_results) if "sdp" in flagged else None)


def _matches(results: Any) -> Iterator[tuple[str, bool, float]]:
    """Yield each filter that was carried out: its name, whether it matched, and how confidently."""
    for found in results.values():
        rai = found.rai_filter_result
        for name, each in rai.rai_filter_type_results.items() if _is_done(rai) else ():
            yield str(name), *_match(each)
        for name, field in _FILTERS.items():
            if field in found and _is_done(getattr(found, field)):
                yield name, *_match(getattr(found, field))
        for field in ("inspect_result", "deidentify_result", "redact_result"):
            if "sdp_filter_result" in found and field in found.sdp_filter_result:
                result = getattr(found.sdp_filter_result, field)
                if _is_done(result):
                    yield "sdp", *_match(result)


def _is_done(result: Any) -> bool:
    return bool(result.execution_state.name == "EXECUTION_SUCCESS")


def _match(result: Any) -> tuple[bool, float]:
    is_match = result.match_state.name == "MATCH_FOUND"
    level = getattr(result, "confidence_level", None)
    words = {"LOW_AND_ABOVE": "LOW", "MEDIUM_AND_ABOVE": "MEDIUM", "HIGH": "HIGH"}
    score = CONFIDENCE.get(words.get(level.name, ""), 1.0) if level is not None else 1.0
    return is_match, score if is_match else 0.0


def _masked(results: Any) -> str | None:
    for found in results.values():
        if "sdp_filter_result" in found and "deidentify_result" in found.sdp_filter_result:
            text = found.sdp_filter_result.deidentify_result.data.text
            return str(text) or None
    return None


def _transport(template: str, endpoint: str | None) -> Any:
    from google.cloud.modelarmor_v1.services.model_armor.transports.rest import ModelArmorRestTransport

    if endpoint is None:  # a template is served where it lives
        location = template.partition("/locations/")[2].partition("/")[0]
        return ModelArmorRestTransport(host=f"modelarmor.{location}.rep.googleapis.com")
    from google.auth.credentials import AnonymousCredentials

    credentials: Any = AnonymousCredentials()  # type: ignore[no-untyped-call]
    scheme, _, host = endpoint.partition("://")
    return ModelArmorRestTransport(host=host.rstrip("/"), url_scheme=scheme, credentials=credentials)
