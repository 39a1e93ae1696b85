"""Alerts that arrive over HTTP open incidents: by who knows the secret, one a group, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from specspan.cli.main import cli
from specspan.incidents.alert_groups import read_alert_group
from specspan.incidents.alert_receiver import AlertReceiver
from specspan.incidents.incident import IncidentState
from specspan.incidents.incident_log import IncidentLog

SECRET = "whsec_" + base64.b64encode(b"sixteen bytes or more").decode()
ALERT = {
    "status": "firing",
    "labels": {"alertname": "SpecspanCriticalViolation", "clause": "be_kind", "job": "desk"},
    "annotations": {"summary": "be_kind was violated"},
    "startsAt": "2026-11-30T10:15:30.123456789Z",
}
MESSAGE = {"version": "4", "groupKey": "{}:{clause='be_kind'}", "status": "firing", "alerts": [ALERT]}
BEARER = {"Authorization": f"Bearer {SECRET}"}


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[AlertReceiver]:
    """A receiver on a free port, with its thread, that ends with the test."""
    log = IncidentLog(str(tmp_path / "desk.db"))
    with AlertReceiver(("127.0.0.1", 0), log, SECRET) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()
    log.close()


def post(receiver: AlertReceiver, body: bytes, headers: Mapping[str, str] = BEARER) -> tuple[int, str]:
    """Return status and message of the answer."""
    connection = HTTPConnection("127.0.0.1", receiver.server_address[1], timeout=10)
    try:
        connection.request("POST", "/", body, dict(headers))
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())["message"]
    finally:
        connection.close()


def signed(body: bytes, stamp: int) -> dict[str, str]:
    """Return headers after Standard Webhooks."""
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    made = hmac.new(key, f"msg_1.{stamp}.".encode() + body, hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(made).decode()}"
    return {"webhook-id": "msg_1", "webhook-timestamp": str(stamp), "webhook-signature": signature}


def test_a_group_opens_one_incident(receiver: AlertReceiver) -> None:
    """The second message about it names the same; resolved ones open and close nothing."""
    body = json.dumps(MESSAGE).encode()
    status, incident_id = post(receiver, body)
    assert (status, post(receiver, body)) == (201, (200, incident_id))
    assert post(receiver, json.dumps(MESSAGE | {"status": "resolved"}).encode())[0] == 200
    (incident,) = receiver.log.list()
    assert (incident.id, incident.clause, incident.alert_key) == (incident_id, "be_kind", MESSAGE["groupKey"])
    opened, _resolved = receiver.log.history(incident_id)
    assert opened.detail["labels"] == ALERT["labels"]


def test_resolved_alerts_stand_in_the_history_once(receiver: AlertReceiver) -> None:
    """Who looks at the incident sees when they were; the incident goes on."""
    _, incident_id = post(receiver, json.dumps(MESSAGE).encode())
    resolved = json.dumps(MESSAGE | {"status": "resolved"}).encode()
    assert [post(receiver, resolved)[0], post(receiver, resolved)[0]] == [200, 200]
    assert [event.kind for event in receiver.log.history(incident_id)] == ["incident_opened", "incident_noted"]
    assert receiver.log.incident(incident_id).state is IncidentState.OPEN
    other = json.dumps(MESSAGE | {"status": "resolved", "groupKey": "another"}).encode()
    assert post(receiver, other)[0] == 200


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"labels": {"clause": "\ud800\0\u202e"}}, 201),
        ({"labels": {"clause": "be_kind", "\ud800": "\ud800"}, "annotations": {"summary": "\ud800\0"}}, 201),
        ({"startsAt": "0001-01-01T00:00:00Z"}, 400),
        ({"startsAt": "9999-12-31T23:59:59-23:59"}, 400),
    ],
    ids=["clause", "label", "before 1970", "far"],
)
def test_odd_labels_and_times_end_no_request(receiver: AlertReceiver, change: Mapping[str, Any], status: int) -> None:
    """What no store takes gives way to a question mark; a time that no alert has is refused."""
    for key in ("{}", "\ud800\0", ["a"]):
        message: dict[str, Any] = {**MESSAGE, "alerts": [{**ALERT, **change}], "groupKey": key}
        assert post(receiver, json.dumps(message).encode())[0] == status


def test_a_sender_that_goes_away_ends_only_its_own_request(receiver: AlertReceiver) -> None:
    """The next message is taken, and nothing is printed that is not the log's."""
    with socket.create_connection(("127.0.0.1", receiver.server_port), timeout=10) as connection:
        head = f"POST / HTTP/1.1\r\nAuthorization: Bearer {SECRET}\r\nContent-Length: 99\r\n\r\n"
        connection.sendall(head.encode())
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert post(receiver, json.dumps(MESSAGE).encode())[0] == 201


