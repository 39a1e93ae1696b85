"""Alerts without Prometheus: over loopback, to what speaks as Alertmanager and as a webhook's receiver do."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from specspan._support import drop_counts
from specspan.errors import ConfigurationError
from specspan_exporter_alerts import AlertmanagerExporter, Gate, WebhookExporter
from specspan_exporter_alerts.delivery import Delivery

KEY = b"0123456789abcdef01234567"
SECRET = "whsec_" + base64.b64encode(KEY).decode()
PAGE = (Path(__file__).resolve().parents[3] / "docs" / "alerts.md").read_text(encoding="utf-8")


class Receiver:
    """Answers with each of ``answers`` in turn, then with 200, and keeps what it was sent."""

    def __init__(self, *answers: int) -> None:
        self.answers = list(answers)
        self.url = ""
        self.got: list[tuple[str, Mapping[str, str], bytes]] = []

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(body) for _, _, body in self.got]

    def __enter__(self) -> Receiver:  # noqa: PYI034 - typing has Self since 3.11
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
                self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_request(self, code: object = "-", size: object = "-") -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.block_on_close = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def record(*clauses: str, service: str = "desk", **changes: Any) -> dict[str, Any]:
    """A decision record in which these clauses were violated."""
    findings = [
        {"clause": clause, "authority": "root", "outcome": "violated", "severity": "high", "reason": "ssn"}
        for clause in clauses
    ]
    kind = {"clause": "be_kind", "outcome": "complied"}
    given = {
        "type": "decision", "id": "d-1", "trace_id": "ab", "time_unix_nano": 10**18, "service": {"name": service},
        "spec": [{"id": "s", "version": "2025"}], "mode": "observe", "action": "flag", "findings": [*findings, kind],
    }  # fmt: skip
    return given | changes


@contextmanager
def lost() -> Iterator[Counter[tuple[str, str]]]:
    """What is lost inside, filled in at its end."""
    before, found = Counter(drop_counts.totals()), Counter[tuple[str, str]]()
    yield found
    found.update(Counter(drop_counts.totals()) - before)


def quick(url: str) -> Delivery:
    return Delivery(url, (0.0, 0.0))


def test_alertmanager_is_told_of_each_violated_clause() -> None:
    """One request to its API v2, with labels from closed sets, an end, and the way to the decision."""
    with Receiver() as receiver:
        AlertmanagerExporter(receiver.url + "/").export([record("privacy", "honesty"), record(), {"type": "policy"}])
    ((path, _, _),) = receiver.got
    assert path == "/api/v2/alerts"
    privacy, honesty = receiver.bodies[0]
    assert privacy["labels"] == {
        "alertname": "SpecspanClauseViolated", "clause": "privacy", "service": "desk", "severity": "high",
        "authority": "root", "spec_version": "2025",
    }  # fmt: skip
    assert privacy["annotations"]["decision_id"] == "d-1"
    assert privacy["startsAt"] == "2001-09-09T01:46:40+00:00" < privacy["endsAt"]
    assert honesty["labels"]["clause"] == "honesty"


def test_a_webhook_is_told_and_can_tell_who_speaks() -> None:
    """Id, timestamp and a signature over both and the body, as Standard Webhooks has it."""
    with Receiver() as receiver:
        WebhookExporter(receiver.url, SECRET, now_s=lambda: 1_700_000_000.9).export([record("privacy")])
    ((_, headers, body),) = receiver.got
    signed = f"{headers['webhook-id']}.1700000000.".encode() + body
    expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert (headers["webhook-timestamp"], headers["webhook-signature"]) == ("1700000000", f"v1,{expected}")
    message = json.loads(body)
    assert (message["type"], message["data"]["clause"]) == ("specspan.clause.violated", "privacy")


def test_a_refused_override_is_an_alert_and_a_granted_one_is_not() -> None:
    """It names the clause and why."""
    overrides = [
        {"clause": "a", "granted": False, "refusal": "top_level"},
        {"clause": "b", "granted": True, "refusal": None},
    ]
    with Receiver() as receiver:
        WebhookExporter(receiver.url, SECRET).export([record(overrides=overrides)])
    (message,) = receiver.bodies
    assert (message["type"], message["data"]["reason"]) == ("specspan.override.refused", "top_level")


NOTICE = {
    "v": 2, "type": "approval", "id": "4f/1", "time_unix_nano": 10**18, "service": {"name": "desk"}, "kind": "tool",
    "name": "refund", "clause": "check_first", "expires_unix_nano": 10**18 + 600 * 10**9, "on_expiry": "deny",
}  # fmt: skip


def test_what_waits_for_an_approval_is_told_with_its_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each one is an alert of its own, until it expires, and leads to the page on which it is answered."""
    monkeypatch.setenv("SPECSPAN_CONSOLE_URL", "https://console.example/")
    notices = [NOTICE, NOTICE | {"id": "5"}, NOTICE]
    with Receiver() as alertmanager, Receiver() as webhook:
        AlertmanagerExporter(alertmanager.url).export(notices)
        WebhookExporter(webhook.url, SECRET).export(notices)
    first, second = alertmanager.bodies[0]
    assert first["labels"] == {
        "alertname": "SpecspanApprovalAsked", "clause": "check_first", "service": "desk", "severity": "high",
        "approval": "4f/1",
    }  # fmt: skip
    assert first["annotations"]["summary"] == "tool refund waits for an approval in desk"
    assert first["endsAt"] == "2001-09-09T01:56:40+00:00"
    assert first["generatorURL"] == "https://console.example/approvals/4f%2F1"
    assert second["generatorURL"] == "https://console.example/approvals/5"
    assert [message["type"] for message in webhook.bodies] == ["specspan.approval.asked"] * 2
    assert webhook.bodies[0]["data"]["url"] == "https://console.example/approvals/4f%2F1"
    assert webhook.bodies[0]["data"]["target"] == "tool refund"


