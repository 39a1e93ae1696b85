"""Receiver of Alertmanager's webhook on loopback: each group of alerts opens one incident.

A message is taken from who proves to know the secret: as a bearer token, which Alertmanager sends (`authorization` of
its ``http_config``), or by a signature after Standard Webhooks 1.0 (https://www.standardwebhooks.com).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import logging
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from specspan.errors import OversightRefused, StoreError
from specspan.incidents.alert_groups import read_alert_group
from specspan.incidents.alert_opening import note_resolved, open_for_alert
from specspan.incidents.incident_log import IncidentLog
from specspan.stores.people import Person

MAX_BYTES = 1 << 20
"""Size of a message above which it is refused."""
TOLERANCE_S = 300
"""Age of a signed message above which it is refused."""
_TIMEOUT_S = 10
_BY = Person("alertmanager")
_log = logging.getLogger("specspan")


class AlertReceiver(ThreadingHTTPServer):
    """HTTP server that opens incidents in a log. ``serve_forever`` runs it, ``shutdown`` ends that."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], log: IncidentLog, secret: str) -> None:
        """Listen on an address.

        Args:
            address: host and port; port 0 takes any that is free.
            log: where incidents are opened.
            secret: what a sender must know, at least 16 characters. ``whsec_`` and base64 signs messages as well.

        Raises:
            ValueError: the secret is too short.
            OSError: the address cannot be listened on.
        """
        if len(secret) < 16:
            raise ValueError("the secret has fewer than 16 characters")
        super().__init__(address, _Handler)
        self.log = log
        self.secret = secret

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log what ended a request: a sender that went away, or a fault of ours."""
        _log.warning("a request to open an incident broke off", exc_info=True)

    def is_from_a_knower(self, headers: Any, body: bytes, now_s: float) -> bool:
        """Return whether the sender of a message knows the secret."""
        kind, _, token = str(headers.get("Authorization", "")).partition(" ")
        if kind.lower() == "bearer":
            return hmac.compare_digest(token.strip().encode(), self.secret.encode())
        return self._is_signed(headers, body, now_s)

    def _is_signed(self, headers: Any, body: bytes, now_s: float) -> bool:
        id_, stamp, signatures = (str(headers.get(f"webhook-{name}", "")) for name in ("id", "timestamp", "signature"))
        if not (id_ and stamp.isascii() and stamp.isdecimal() and abs(now_s - int(stamp)) <= TOLERANCE_S):
            return False
        try:
            key = base64.b64decode(self.secret.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            return False
        made = hmac.new(key, f"{id_}.{stamp}.".encode() + body, hashlib.sha256).digest()
        expected = b"v1," + base64.b64encode(made)
        return any(hmac.compare_digest(each.encode(), expected) for each in signatures.split())


class _Handler(BaseHTTPRequestHandler):
    server: AlertReceiver
    timeout = _TIMEOUT_S

    def do_POST(self) -> None:
        length = str(self.headers.get("Content-Length", ""))
        if not (length.isascii() and length.isdecimal()):
            self._answer(411, "the length of the message is missing")
            return
        if int(length) > MAX_BYTES:
            self._answer(413, f"the message has more than {MAX_BYTES} bytes")
            return
        body = self.rfile.read(int(length))
        if not self.server.is_from_a_knower(self.headers, body, time.time()):
            self._answer(401, "the message is not signed by the secret, and has no token that is it")
            return
        self._answer(*self._open(body))

    def _open(self, body: bytes) -> tuple[int, str]:
        try:
            group = read_alert_group(json.loads(body))
        except (ValueError, RecursionError) as error:
            return 400, f"no group of alerts about a clause: {error}"
        try:
            if not group.is_firing:
                note_resolved(self.server.log, group, _BY)
                return 200, "resolved: nothing is opened, and nothing is closed by itself"
            opened = open_for_alert(self.server.log, group, _BY)
        except OversightRefused as refusal:
            return 422, str(refusal)
        except StoreError as error:  # Alertmanager tries again later
            _log.error("an incident could not be opened: %s", error)
            return 503, "the store cannot be written now"
        return (201 if opened.is_new else 200), opened.incident.id

    def _answer(self, status: int, text: str) -> None:
        data = json.dumps({"message": text}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name in the base class
        """Write no line a request: what went wrong is logged above."""
