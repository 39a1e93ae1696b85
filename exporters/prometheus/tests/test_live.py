"""The whole way: an application violates a clause, Prometheus fires, Alertmanager delivers, and the alert resolves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from backends import eventually, fetch, free_port, program, served

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

PROMETHEUS = """\
global: {{scrape_interval: 250ms, evaluation_interval: 250ms}}
rule_files: [rules.yaml]
alerting: {{alertmanagers: [{{static_configs: [{{targets: ['127.0.0.1:{alertmanager}']}}]}}]}}
scrape_configs:
- job_name: desk
  static_configs: [{{targets: ['127.0.0.1:{application}']}}]
"""

Said = Callable[[str], None]
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
def application(policy_file: Path, port: int) -> Iterator[Said]:
    """The application; call what is given to have it answer something else."""
    environment = os.environ | {"OTEL_TRACES_EXPORTER": "none", "SPECSPAN_DECISION_EXPORTER": "none"}
    command: list[str | Path] = [sys.executable, APPLICATION, policy_file, str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, text=True, env=environment) as process:
        stdin = process.stdin
        assert stdin is not None

        def say(text: str) -> None:
            stdin.write(text + "\n")
            stdin.flush()

        try:
            yield say
        finally:
            stdin.close()
            process.wait(10)


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


@contextmanager
def prometheus(folder: Path, **ports: int) -> Iterator[str]:
    """Prometheus with the rules of the folder, which scrapes and alerts at ``ports``; its URL."""
    port = free_port()
    (folder / "prometheus.yaml").write_text(PROMETHEUS.format(**ports))
    command: list[str | Path] = [
        program("prometheus"),
        f"--config.file={folder}/prometheus.yaml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
        "--rules.alert.resend-delay=1s",
    ]
    with served(command, f"http://127.0.0.1:{port}/-/ready", folder / "prometheus.log"):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def desk(policy_file: Path) -> Iterator[tuple[Said, Received]]:
    """The application under watch, when Prometheus has seen its counters: how to make it speak, what is delivered."""
    folder = policy_file.parent
    program("prometheus")  # skip before anything starts
    (folder / "rules.yaml").write_text(rules_of(load_policy(policy_file), pace=PACE).text, encoding="utf-8")
    metrics = free_port()
    with webhook() as (receiver, received), alertmanager(folder, receiver) as alerts:
        with (
            application(policy_file, metrics) as say,
            prometheus(folder, alertmanager=alerts, application=metrics) as url,
        ):
            seen = f"{url}/api/v1/query?query=specspan_decisions_total"
            eventually(lambda: json.loads(fetch(seen))["data"]["result"], PATIENCE_S, "the first scrape")
            yield say, received


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
