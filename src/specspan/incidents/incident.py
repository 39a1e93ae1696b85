"""Incident: a time in which a clause was violated, and what people did about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class IncidentState(str, Enum):
    """State of an incident."""

    OPEN = "open"
    MITIGATED = "mitigated"
    """Something holds the violations off; the cause is still there."""
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Incident:
    """Incident as it is now; every change of it is an event of its history."""

    id: str
    clause: str
    state: IncidentState
    opened_unix_nano: int
    since_unix_nano: int
    """Earliest time at which it may have begun."""
    baseline_unix_nano: int
    """Start of the time before it, with which it is compared."""
    ended_unix_nano: int | None
    """Time at which it was closed; None while it is not."""
    alert_key: str | None
    """Key of the group of alerts that opened it; None where a person did."""
    changes: int
    """Number of events of its history."""
