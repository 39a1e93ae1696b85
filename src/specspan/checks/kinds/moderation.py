"""Kind ``moderation``: a moderation service assesses each text, and a clause names the categories that it is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, Literal

from pydantic import Field

from specspan._support.messages import did_you_mean
from specspan._support.signed_posts import is_http_url
from specspan.call import ModelCall
from specspan.checks.check import Check, CheckConfigError
from specspan.checks.detectors.requirements import require
from specspan.checks.foreign.guardrail_check import GuardrailConfig, guardrail_check
from specspan.checks.foreign.verdict import Verdict, spans_of, verdict_from
from specspan.checks.moderation import azure_content_safety, model_armor, openai_moderation
from specspan.checks.moderation.assessment import (
    Assessment,
    ModerationFailed,
    ModerationService,
    SharedService,
    shared_service,
)
from specspan.checks.moderation.azure_content_safety import AzureContentSafety
from specspan.checks.moderation.bedrock_guardrail import BedrockGuardrail
from specspan.checks.moderation.model_armor import ModelArmor
from specspan.checks.moderation.openai_moderation import OpenAIModeration
from specspan.decision import Outcome, Stage
from specspan.documents.json_schema import hoist_definitions

KIND = "moderation"
REQUIRES = "openai"

_TIMEOUT_S = 10.0
Service = Literal["openai", "azure", "bedrock", "google"]
_KNOWN: Mapping[str, frozenset[str]] = {
    "openai": openai_moderation.CATEGORIES,
    "azure": azure_content_safety.CATEGORIES,
    "google": model_armor.CATEGORIES,
}
_PACKAGES = {
    "openai": ("openai", "openai", "openai"),
    "azure": ("azure.ai.contentsafety", "azure-ai-contentsafety", "azure"),
    "bedrock": ("botocore", "botocore", "bedrock"),
    "google": ("google.cloud.modelarmor_v1", "google-cloud-modelarmor", "model-armor"),
}


class ModerationConfig(GuardrailConfig):
    """Configuration under ``moderation`` in a policy file."""

    service: Service
    categories: list[str] | dict[str, Annotated[float, Field(gt=0, le=1)]] | None = None
    """Categories that the clause is about, with the score from which on each counts; without a score, where the service
    itself objects. By default whatever it objects to."""
    endpoint: str | None = None
    """Address of the service; needed for ``azure``, and for a service that speaks OpenAI's API."""
    model: str = openai_moderation.MODEL
    """Model, of ``openai``."""
    key_variable: str | None = None
    """Environment variable with the key, of ``openai`` and ``azure``."""
    blocklists: list[str] = Field(default_factory=list)
    """Names of block lists, of ``azure``."""
    guardrail: str | None = None
    """Id or ARN, of ``bedrock``."""
    guardrail_version: str = "DRAFT"
    region: str | None = None
    """AWS region, of ``bedrock``."""
    template: str | None = None
    """Name, of ``google``: ``projects/P/locations/L/templates/T``."""


SCHEMA = hoist_definitions(
    {
        **ModerationConfig.model_json_schema(),
        "description": "a moderation service assesses each text: OpenAI's, Azure's, Bedrock's or Google's",
        "examples": [
            {"service": "openai", "categories": ["hate", "harassment"], "stage": "output"},
            {"service": "openai", "categories": {"self_harm": 0.3}, "stage": "input"},
        ],
    }
)


def build(clause_id: str, configuration: Any) -> Check:
    """Build a check from the configuration under ``moderation`` in a policy file."""
    config = ModerationConfig.model_validate(configuration)
    module, package, extra = _PACKAGES[config.service]
    require(module, package, f"`moderation` by {config.service}", extra, "service")
    if config.endpoint is not None and not is_http_url(config.endpoint):
        raise CheckConfigError(f"invalid address {config.endpoint!r}", "Write an http:// or https:// URL.", "endpoint")
    thresholds = _thresholds(config)
    shared = _service(config)
    return guardrail_check(_Moderation(shared, thresholds), config, shared.name, "1", timeout_s=2 * _TIMEOUT_S)


