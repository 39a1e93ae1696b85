"""Against the real Alertmanager, set up as the page on incidents shows: a violation opens an incident."""

from __future__ import annotations

import threading
from pathlib import Path

import yaml
from backends import eventually, free_port, program, served

from documents import ROOT
from specspan.incidents.alert_receiver import AlertReceiver
from specspan.incidents.incident_log import IncidentLog
from specspan_exporter_alerts import AlertmanagerExporter

SECRET = "sixteen characters or more"


def config(folder: Path, port: int) -> str:
    """Return the configuration of the page, with another port and another file of the secret, and without waits."""
    page = (ROOT / "docs/incidents.md").read_text(encoding="utf-8")
    shown = yaml.safe_load(page.split("```yaml")[1].split("```")[0])
    (folder / "secret").write_text(SECRET)
    (webhook,) = shown["receivers"][1]["webhook_configs"]
    webhook["url"] = f"http://127.0.0.1:{port}/"
    webhook["http_config"]["authorization"]["credentials_file"] = str(folder / "secret")
    shown["route"] |= {"group_wait": "0s", "group_interval": "1s"}
    return yaml.safe_dump(shown)


def test_a_violation_opens_an_incident(tmp_path: Path) -> None:
    """From the exporter of alerts through Alertmanager's webhook, which sends the secret as a bearer token."""
    log, alertmanager = IncidentLog(str(tmp_path / "desk.db")), free_port()
    finding = {"clause": "privacy", "authority": "root", "outcome": "violated", "severity": "high", "reason": "ssn"}
    record = {"type": "decision", "id": "d-1", "service": {"name": "desk"}, "findings": [finding]}
    with AlertReceiver(("127.0.0.1", 0), log, SECRET) as receiver:
        thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        (tmp_path / "alertmanager.yaml").write_text(config(tmp_path, receiver.server_address[1]))
        command: list[str | Path] = [
            program("alertmanager"),
            f"--config.file={tmp_path}/alertmanager.yaml",
            f"--storage.path={tmp_path}/data",
            f"--web.listen-address=127.0.0.1:{alertmanager}",
            "--cluster.listen-address=",
        ]
        url = f"http://127.0.0.1:{alertmanager}"
        try:
            with served(command, f"{url}/-/ready", tmp_path / "alertmanager.log"):
                AlertmanagerExporter(url).export([record])
                (incident,) = eventually(log.list, 20.0, "the incident")
        finally:
            receiver.shutdown()
            thread.join()
    (opened,) = log.history(incident.id)
    log.close()
    assert (incident.clause, opened.person) == ("privacy", "alertmanager")
    assert opened.detail["labels"]["service"] == "desk"
