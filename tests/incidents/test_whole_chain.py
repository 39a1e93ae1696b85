"""From a violation to a better policy, with a real Prometheus and a real Alertmanager."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import leaking_service
import yaml
from backends import eventually, free_port, program, served
from prometheus_server import prometheus

from documents import ROOT
from specspan.incidents.incident_log import IncidentLog
from specspan.ledger.signed_note import Signer
from specspan.policy.load import load_policy
from specspan_exporter_prometheus import Pace, rules_of

PATIENCE_S = 180.0
SERVICES = ("gateway", "agent", "tools")
SPECSPAN = [sys.executable, "-c", "from specspan.cli.start import main; main()"]
SECRET = "sixteen characters or more"
PACE = Pace(divisor=100)
"""Ten minutes, in which a violation of a critical clause pages, pass in 6 s."""
SPEC = """# Desk {#desk}

## Protect privacy {#protect_privacy authority=user}

Never say how a customer paid.
"""
POLICY = """spec: desk.md
mode: observe
clauses:
  protect_privacy:
    severity: critical
    action: flag
    checks: [{pattern: {stage: output, any: ['\\d{4} \\d{4}'], reason: card}}]
"""
GATE = """policy: POLICY
dataset: incident.jsonl
require:
  - protect_privacy.recall == 100%
  - protect_privacy.enforced >= 99%
