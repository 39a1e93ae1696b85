"""A policy, and a real Prometheus that has seen all that may go wrong under it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import yaml
from backends import eventually, free_port, program, served
from grafana_asked import Prometheus
from grafana_desk import APPLICATION, NEW, policy_text, written_policy

PATIENCE_S = 40
UNCHECKED = "spec: spec-2026-11.md\nclauses: {}\n"
SEEN = (
    'specspan_decisions_total{specspan_spec_version="2026-05",specspan_decision_verdict="violated"}',
    "specspan_dropped_total",
)
"""What the first policy leads to."""


@pytest.fixture
def policy_file(tmp_path: Path) -> Path:
    """The policy's file, beside both versions of its spec."""
    return written_policy(tmp_path)


@contextmanager
def application(policy: Path, service: str, port: int) -> Iterator[None]:
    """An application under a policy, which serves its metrics."""
    environment = os.environ | {"OTEL_TRACES_EXPORTER": "none", "SPECSPAN_DECISION_EXPORTER": "none"}
    command = [sys.executable, str(APPLICATION), str(policy), service, str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=environment) as process:
        try:
            yield
        finally:
            process.communicate(timeout=20)


@contextmanager
def prometheus_at(folder: Path, jobs: dict[str, int]) -> Iterator[Prometheus]:
    """Prometheus, which scrapes applications by the names of their services."""
    port = free_port()
    scraped = [
        {"job_name": name, "static_configs": [{"targets": [f"127.0.0.1:{each}"]}]} for name, each in jobs.items()
    ]
    configuration = {"global": {"scrape_interval": "250ms", "scrape_timeout": "250ms"}, "scrape_configs": scraped}
    (folder / "prometheus.yaml").write_text(yaml.safe_dump(configuration))
    command: list[str | Path] = [
        program("prometheus"),
        f"--config.file={folder}/prometheus.yaml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with served(command, f"http://127.0.0.1:{port}/-/ready", folder / "prometheus.log"):
        yield Prometheus(f"http://127.0.0.1:{port}")


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Prometheus, when three services have called for a while: `desk`, `calm`, and `mute`, which checks nothing.

    The policy of `desk` was changed to a newer version of its spec, and then to one that is refused.
    """
    program("prometheus")  # skip before anything starts
    folder = tmp_path_factory.mktemp("desk")
    policy = written_policy(folder)
    others = {"calm": folder / "calm.yaml", "mute": folder / "mute.yaml"}
    others["calm"].write_text("".join(policy_text(NEW).partition("  be:brief")[0]))
    others["mute"].write_text(UNCHECKED)
    jobs = {name: free_port() for name in ("desk", *others)}
    with ExitStack() as running:
        for name, path in {"desk": policy, **others}.items():
            running.enter_context(application(path, name, jobs[name]))
        asked = running.enter_context(prometheus_at(folder, jobs))
        for each in SEEN:
            eventually(lambda expr=each: asked.instant(expr), PATIENCE_S, each)  # type: ignore[misc]  # a lambda's default
        policy.write_text(policy_text(NEW))
        newer = f'specspan_decisions_total{{job="desk",specspan_spec_version="{NEW}"}} > 0'
        eventually(lambda: asked.instant(newer), PATIENCE_S, "the newer version")
        policy.write_text("clauses: {}\n")
        stale = 'specspan_policy_stale{job="desk"} == 1 and sum_over_time(specspan_policy_stale[5m]) > 5'
        eventually(lambda: asked.instant(stale), PATIENCE_S, "the refused policy")
        yield asked
