"""Exporter of alerts to Alertmanager. Source: its OpenAPI document, ``POST /api/v2/alerts``."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from specspan._support import drop_counts
from specspan_exporter_alerts import alerts
from specspan_exporter_alerts.delivery import Delivery, check_url
from specspan_exporter_alerts.gate import Due, Gate

_NAMES = {alerts.VIOLATED: "SpecspanClauseViolated", alerts.OVERRIDE_REFUSED: "SpecspanOverrideRefused"}


class AlertmanagerExporter:
    """Decision exporter that posts each alert once a window; an alert resolves after two windows without another."""

    def __init__(self, url: str | None = None, *, gate: Gate | None = None, delivery: Delivery | None = None) -> None:
        """Post to Alertmanager at ``url``, by default ``SPECSPAN_ALERTMANAGER_URL``.

        Raises:
            ConfigurationError: the URL is missing or invalid.
        """
        base = check_url(url or os.environ.get("SPECSPAN_ALERTMANAGER_URL"), "SPECSPAN_ALERTMANAGER_URL")
        self._delivery = delivery or Delivery(base.rstrip("/") + "/api/v2/alerts")
        self._gate = gate or Gate()

    def export(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Post the due alerts of ``records`` in one request; count those that do not arrive."""
        due = self._gate.due(alert for record in records for alert in alerts.alerts_of(record))
        if due and not self._delivery.post(
            json.dumps([alert_as_json(each, self._gate.window_s) for each in due]).encode()
        ):
            drop_counts.count("alert", "undelivered", len(due))
            for each in due:
                self._gate.undelivered(each)

    def shutdown(self) -> None:
        """Do nothing: no alert is kept."""


def alert_as_json(due: Due, window_s: float) -> dict[str, Any]:
    """Return an alert in Alertmanager's form; its labels are from closed sets, so that repeats are one alert."""
    alert = due.alert
    started = datetime.fromtimestamp(alert.time_unix_nano / 1e9, timezone.utc)
    labels = {
        "alertname": _NAMES[alert.kind],
        "clause": alert.clause,
        "service": alert.service,
        "severity": alert.severity,
        "authority": alert.authority,
        "spec_version": alert.spec_version,
    }
    what = "was violated" if alert.kind == alerts.VIOLATED else "was to be overridden, which was refused"
    annotations = {
        "summary": f"{alert.clause} {what} in {alert.service}",
        "reason": alert.reason,
        "action": alert.action,
        "repeats": str(due.repeats),
        "decision_id": alert.decision_id,
        "trace_id": alert.trace_id,
    }
    return {
        "labels": {name: value for name, value in labels.items() if value},
        "annotations": annotations,
        "startsAt": started.isoformat(),
        "endsAt": (datetime.now(timezone.utc) + timedelta(seconds=2 * window_s)).isoformat(),
    }
