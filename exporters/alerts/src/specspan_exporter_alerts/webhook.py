"""Exporter of alerts to a webhook, signed. Source: Standard Webhooks 1.0, https://www.standardwebhooks.com."""

from __future__ import annotations

import hashlib
import json
import os
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any

from specspan._support import drop_counts
from specspan._support.signed_posts import LEAST_KEY_BYTES, decode_secret, signature
from specspan.errors import ConfigurationError, Problem
from specspan_exporter_alerts import alerts
from specspan_exporter_alerts.console_links import console_url, link
from specspan_exporter_alerts.delivery import Delivery, check_url
from specspan_exporter_alerts.gate import Due, Gate

_TYPES = {
    alerts.VIOLATED: "specspan.clause.violated",
    alerts.OVERRIDE_REFUSED: "specspan.override.refused",
    alerts.APPROVAL_ASKED: "specspan.approval.asked",
}
_OF_APPROVALS = ("approval_id", "target", "expires_unix_nano")


class WebhookExporter:
    """Decision exporter that posts a message for each alert.

    An alert has one id, also where its decision is handed over again, as after the end of a process: a receiver that
    keeps ids takes it once.
    """

    def __init__(
        self,
        url: str | None = None,
        secret: str | None = None,
        *,
        gate: Gate | None = None,
        delivery: Delivery | None = None,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        """Post to ``url`` with ``secret``: by default ``SPECSPAN_WEBHOOK_URL`` and ``SPECSPAN_WEBHOOK_SECRET``.

        A secret is ``whsec_`` and base64.

        Raises:
            ConfigurationError: one of them is missing or invalid, or ``SPECSPAN_CONSOLE_URL`` is.
        """
        self._console_url = console_url()
        checked = check_url(url or os.environ.get("SPECSPAN_WEBHOOK_URL"), "SPECSPAN_WEBHOOK_URL")
        self._key = _key(secret or os.environ.get("SPECSPAN_WEBHOOK_SECRET", ""))
        self._delivery = delivery or Delivery(checked)
        self._gate = gate or Gate()
        self._now_s = now_s

    def export(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Post a message for each due alert of ``records``; count those that do not arrive."""
        for due in self._gate.due(alert for record in records for alert in alerts.alerts_of(record)):
            if not self._post(due):
                drop_counts.count("alert", "undelivered")
                self._gate.undelivered(due)

    def shutdown(self) -> None:
        """Do nothing: no alert is kept."""

    def _post(self, due: Due) -> bool:
        id_, body = message_id(due.alert), message_body(due, link(self._console_url, due.alert))

        def headers() -> Mapping[str, str]:
            timestamp = str(int(self._now_s()))
            message_signature = signature(self._key, id_, timestamp, body)
            return {"webhook-id": id_, "webhook-timestamp": timestamp, "webhook-signature": message_signature}

        return self._delivery.post(body, headers)


def message_id(alert: alerts.Alert) -> str:
    """Return the id of the message about an alert; by chance where its decision has none."""
    if not alert.decision_id:
        return f"msg_{uuid.uuid4().hex}"
    name = json.dumps([alert.kind, alert.clause, alert.decision_id]).encode()
    return f"msg_{hashlib.sha256(name).hexdigest()[:32]}"


def message_body(due: Due, url: str | None = None) -> bytes:
    """Return the message: its type, its time and the alert, with the address of its page in the console."""
    when = datetime.fromtimestamp(due.alert.time_unix_nano / 1e9, timezone.utc)
    members = {name: value for name, value in asdict(due.alert).items() if value or name not in _OF_APPROVALS}
    data = {**members, "repeats": due.repeats, **({} if url is None else {"url": url})}
    return json.dumps({"type": _TYPES[due.alert.kind], "timestamp": when.isoformat(), "data": data}).encode()


def _key(secret: str) -> bytes:
    key = decode_secret(secret)
    if key is not None:
        return key
    problem = Problem("invalid secret", f"Set it to 'whsec_' and base64 of at least {LEAST_KEY_BYTES} random bytes.")
    raise ConfigurationError("SPECSPAN_WEBHOOK_SECRET", problem)
