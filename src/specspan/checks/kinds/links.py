"""Kind ``links``: the hosts that links and images may lead to, and no data in them."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from specspan.checks.check import Check, CheckConfigError
from specspan.checks.detectors.detector_check import DetectorCheck, DetectorConfig, detector_traits
from specspan.checks.detectors.links import LinkDetector, host_of, read_hosts
from specspan.decision import CheckMechanism, CheckRef
from specspan.documents.json_schema import hoist_definitions

KIND = "links"


class LinksConfig(DetectorConfig):
    """Configuration under ``links`` in a policy file."""

    hosts: list[str] | None = Field(default=None)
    """Hosts that links may lead to; ``*.example.com`` stands for all below it. By default every host."""
    images: list[str] | None = Field(default=[])
    """Hosts that images may come from, which are loaded without a click; by default none. Null for those of links."""
    data: bool = True
    """Whether a link violates that carries sentences or long values to a host that ``hosts`` does not name."""


SCHEMA = hoist_definitions(
    {
        **LinksConfig.model_json_schema(),
        "description": "hosts of links and images; no data that leave in a link",
        "examples": [{"hosts": ["example.com", "*.example.com"], "images": ["cdn.example.com"]}, {"images": []}],
    }
)


def build(clause_id: str, configuration: Any) -> Check:
    """Build a check from the configuration under ``links`` in a policy file."""
    config = LinksConfig.model_validate(configuration if configuration is not None else {})
    for key in ("hosts", "images"):
        for index, host in enumerate(getattr(config, key) or ()):
            if not host_of(f"//{host.removeprefix('*.')}") or "/" in host or ":" in host:
                raise CheckConfigError(
                    f"invalid host {host!r}",
                    "Write a host alone, such as example.com or *.example.com.",
                    f"{key}.{index}",
                )
    detectors = (LinkDetector(read_hosts(config.hosts), read_hosts(config.images), config.data),)
    ref = CheckRef(config.name or KIND, CheckMechanism.PATTERN, config.version)
    return DetectorCheck(ref, detector_traits(config, detectors), detectors)