"""


@dataclass
class Desk:
    """Services that run, and the folder that everything is in."""

    folder: Path
    variables: Mapping[str, str]
    said: list[str] = field(default_factory=list)

    def specspan(self, *words: str, code: int = 0) -> str:
        """Run a command as somebody on call does, and keep what it printed for the page."""
        command = [*SPECSPAN, *words]
        ran = subprocess.run(command, cwd=self.folder, env=self.variables, capture_output=True, text=True, check=False)
        assert ran.returncode == code, ran.stderr + ran.stdout
        self.said += [f"$ specspan {' '.join(words)}", ran.stdout]
        return ran.stdout


@dataclass(frozen=True)
class Service:
    """A service that runs."""

    name: str
    stdin: IO[str]
    output: Path

    def tell(self, prompt: str) -> None:
        """Have it ask with another prompt."""
        self.stdin.write(prompt + "\n")
        self.stdin.flush()

    def was_stopped(self) -> bool:
        """Return whether an answer of it was stopped."""
        return f"{self.name} was stopped by protect_privacy" in self.output.read_text()


def test_from_an_alert_to_a_better_policy(tmp_path: Path) -> None:
    """The alert opens an incident; its mitigation holds in each process; it resolves; its calls stop the old policy."""
    program("prometheus"), program("alertmanager")  # skip before anything starts
    desk = Desk(tmp_path, write_files(tmp_path))
    log = IncidentLog(str(tmp_path / "desk.db"))
    with running(desk, free_port()) as services:
        for each in services:
            each.tell(leaking_service.NEW_PROMPT)  # the faulty deployment
        (incident,) = eventually(log.list, PATIENCE_S, "the incident")
        assert (incident.clause, incident.state.value) == ("protect_privacy", "open")

        words = ("--clause", "protect_privacy", "--until", "+2h", "--reason", "answers name cards")
        desk.specspan("mitigate", *words, "--incident", incident.id[:8], "--as", "ana")
        for each in services:
            eventually(each.was_stopped, PATIENCE_S, f"{each.name} to be stopped")

        eventually(lambda: is_over(log, incident.id), PATIENCE_S, "the end of the alert")
    log.close()
    assert "mitigated" in desk.specspan("incident", "show", incident.id[:8])

    desk.specspan("dataset", "make", "incident.jsonl", "--incident", incident.id[:8], "--limit", "20")
    assert "✘ protect_privacy.enforced >= 99%  0% (0 of " in desk.specspan("gate", "old-gate.yaml", code=1)
    assert "requirements, 0 not met" in desk.specspan("gate", "new-gate.yaml")
    desk.specspan("incident", "close", incident.id[:8], "the policy blocks it; its calls are in incident.jsonl")
    report = json.loads(desk.specspan("report", "--since", "1h", "--format", "json"))
    (told,) = report["incidents"]
    assert told["state"] == "closed"
    assert 0 <= told["seconds_to_mitigation"] <= PATIENCE_S


def is_over(log: IncidentLog, incident_id: str) -> bool:
    """Return whether the alerts were resolved after the mitigation; they may have come and gone before."""
    kinds = [event.kind for event in log.history(incident_id)]
    return kinds[0] == "incident_opened" and "incident_noted" in kinds[kinds.index("incident_mitigated") :]


def write_files(folder: Path) -> dict[str, str]:
    """Write policies, gates, rules and the secret; return the variables of every process."""
    (folder / "desk.md").write_text(SPEC)
    (folder / "policy.yaml").write_text(POLICY)
    (folder / "next.yaml").write_text(POLICY.replace("mode: observe", "mode: enforce").replace("flag", "block"))
    for name, policy in (("old", "policy.yaml"), ("new", "next.yaml")):
        (folder / f"{name}-gate.yaml").write_text(GATE.replace("POLICY", policy))
    (folder / "rules.yaml").write_text(rules_of(load_policy(folder / "policy.yaml"), pace=PACE).text)
    (folder / "secret").write_text(SECRET)
    signer = Signer.generate("desk")
    return {
        "PYTHONPATH": ":".join(sys.path),
        "HOME": str(folder),
        "PYDANTIC_DISABLE_PLUGINS": "__all__",
        "SPECSPAN_DB": str(folder / "desk.db"),
        "SPECSPAN_LEDGER_KEY": signer.private_text,
        "SPECSPAN_MITIGATIONS": str(folder / "mitigations"),
        "SPECSPAN_MITIGATION_KEYS": str(signer.public_key),
        "SPECSPAN_INCIDENT_SECRET": SECRET,
        "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_ONLY",
    }


@contextmanager
def running(desk: Desk, alerts: int) -> Iterator[list[Service]]:
    """Run the services, Prometheus, Alertmanager (on a port) and the receiver until the block ends."""
    folder, receiver, ports = desk.folder, free_port(), {name: free_port() for name in SERVICES}
    page = (ROOT / "docs/incidents.md").read_text(encoding="utf-8")
    routes = yaml.safe_load(page.split("```yaml")[1].split("```")[0])
    (webhook,) = routes["receivers"][1]["webhook_configs"]
    webhook["url"] = f"http://127.0.0.1:{receiver}/"
    webhook["http_config"]["authorization"]["credentials_file"] = str(folder / "secret")
    routes["route"] |= {"group_wait": "0s", "group_interval": "1s"}
    (folder / "alertmanager.yaml").write_text(yaml.safe_dump(routes))
    scraped = [{"targets": [f"127.0.0.1:{port}"], "labels": {"job": name}} for name, port in ports.items()]
    scraping = {
        "global": {"scrape_interval": "250ms", "evaluation_interval": "250ms"},
        "rule_files": ["rules.yaml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [f"127.0.0.1:{alerts}"]}]}]},
        "scrape_configs": [{"job_name": "desk", "static_configs": scraped}],
    }
    alertmanager: list[str | Path] = [
        program("alertmanager"),
        f"--config.file={folder}/alertmanager.yaml",
        f"--storage.path={folder}/alerts",
        f"--web.listen-address=127.0.0.1:{alerts}",
        "--cluster.listen-address=",
    ]
    with ExitStack() as stack:
        process(stack, desk, [*SPECSPAN, "incident", "serve", "--port", str(receiver)], folder / "receiver.log")
        eventually((folder / "receiver.log").read_text, PATIENCE_S, "the receiver")
        stack.enter_context(served(alertmanager, f"http://127.0.0.1:{alerts}/-/ready", folder / "alertmanager.log"))
        services = []
        for name, port in ports.items():
            command = [sys.executable, leaking_service.__file__, str(folder / "policy.yaml"), str(port), name]
            output = folder / f"{name}.log"
            services.append(Service(name, process(stack, desk, command, output), output))
        server = stack.enter_context(prometheus(folder, scraping, "--rules.alert.resend-delay=1s"))
        seen = "count(count by (job) (specspan_decisions_total))"
        eventually(
            lambda: [each["value"][1] for each in server.query(seen)] == [str(len(SERVICES))], PATIENCE_S, "each scrape"
        )
        yield services


def process(stack: ExitStack, desk: Desk, command: list[str], output: Path) -> IO[str]:
    """Run a program until the stack unwinds: its input ends, and it is terminated. Return its input."""
    running = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=stack.enter_context(output.open("w")),
        stderr=subprocess.STDOUT,
        env=dict(desk.variables),
        cwd=desk.folder,
        text=True,
    )
    assert running.stdin is not None
    stack.callback(running.wait)
    stack.callback(running.terminate)
    stack.callback(running.stdin.close)
    return running.stdin
