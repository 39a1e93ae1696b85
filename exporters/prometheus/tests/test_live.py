"""The whole way: an application violates a clause, Prometheus fires, Alertmanager delivers, and the alert resolves."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from backends import eventually, free_port, program, served
from prometheus_server import Said, prometheus, speaking

from specspan.policy.load import load_policy
from specspan_exporter_prometheus import Pace, rules_of

APPLICATION = Path(__file__).with_name("application.py")
PACE = Pace(divisor=200)
"""An hour passes in 18 s, five minutes in 1.5 s."""
PATIENCE_S = 30

ALERTMANAGER = """\
route:
  receiver: test
  group_by: [alertname, clause]
  group_wait: 100ms
  group_interval: 200ms
  repeat_interval: 1h
receivers:
- name: test
  webhook_configs:
  - url: http://127.0.0.1:{webhook}/
"""

Received = list[dict[str, Any]]


@contextmanager
def webhook() -> Iterator[tuple[int, Received]]:
    """A receiver on loopback: its port, and the alerts that came in."""
    received: Received = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            received.extend(body["alerts"])
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Nothing on standard error."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server.server_port, received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def alertmanager(folder: Path, webhook_port: int) -> Iterator[int]:
    """Alertmanager, which delivers to the webhook; its port."""
    port = free_port()
    (folder / "alertmanager.yaml").write_text(ALERTMANAGER.format(webhook=webhook_port))
    command: list[str | Path] = [
        program("alertmanager"),
        f"--config.file={folder}/alertmanager.yaml",
        f"--storage.path={folder}/alerts",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with served(command, f"http://127.0.0.1:{port}/-/ready", folder / "alertmanager.log"):
        yield port


@pytest.fixture
def desk(policy_file: Path) -> Iterator[tuple[Said, Received]]:
    """The application under watch, when Prometheus has seen its counters: how to make it speak, what is delivered."""
    folder = policy_file.parent
    program("prometheus")  # skip before anything starts
    (folder / "rules.yaml").write_text(rules_of(load_policy(policy_file), pace=PACE).text, encoding="utf-8")
    metrics = free_port()
    quiet = {"OTEL_TRACES_EXPORTER": "none", "SPECSPAN_DECISION_EXPORTER": "none"}
    with webhook() as (receiver, received), alertmanager(folder, receiver) as alerts:
        configuration = {
            "global": {"scrape_interval": "250ms", "evaluation_interval": "250ms"},
            "rule_files": ["rules.yaml"],
            "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alerts}"]}]}]},
            "scrape_configs": [{"job_name": "desk", "static_configs": [{"targets": [f"127.0.0.1:{metrics}"]}]}],
        }
        with (
            speaking([APPLICATION, policy_file, str(metrics)], **quiet) as say,
            prometheus(folder, configuration, "--rules.alert.resend-delay=1s") as server,
        ):
            eventually(lambda: server.query("specspan_decisions_total"), PATIENCE_S, "the first scrape")
            yield say, received


@pytest.mark.thorough
def test_a_violation_reaches_the_webhook_and_resolves(desk: tuple[Said, Received]) -> None:
    """Within 30 s of the first violation the webhook gets a page that names the clause; it resolves when they end."""
    say, received = desk

    def delivered(clause: str, status: str) -> list[dict[str, Any]]:
        return [
            alert
            for alert in received
            if alert["labels"].get("clause") == clause
            and alert["labels"]["urgency"] == "page"
            and alert["status"] == status
        ]

    assert not delivered("stay_polite", "firing")
    assert not delivered("guard_numbers", "firing")
    begun_s = time.monotonic()
    say("You are stupid, and the number is 1234.")
    for clause in ("stay_polite", "guard_numbers"):
        eventually(lambda name=clause: delivered(name, "firing"), PATIENCE_S, f"the alert of {clause}")  # type: ignore[misc]  # a lambda's default
    assert time.monotonic() - begun_s < PATIENCE_S
    (polite, *_) = delivered("stay_polite", "firing")
    wanted = {"alertname": "SpecspanObjectiveBurnsFast", "job": "desk", "authority": "user", "severity": "high"}
    assert wanted.items() <= polite["labels"].items()
    assert polite["labels"]["spec_version"] == "2026-11"
    assert polite["annotations"]["runbook_url"] == "runbooks/stay_polite.md"
    say("Good morning.")
    for clause in ("stay_polite", "guard_numbers"):
        eventually(lambda name=clause: delivered(name, "resolved"), PATIENCE_S, f"the end of the alert of {clause}")  # type: ignore[misc]  # a lambda's default
