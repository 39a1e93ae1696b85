"""A policy, and a real Prometheus that has seen all that may go wrong under it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from backends import eventually, free_port, program
from grafana_desk import APPLICATION, NEW, policy_text, written_policy
from prometheus_server import Prometheus, prometheus, speaking

PATIENCE_S = 40
UNCHECKED = "spec: spec-2026-11.md\nclauses: {}\n"
QUIET = {"OTEL_TRACES_EXPORTER": "none", "SPECSPAN_DECISION_EXPORTER": "none"}
OFTEN = {"scrape_interval": "250ms", "scrape_timeout": "250ms"}
SEEN = (
    'specspan_decisions_total{specspan_spec_version="2026-05",specspan_decision_verdict="violated"}',
    "specspan_dropped_total",
)
"""What the first policy leads to."""


@pytest.fixture
def policy_file(tmp_path: Path) -> Path:
    """The policy's file, beside both versions of its spec."""
    return written_policy(tmp_path)


def scrapes(jobs: dict[str, int]) -> list[dict[str, Any]]:
    """Of applications by the names of their services."""
    return [{"job_name": name, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]} for name, port in jobs.items()]


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
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
            running.enter_context(speaking([APPLICATION, path, name, str(jobs[name])], **QUIET))
        asked = running.enter_context(prometheus(folder, {"global": OFTEN, "scrape_configs": scrapes(jobs)}))
        for each in SEEN:
            eventually(lambda expr=each: asked.query(expr), PATIENCE_S, each)  # type: ignore[misc]  # a lambda's default
        policy.write_text(policy_text(NEW))
        newer = f'specspan_decisions_total{{job="desk",specspan_spec_version="{NEW}"}} > 0'
        eventually(lambda: asked.query(newer), PATIENCE_S, "the newer version")
        policy.write_text("clauses: {}\n")
        stale = 'specspan_policy_stale{job="desk"} == 1 and sum_over_time(specspan_policy_stale[5m]) > 5'
        eventually(lambda: asked.query(stale), PATIENCE_S, "the refused policy")
        yield asked
