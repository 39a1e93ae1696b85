"""From decision records to alerts: pure. An alert names a clause and a service, never what was said."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

VIOLATED = "violated"
OVERRIDE_REFUSED = "override_refused"


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing that somebody should hear of."""

    kind: str
    """``violated`` or ``override_refused``."""
    clause: str
    service: str
    severity: str
    authority: str
    spec_version: str
    reason: str
    action: str
    """What was done about the call."""
    mode: str
    time_unix_nano: int
    decision_id: str
    trace_id: str

    @property
    def about(self) -> tuple[str, str, str]:
        """Alerts with one of these are one alert."""
        return self.kind, self.clause, self.service


def of_record(record: Mapping[str, Any]) -> Iterator[Alert]:
    """The alerts of one record, each clause once; none of records that are no decisions."""
    if record.get("type") != "decision":
        return
    seen = set()
    for kind, found in _found(record):
        if (kind, found["clause"]) not in seen:
            seen.add((kind, found["clause"]))
            yield _alert(record, kind, found)


def _found(record: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for finding in record.get("findings") or ():
        if finding.get("outcome") == "violated":
            yield VIOLATED, finding
    for override in record.get("overrides") or ():
        if not override.get("granted"):
            yield OVERRIDE_REFUSED, {"clause": override["clause"], "reason": override.get("refusal")}


def _alert(record: Mapping[str, Any], kind: str, found: Mapping[str, Any]) -> Alert:
    versions = (spec.get("version") or spec.get("id") for spec in record.get("spec") or ())
    return Alert(
        kind=kind,
        clause=found["clause"],
        service=(record.get("service") or {}).get("name") or "unknown_service",
        severity=found.get("severity") or "medium",
        authority=found.get("authority") or "",
        spec_version=" ".join(str(version) for version in versions),
        reason=found.get("reason") or "",
        action=record.get("action") or "",
        mode=record.get("mode") or "",
        time_unix_nano=record.get("time_unix_nano") or 0,
        decision_id=record.get("id") or "",
        trace_id=record.get("trace_id") or "",
    )
