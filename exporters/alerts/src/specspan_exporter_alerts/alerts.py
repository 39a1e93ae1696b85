"""Alerts made from decision records. Pure. An alert names a clause and a service, and holds no content."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

VIOLATED = "violated"
OVERRIDE_REFUSED = "override_refused"


@dataclass(frozen=True, slots=True)
class Alert:
    """Violation, or refused override, of one clause in one service."""

    kind: str
    """``violated`` or ``override_refused``."""
    clause: str
    service: str
    severity: str
    authority: str
    spec_version: str
    reason: str
    action: str
    """Action that was taken on the call."""
    mode: str
    time_unix_nano: int
    decision_id: str
    trace_id: str

    @property
    def key(self) -> tuple[str, str, str]:
        """Key that repeats of one alert share."""
        return self.kind, self.clause, self.service


def alerts_of(record: Mapping[str, Any]) -> Iterator[Alert]:
    """Yield the alerts of a decision record, each clause once; none for other records."""
    if record.get("type") != "decision":
        return
    seen = set()
    for kind, cause in _causes(record):
        if (kind, cause["clause"]) not in seen:
            seen.add((kind, cause["clause"]))
            yield _alert(record, kind, cause)


def _causes(record: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for finding in record.get("findings") or ():
        if finding.get("outcome") == "violated":
            yield VIOLATED, finding
    for override in record.get("overrides") or ():
        if not override.get("granted"):
            yield OVERRIDE_REFUSED, {"clause": override["clause"], "reason": override.get("refusal")}


def _alert(record: Mapping[str, Any], kind: str, cause: Mapping[str, Any]) -> Alert:
    versions = (spec.get("version") or spec.get("id") for spec in record.get("spec") or ())
    return Alert(
        kind=kind,
        clause=cause["clause"],
        service=(record.get("service") or {}).get("name") or "unknown_service",
        severity=cause.get("severity") or "medium",
        authority=cause.get("authority") or "",
        spec_version=" ".join(str(version) for version in versions),
        reason=cause.get("reason") or "",
        action=record.get("action") or "",
        mode=record.get("mode") or "",
        time_unix_nano=record.get("time_unix_nano") or 0,
        decision_id=record.get("id") or "",
        trace_id=record.get("trace_id") or "",
    )
