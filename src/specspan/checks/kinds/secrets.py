"""Kind ``secrets``: keys, tokens, passwords and private keys, by the plug-ins of `detect-secrets`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import Field

from specspan.checks.check import Check
from specspan.checks.detectors.detector_check import DetectorCheck, DetectorConfig, detector_traits
from specspan.checks.detectors.secrets import secret_detectors
from specspan.decision import CheckMechanism, CheckRef
from specspan.documents.json_schema import hoist_definitions

KIND = "secrets"


class SecretsConfig(DetectorConfig):
    """Configuration under ``secrets`` in a policy file."""

    plugins: list[str] | None = Field(default=None, min_length=1)
    """Plug-ins of detect-secrets, such as ``AWSKeyDetector``; by default all but those of addresses of machines."""
    allow: list[str] = Field(default=[])
    """Secrets that may stand there, such as the keys of examples."""


SCHEMA = hoist_definitions(
    {
        **SecretsConfig.model_json_schema(),
        "description": "keys, tokens, passwords and private keys",
        "examples": [{"stage": "output"}, {"plugins": ["AWSKeyDetector", "PrivateKeyDetector"]}],
    }
)


def build(clause_id: str, configuration: Any) -> Check:
    """Build a check from the configuration under ``secrets`` in a policy file."""
    config = SecretsConfig.model_validate(configuration if configuration is not None else {})
    detectors = tuple(secret_detectors(config.plugins))
    ref = CheckRef(config.name or KIND, CheckMechanism.PATTERN, config.version)
    return DetectorCheck(ref, detector_traits(config, detectors), detectors, Allowed(tuple(config.allow)))


@dataclass(frozen=True, slots=True)
class Allowed:
    """Secrets that may stand in a text."""

    values: tuple[str, ...]

    def __call__(self, matched: str, label: str, /, *, may_grow: bool) -> bool:
        """Return whether a match holds an allowed secret, or may still become one."""
        return any(each in matched or (may_grow and each.startswith(matched)) for each in self.values)