@dataclass(frozen=True, slots=True)
class _Moderation:
    service: SharedService
    thresholds: Mapping[str, float | None] | None
    """By category, the score from which on it counts; None where the service decides. None: all categories."""

    def judge(self, text: str, call: ModelCall, stage: Stage) -> Verdict:
        """Have a text assessed, and read the categories of the clause."""
        try:
            found = self.service.assess(text, stage)
            counted = self._counted(found)
        except ModerationFailed as error:
            return Verdict(Outcome.ERROR, str(error))
        if not counted:
            wanted = found.scores if self.thresholds is None else self.thresholds
            return Verdict(Outcome.COMPLIED, score=max((found.scores.get(name, 0.0) for name in wanted), default=None))
        worst = max(counted, key=lambda name: found.scores.get(name, 1.0))
        spans = spans_of(text, found.words)
        score = found.scores.get(worst, 1.0)
        return verdict_from(is_violated=True, text=text, masked=found.masked, reason=worst, score=score, spans=spans)

    def _counted(self, found: Assessment) -> list[str]:
        if self.thresholds is None:
            return sorted(found.flagged)
        counted = []
        for name, threshold in self.thresholds.items():
            if name not in found.scores and name not in found.flagged:
                if self.service.tells_all:
                    raise ModerationFailed("moderation_category_missing")
            elif name in found.flagged if threshold is None else found.scores.get(name, 1.0) >= threshold:
                counted.append(name)
        return counted


def _thresholds(config: ModerationConfig) -> Mapping[str, float | None] | None:
    if config.categories is None:
        return None
    if isinstance(config.categories, dict):
        thresholds: dict[str, float | None] = {**config.categories}
    else:
        thresholds = dict.fromkeys(config.categories)
    known = _KNOWN.get(config.service)
    is_open = known is None or (config.service == "openai" and config.endpoint is not None)
    for name in () if is_open else thresholds:
        if name not in (known or ()):
            remedy = did_you_mean(name, known or (), f"Write some of {', '.join(sorted(known or ()))}.")
            raise CheckConfigError(f"unknown category {name!r}", remedy, "categories")
    return thresholds


def _service(config: ModerationConfig) -> SharedService:
    make: Any
    if config.service == "openai":
        name = f"openai/{config.model}"
        key_variable = config.key_variable or openai_moderation.KEY_VARIABLE
        make = partial(OpenAIModeration, config.model, config.endpoint, key_variable, _TIMEOUT_S)
    elif config.service == "azure":
        name = "azure-content-safety"
        key_variable = config.key_variable or azure_content_safety.KEY_VARIABLE
        endpoint = _required(config, "endpoint")
        make = partial(AzureContentSafety, endpoint, key_variable, _TIMEOUT_S, tuple(config.blocklists))
    elif config.service == "bedrock":
        guardrail = _required(config, "guardrail")
        name = f"bedrock/{guardrail}"
        version = config.guardrail_version
        make = partial(BedrockGuardrail, guardrail, version, config.region, config.endpoint, _TIMEOUT_S)
    else:
        template = _required(config, "template")
        name = f"model-armor/{template.rpartition('/')[2]}"
        make = partial(ModelArmor, template, config.endpoint, _TIMEOUT_S)
    made: partial[ModerationService] = make
    return shared_service((made.func, made.args), name, made, tells_all=config.service != "bedrock")


def _required(config: ModerationConfig, key: str) -> str:
    value: str | None = {"endpoint": config.endpoint, "guardrail": config.guardrail, "template": config.template}[key]
    if not value:
        raise CheckConfigError(f"`moderation` by {config.service} needs {key!r}", f"Give {key!r}.", key)
    return value
