"""Against the real Alertmanager: what is posted is an alert there."""

from __future__ import annotations

import json
from pathlib import Path

from backends import eventually, fetch, free_port, program, served

from specspan_exporter_alerts import AlertmanagerExporter

CONFIG = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"


def test_a_violation_is_an_active_alert_in_alertmanager(tmp_path: Path) -> None:
    """Its API v2 shows the alert active under the clause, its annotations leading to the decision."""
    (tmp_path / "alertmanager.yaml").write_text(CONFIG)
    port = free_port()
    command: list[str | Path] = [
        program("alertmanager"),
        f"--config.file={tmp_path}/alertmanager.yaml",
        f"--storage.path={tmp_path}/data",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    finding = {"clause": "privacy", "authority": "root", "outcome": "violated", "severity": "high", "reason": "ssn"}
    record = {"type": "decision", "id": "d-1", "service": {"name": "desk"}, "findings": [finding]}
    url = f"http://127.0.0.1:{port}"
    with served(command, f"{url}/-/ready", tmp_path / "alertmanager.log"):
        AlertmanagerExporter(url).export([record])
        (alert,) = eventually(lambda: json.loads(fetch(f"{url}/api/v2/alerts")), 10.0, "the alert")
    assert alert["labels"]["alertname"] == "SpecspanClauseViolated"
    assert (alert["labels"]["clause"], alert["labels"]["service"]) == ("privacy", "desk")
    assert alert["annotations"]["decision_id"] == "d-1"
    assert alert["status"]["state"] in ("active", "unprocessed")
