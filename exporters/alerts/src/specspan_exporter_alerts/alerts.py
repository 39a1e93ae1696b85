"""Alerts made from decision records, and from notices of what waits for an approval. Pure. None holds content."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

VIOLATED = "violated"
OVERRIDE_REFUSED = "override_refused"
APPROVAL_ASKED = "approval_asked"
_NOTICE = "approval"
"""Type of the record of what waits for an approval."""


@dataclass(frozen=True, slots=True)
class Alert:
    """Violation, or refused override, of one clause in one service; or something that waits for an approval."""

    kind: str
    """``violated``, ``override_refused`` or ``approval_asked``."""
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
    approval_id: str = ""
    """Id of what waits for an approval; empty for other alerts, as the members below are."""
    target: str = ""
    """Kind and name of what waits, such as ``tool refund``."""
    expires_unix_nano: int = 0

    @property
    def key(self) -> tuple[str, str, str]:
        """Key that repeats of one alert share."""
        return self.kind, self.approval_id or self.clause, self.service

    @property
    def console_path(self) -> str:
        """Path of the page of the console on which this is looked at, or answered."""
        page, subject = ("approvals", self.approval_id) if self.approval_id else ("decisions", self.decision_id)
        return f"/{page}/{quote(subject, safe='')}"


def alerts_of(record: Mapping[str, Any]) -> Iterator[Alert]:
    """Yield the alerts of a decision record, each clause once, or of a notice; none for other records."""
    if record.get("type") == _NOTICE:
        yield _asked(record)
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


def _asked(record: Mapping[str, Any]) -> Alert:
    return Alert(
        kind=APPROVAL_ASKED,
        clause=record.get("clause") or "",
        service=(record.get("service") or {}).get("name") or "unknown_service",
        severity="high",
        authority="",
        spec_version="",
        reason="",
        action="escalate",
        mode="",
        time_unix_nano=record.get("time_unix_nano") or 0,
        decision_id=record.get("decision") or "",
        trace_id=record.get("trace_id") or "",
        approval_id=record.get("id") or "",
        target=f"{record.get('kind') or ''} {record.get('name') or ''}".strip(),
        expires_unix_nano=record.get("expires_unix_nano") or 0,
    )
