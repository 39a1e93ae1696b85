"""Kind ``toxicity``: insults, threats and hate, by a model that the policy names."""

from __future__ import annotations

from typing import Any

from specspan.checks.check import Check
from specspan.checks.detectors.classifier_check import ClassifierConfig, classifier_check
from specspan.checks.detectors.detector_check import TextConfig
from specspan.documents.json_schema import hoist_definitions

KIND = "toxicity"


class ToxicityConfig(TextConfig):
    """Configuration under ``toxicity`` in a policy file."""

    model: ClassifierConfig
    """Model that gives texts scores."""


SCHEMA = hoist_definitions(
    {
        **ToxicityConfig.model_json_schema(),
        "description": "insults, threats and hate, by a model that you name",
        "examples": [{"model": {"source": "my_checks:toxicity", "threshold": 0.8}}],
    }
)


def build(clause_id: str, configuration: Any) -> Check:
    """Build a check from the configuration under ``toxicity`` in a policy file."""
    config = ToxicityConfig.model_validate(configuration)
    return classifier_check(config, config.model, KIND)