def test_alerts_lead_into_the_console_where_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A violation leads to its decision; without a console nothing is told of one, and no address is none."""
    with Receiver() as receiver:
        WebhookExporter(receiver.url, SECRET).export([record("privacy")])
        monkeypatch.setenv("SPECSPAN_CONSOLE_URL", "https://console.example")
        WebhookExporter(receiver.url, SECRET).export([record("privacy")])
    assert [message["data"].get("url") for message in receiver.bodies] == [
        None,
        "https://console.example/decisions/d-1",
    ]
    monkeypatch.setenv("SPECSPAN_CONSOLE_URL", "javascript:alert(1)")
    with pytest.raises(ConfigurationError):
        WebhookExporter("https://hooks.example", SECRET)


def test_one_alert_a_window_for_a_clause_and_service() -> None:
    """Repeats are held back and told with the next; another service or clause is another alert."""
    now_s = [0.0]
    with Receiver() as receiver, lost() as gone:
        exporter = WebhookExporter(receiver.url, SECRET, gate=Gate(60.0, now_s=lambda: now_s[0]))
        exporter.export([record("a"), record("a"), record("a", service="other"), record("b")])
        now_s[0] = 59.0
        exporter.export([record("a")])
        now_s[0] = 60.0
        exporter.export([record("a")])
    told = [(each["data"]["clause"], each["data"]["service"], each["data"]["repeats"]) for each in receiver.bodies]
    assert told == [("a", "desk", 0), ("a", "other", 0), ("b", "desk", 0), ("a", "desk", 2)]
    assert not gone


def test_there_are_only_so_many_a_minute_and_the_rest_is_counted() -> None:
    """Of five alerts at two a minute, three are lost, by reason; a minute later there is room again."""
    now_s = [0.0]
    with Receiver() as receiver, lost() as gone:
        exporter = AlertmanagerExporter(receiver.url, gate=Gate(per_minute=2, now_s=lambda: now_s[0]))
        exporter.export([record(*"abcde")])
        now_s[0] = 60.0
        exporter.export([record("e")])
    assert [len(body) for body in receiver.bodies] == [2, 1]
    assert gone == {("alert", "rate_limited"): 3}


def test_a_moment_of_failure_is_outlived() -> None:
    """It is tried again after an error of the server's, under the same id."""
    with Receiver(500, 429) as receiver, lost() as gone:
        WebhookExporter(receiver.url, SECRET, delivery=quick(receiver.url)).export([record("a")])
    assert len(receiver.got) == 3
    assert len({headers["webhook-id"] for _, headers, _ in receiver.got}) == 1
    assert not gone


