"""Versions by which a call was made and decided: what an incident looks for a change in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from specspan.sqlite.clause_calls import ClauseCall

Record = Mapping[str, Any]

FACTORS = ("service version", "spec", "policy", "check", "judge", "model", "SDK")
"""What can change from one call to the next, in the order in which equal changes are listed."""
_JUDGE = "judge"
_DIGEST_LENGTH = 19
"""Characters of a digest that are shown: ``sha256:`` and twelve."""


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """One version of one thing."""

    factor: str
    """One of `FACTORS`."""
    name: str
    """Thing and version in one line, such as ``desk 2.4.1``."""


def versions_of(call: ClauseCall, clause: str) -> frozenset[Version]:
    """Return every version that is on record of a call, as far as it has a bearing on a clause."""
    return frozenset(_versions(call, clause))


def _versions(call: ClauseCall, clause: str) -> Iterator[Version]:
    service = _record(call.shared.get("service"))
    name = _text(service.get("name")) or _text(call.resource.get("service.name"))
    version = _text(service.get("version")) or _text(call.resource.get("service.version"))
    if name and version:
        yield Version("service version", f"{name} {version}")
    for spec in call.policy.get("spec") or call.shared.get("spec") or ():
        label = _text(spec.get("version")) or _text(spec.get("digest"))[:_DIGEST_LENGTH]
        yield Version("spec", f"{_text(spec.get('id'))} {label}")
    if digest := _text(_record(call.shared.get("policy")).get("digest")):
        yield Version("policy", digest[:_DIGEST_LENGTH])
    for assessment in call.policy.get("assessments") or ():
        check = _record(assessment.get("check"))
        if assessment.get("clause") == clause and check:
            factor = "judge" if check.get("kind") == _JUDGE else "check"
            yield Version(factor, f"{_text(check.get('name'))} {_text(check.get('version'))[:_DIGEST_LENGTH]}")
    if call.model:
        yield Version("model", call.model)
    if sdk := _text(call.resource.get("telemetry.sdk.version")):
        yield Version("SDK", f"OpenTelemetry {sdk}")


def _record(value: Any) -> Record:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
