"""Exporter of alerts to Alertmanager. Source: its OpenAPI document, ``POST /api/v2/alerts``."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any

from specspan._support import drop_counts
from specspan_exporter_alerts import alerts
from specspan_exporter_alerts.console_links import console_url, link
from specspan_exporter_alerts.delivery import Delivery, check_url
from specspan_exporter_alerts.gate import Due, Gate

_NAMES = {
    alerts.VIOLATED: "SpecspanClauseViolated",
    alerts.OVERRIDE_REFUSED: "SpecspanOverrideRefused",
    alerts.APPROVAL_ASKED: "SpecspanApprovalAsked",
}


class AlertmanagerExporter:
    """Decision exporter that posts each alert once a window; an alert resolves after two windows without another."""

    def __init__(self, url: str | None = None, *, gate: Gate | None = None, delivery: Delivery | None = None) -> None:
        """Post to Alertmanager at ``url``, by default ``SPECSPAN_ALERTMANAGER_URL``.

        Raises:
            ConfigurationError: the URL is missing or invalid, or ``SPECSPAN_CONSOLE_URL`` is.
        """
        self._console_url = console_url()
        base = check_url(url or os.environ.get("SPECSPAN_ALERTMANAGER_URL"), "SPECSPAN_ALERTMANAGER_URL")
        self._delivery = delivery or Delivery(base.rstrip("/") + "/api/v2/alerts")
        self._gate = gate or Gate()

    def export(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Post the due alerts of ``records`` in one request; count those that do not arrive."""
        due = self._gate.due(alert for record in records for alert in alerts.alerts_of(record))
        listed = [alert_as_json(each, self._gate.window_s, link(self._console_url, each.alert)) for each in due]
        if due and not self._delivery.post(json.dumps(listed).encode()):
            drop_counts.count("alert", "undelivered", len(due))
            for each in due:
                self._gate.undelivered(each)

    def shutdown(self) -> None:
        """Do nothing: no alert is kept."""


def alert_as_json(due: Due, window_s: float, url: str | None = None) -> dict[str, Any]:
    """Return an alert in Alertmanager's form, with its page in the console as the address that it comes from.

    Labels are from closed sets, so that repeats are one alert; what waits for an approval is an alert of its own.
    """
    alert = due.alert
    started = datetime.fromtimestamp(alert.time_unix_nano / 1e9, timezone.utc)
    labels = {
        "alertname": _NAMES[alert.kind],
        "clause": alert.clause,
        "service": alert.service,
        "severity": alert.severity,
        "authority": alert.authority,
        "spec_version": alert.spec_version,
        "approval": alert.approval_id,
    }
    annotations = {
        "summary": f"{_summary(alert)} in {alert.service}",
        "reason": alert.reason,
        "action": alert.action,
        "repeats": str(due.repeats),
        "decision_id": alert.decision_id,
        "trace_id": alert.trace_id,
    }
    ends = datetime.now(timezone.utc) + timedelta(seconds=2 * window_s)
    if alert.expires_unix_nano:
        ends = datetime.fromtimestamp(alert.expires_unix_nano / 1e9, timezone.utc)
    return {
        "labels": {name: value for name, value in labels.items() if value},
        "annotations": annotations,
        "startsAt": started.isoformat(),
        "endsAt": ends.isoformat(),
        **({} if url is None else {"generatorURL": url}),
    }


def _summary(alert: alerts.Alert) -> str:
    if alert.kind == alerts.APPROVAL_ASKED:
        return f"{alert.target} waits for an approval"
    what = "was violated" if alert.kind == alerts.VIOLATED else "was to be overridden, which was refused"
    return f"{alert.clause} {what}"