def test_a_signed_message_is_taken(receiver: AlertReceiver) -> None:
    """Its signature is of the body and of a time that is near."""
    body = json.dumps(MESSAGE).encode()
    assert post(receiver, body, signed(body, int(time.time())))[0] == 201


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": "Basic " + SECRET},
        signed(json.dumps(MESSAGE).encode(), 1_700_000_000),
        signed(b"another body", int(time.time())),
        {"webhook-id": "é", "webhook-timestamp": "１", "webhook-signature": "v1,\xe9"},
    ],
    ids=["none", "wrong token", "other scheme", "old", "other body", "no ASCII"],
)
def test_nobody_else_opens_one(receiver: AlertReceiver, headers: Mapping[str, str]) -> None:
    """401, and nothing is there."""
    encoded = {name: value.encode("utf-8").decode("latin-1") for name, value in headers.items()}
    assert post(receiver, json.dumps(MESSAGE).encode(), encoded)[0] == 401
    assert receiver.log.list() == []


@pytest.mark.parametrize(
    "message",
    [
        [],
        None,
        {},
        {"alerts": []},
        {"alerts": ["x"]},
        {"alerts": [ALERT | {"labels": {}}]},
        {"alerts": [ALERT | {"labels": {"clause": ["a"]}}]},
        {"alerts": [ALERT, ALERT | {"labels": {"clause": "another"}}]},
        {"alerts": [ALERT | {"startsAt": "yesterday"}]},
    ],
)
def test_other_messages_are_refused_with_a_reason(receiver: AlertReceiver, message: Any) -> None:
    """400 and a sentence."""
    status, reason = post(receiver, json.dumps(message).encode())
    assert (status, receiver.log.list()) == (400, [])
    assert reason.startswith("no group of alerts about a clause: ")


def test_what_is_too_long_or_has_no_length_is_not_read(receiver: AlertReceiver) -> None:
    """413 before a byte of the body is taken."""
    assert post(receiver, b"", {**BEARER, "Content-Length": str(2 << 20)})[0] == 413
    assert post(receiver, b"", {**BEARER, "Content-Length": "-1"})[0] == 411


def test_a_deep_message_is_refused(receiver: AlertReceiver) -> None:
    """No recursion ends the thread."""
    assert post(receiver, b"[" * 100_000)[0] == 400


def test_an_alert_from_a_file(tmp_path: Path) -> None:
    """The message, saved, opens the incident on the command line; what is none is a usage error."""
    path, db = tmp_path / "alert.json", str(tmp_path / "desk.db")
    path.write_text(json.dumps(MESSAGE))
    result = CliRunner().invoke(cli, ["incident", "open", "--alert", str(path), "--db", db, "--json"])
    assert result.exit_code == 0, result.output
    (opened,) = json.loads(result.stdout)
    assert (opened["clause"], opened["new"], opened["since"]) == ("be_kind", True, "2026-11-30T04:15:30Z")
    path.write_text("{")
    assert CliRunner().invoke(cli, ["incident", "open", "--alert", str(path), "--db", db]).exit_code == 2


def test_a_secret_that_can_be_guessed_is_refused(tmp_path: Path) -> None:
    """Before anything listens."""
    with pytest.raises(ValueError, match="16 characters"):
        AlertReceiver(("127.0.0.1", 0), IncidentLog(str(tmp_path / "desk.db")), "short")


def test_times_as_go_writes_them() -> None:
    """Nanoseconds, offsets, none."""
    for text in ("2026-11-30T10:15:30.123456789Z", "2026-11-30T11:15:30.1234567+01:00", "2026-11-30T10:15:30Z"):
        group = read_alert_group({"alerts": [ALERT | {"startsAt": text}]})
        assert group.starts_unix_nano // 10**9 == 1_796_033_730
