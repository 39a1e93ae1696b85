"""Groups of alerts as Alertmanager's webhook posts them. Source: Alertmanager's documentation, webhook, version 4."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

CLAUSE_LABEL = "clause"
_MAX_LABELS = 50
_MAX_TEXT = 500
_KEY_LENGTH = 300
_MAX_S = 2**33
"""Seconds since 1970 before which the start of an alert lies."""


@dataclass(frozen=True, slots=True)
class AlertGroup:
    """Group of alerts about one clause."""

    key: str
    """Key of the group, the same in each message about it."""
    clause: str
    is_firing: bool
    starts_unix_nano: int
    """Start of the earliest alert."""
    labels: Mapping[str, str]
    """Labels that all alerts of the group have."""
    summary: str
    alerts: int
    """Number of alerts in the message."""


def read_alert_group(message: Any) -> AlertGroup:
    """Return the group of a message.

    Raises:
        ValueError: the message has another form, or its alerts are about no clause or about several.
    """
    listed = message.get("alerts") if isinstance(message, dict) else None
    alerts = [alert for alert in listed if isinstance(alert, dict)] if isinstance(listed, list) else []
    if not alerts:
        raise ValueError("it has no list of alerts")
    clauses = {str(_texts(alert.get("labels")).get(CLAUSE_LABEL, "")) for alert in alerts}
    if clauses - {""} == set():
        raise ValueError(f"no alert has the label {CLAUSE_LABEL!r}")
    if len(clauses) > 1:
        named = ", ".join(sorted(clauses - {""})[:5])
        raise ValueError(f"its alerts are about several clauses ({named}); group alerts by {CLAUSE_LABEL!r}")
    starts = [start for alert in alerts if (start := _time(alert.get("startsAt"))) is not None]
    if not starts:
        raise ValueError("no alert says when it started")
    common = dict(set.intersection(*(set(_texts(alert.get("labels")).items()) for alert in alerts)))
    annotations = _texts(alerts[0].get("annotations"))
    status = message.get("status") or alerts[0].get("status")
    return AlertGroup(
        key=_plain(message.get("groupKey") or f"{{}}:{sorted(common.items())}")[:_KEY_LENGTH],
        clause=clauses.pop(),
        is_firing=status != "resolved",
        starts_unix_nano=min(starts),
        labels=dict(sorted(common.items())[:_MAX_LABELS]),
        summary=str(annotations.get("summary", ""))[:_MAX_TEXT],
        alerts=len(alerts),
    )


def _texts(value: Any) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {_plain(name)[:_MAX_TEXT]: _plain(text)[:_MAX_TEXT] for name, text in value.items() if isinstance(text, str)}


def _plain(value: Any) -> str:
    """Return a text without what no store takes: lone surrogates and the zero character."""
    return str(value).encode("utf-8", "replace").decode().replace("\0", "?")


def _time(value: Any) -> int | None:
    if not isinstance(value, str):
        return None
    text = value.replace("Z", "+00:00")
    head, dot, rest = text.partition(".")
    if dot:  # as many digits as Go writes; Python before 3.11 reads three or six
        digits = len(rest) - len(rest.lstrip("0123456789"))
        text = f"{head}.{rest[:digits][:6].ljust(6, '0')}{rest[digits:]}"
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=timezone.utc)
    seconds = aware.timestamp()
    return int(seconds * 1e6) * 1000 if 0 <= seconds < _MAX_S else None