def test_an_alert_that_is_handed_over_again_has_the_same_id() -> None:
    """After the end of a process a decision comes twice: its messages have one id, and no other alert has it."""
    ids = []
    for given in (record("a"), record("a"), record("b"), record("a", id="d-2"), record("a", id="")):
        with Receiver() as receiver:
            WebhookExporter(receiver.url, SECRET).export([given])
        ids += [headers["webhook-id"] for _, headers, _ in receiver.got]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 4


@pytest.mark.parametrize(("answer", "attempts"), [(500, 3), (400, 1), (302, 1)])
def test_what_does_not_arrive_is_counted_and_comes_with_the_next(answer: int, attempts: int) -> None:
    """A few attempts, one where another could not help, no redirect followed; the window holds no next back."""
    with Receiver(*[answer] * attempts) as receiver, lost() as gone:
        exporter = WebhookExporter(receiver.url, SECRET, delivery=quick(receiver.url))
        exporter.export([record("a")])
        assert len(receiver.got) == attempts
        exporter.export([record("a")])
    assert gone == {("alert", "undelivered"): 1}
    assert receiver.bodies[-1]["data"]["repeats"] == 1
    assert {path for path, _, _ in receiver.got} == {"/"}


def test_an_outage_costs_one_attempt_each(caplog: pytest.LogCaptureFixture) -> None:
    """After a failure, alerts are tried once until one arrives, and the outage is logged once, without its path."""
    with Receiver(*[503] * 5) as receiver:
        exporter = WebhookExporter(receiver.url, SECRET, delivery=quick(receiver.url + "/token"))
        exporter.export([record("a", "b", "c")])
    assert len(receiver.got) == 5
    (logged,) = caplog.messages
    assert "503" in logged
    assert "token" not in logged


@pytest.mark.parametrize("url", [None, "", "localhost:9093", "file:///etc/passwd", "http://"])
def test_an_address_that_is_none_is_refused(url: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is named."""
    monkeypatch.delenv("SPECSPAN_ALERTMANAGER_URL", raising=False)
    with pytest.raises(ConfigurationError, match="SPECSPAN_ALERTMANAGER_URL"):
        AlertmanagerExporter(url)


@pytest.mark.parametrize("secret", ["whsec_", "whsec_c2hvcnQ=", "whsec_!!"])
def test_a_secret_that_is_none_is_refused(secret: str) -> None:
    """Too short, or no base64; what was given is not repeated."""
    with pytest.raises(ConfigurationError, match="SPECSPAN_WEBHOOK_SECRET") as refused:
        WebhookExporter("http://localhost", secret)
    assert "c2hvcnQ" not in str(refused.value)


def test_they_are_found_by_name() -> None:
    """SPECSPAN_DECISION_EXPORTER finds both, and the page names what they read."""
    found = metadata.entry_points(group="specspan_decision_exporter")
    assert found["alertmanager"].load() is AlertmanagerExporter
    assert found["webhook"].load() is WebhookExporter
    variables = {"SPECSPAN_ALERTMANAGER_URL", "SPECSPAN_WEBHOOK_URL", "SPECSPAN_WEBHOOK_SECRET"}
    assert variables <= set(re.findall(r"SPECSPAN_\w+", PAGE))
