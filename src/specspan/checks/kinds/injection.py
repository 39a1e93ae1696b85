"""Kind ``injection``: instructions in content that nobody should take instructions from."""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, get_args

from pydantic import Field

from specspan.checks.check import Check
from specspan.checks.detectors.classifier_check import ClassifierConfig, classifier_check
from specspan.checks.detectors.detector_check import DetectorCheck, DetectorConfig, detector_traits
from specspan.checks.detectors.injection_rules import families_version, injection_detectors
from specspan.decision import CheckMechanism, CheckRef, Stage
from specspan.documents.json_schema import hoist_definitions

KIND = "injection"

Name: TypeAlias = Literal["override", "role", "disclosure", "delimiter", "concealment", "action"]


class InjectionConfig(DetectorConfig):
    """Configuration under ``injection`` in a policy file."""

    stage: Stage = Field(default=Stage.INPUT, strict=False)
    roles: list[str] | None = Field(default=["tool"], min_length=1)
    """Roles of the messages to read; by default those of tools, whose results nobody vouches for."""
    normalise: bool = True
    """Read the texts also without invisible characters and marks, in NFKC, and with look-alikes as ASCII."""
    families: list[Name] = Field(default=[*get_args(Name)], min_length=1)
    """Families of rules that look."""
    model: ClassifierConfig | None = None
    """Model that looks besides, and which reads what the rules let pass."""


SCHEMA = hoist_definitions(
    {
        **InjectionConfig.model_json_schema(),
        "description": "instructions in the results of tools and in documents",
        "examples": [{"families": ["override", "delimiter", "concealment"]}, {"roles": ["tool", "user"]}],
    }
)


def build(clause_id: str, configuration: Any) -> Check:
    """Build a check from the configuration under ``injection`` in a policy file."""
    config = InjectionConfig.model_validate(configuration if configuration is not None else {})
    detectors = injection_detectors(config.families)
    version = f"{config.version}+{families_version(config.families)}"
    rules = DetectorCheck(
        CheckRef(config.name or KIND, CheckMechanism.PATTERN, version), detector_traits(config, detectors), detectors
    )
    return rules if config.model is None else classifier_check(config, config.model, KIND, rules)
