"""`tail-sampling.yaml` on a real Collector: what it keeps whole across services, and what it drops."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from backends import eventually
from collector_server import collector, shipped
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.util.types import AttributeValue
from otlp_receiver import Received, over_grpc

CONFIGURATION = Path(__file__).resolve().parents[1] / "tail-sampling.yaml"
SERVICES = Path(__file__).with_name("services.py")
PATIENCE_S = 20.0

SPEC = "# Rules {#rules}\n\n## Keep numbers private {#numbers authority=root}\n\nNone leaves the house.\n"
POLICY = """\
spec: spec.md
clauses:
  numbers:
    severity: high
    checks: [{pattern: {stage: output, any: ['[0-9]{4}'], reason: number}}]
"""

WORTH_KEEPING: list[tuple[str, AttributeValue]] = [
    ("specspan.decision.verdict", "violated"),
    ("specspan.decision.verdict", "error"),
    ("specspan.clauses.violated", ("numbers",)),
    ("specspan.clauses.errored", ("numbers",)),
    ("specspan.overrides.refused", ("numbers",)),
    ("specspan.finding.outcome", "violated"),
    ("specspan.finding.outcome", "error"),
    ("specspan.decision.action", "block"),
    ("error.type", "specspan.blocked"),
    ("specspan.sampling.kept", "violated"),
]
ORDINARY: list[tuple[str, AttributeValue]] = [
    ("specspan.decision.verdict", "complied"),
    ("specspan.decision.verdict", "uncertain"),
    ("specspan.clauses.uncertain", ("numbers",)),
    ("specspan.finding.outcome", "complied"),
    ("specspan.decision.action", "flag"),
    ("error.type", "TimeoutError"),
    ("desk.said", "violated"),
]


@contextmanager
def sampling(share_percent: int, folder: Path) -> Iterator[tuple[str, Received]]:
    """The configuration with another share of ordinary traces and a short wait: its endpoint, and what it passes on."""
    configuration = shipped(CONFIGURATION)
    tail = configuration["processors"]["tail_sampling"]
    tail["decision_wait"] = "1s"
    (chance,) = [policy for policy in tail["policies"] if policy["type"] == "probabilistic"]
    assert chance["probabilistic"] == {"sampling_percentage": 1}
    chance["probabilistic"]["sampling_percentage"] = share_percent
    with over_grpc() as (backend, received):
        (exporter,) = configuration["exporters"].values()
        exporter |= {"endpoint": backend, "tls": {"insecure": True}}
        with collector(configuration, folder) as endpoint:
            yield endpoint, received


def arrived(received: Received) -> dict[str, list[str]]:
    """The names of the spans that came in, by trace."""
    traces = defaultdict(list)
    for span in received.spans:
        traces[span.trace_id.hex()].append(span.name)
    return {trace_id: sorted(names) for trace_id, names in traces.items()}


@pytest.mark.parametrize("share_percent", [0, 100])
def test_a_trace_of_two_services_is_kept_whole_or_not_at_all(share_percent: int, tmp_path: Path) -> None:
    """A violation in one service keeps the spans of both; a trace without one is kept by chance alone."""
    (tmp_path / "spec.md").write_text(SPEC)
    (tmp_path / "policy.yaml").write_text(POLICY)
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("OTEL_", "SPECSPAN_"))}
    with sampling(share_percent, tmp_path) as (endpoint, received):
        variables = {
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{endpoint}/v1/traces",
            "SPECSPAN_DECISION_EXPORTER": "none",
        }
        command = [sys.executable, str(SERVICES), "gateway", "policy.yaml", "Good morning.", "It is 1234."]
        ran = subprocess.run(
            command, env=inherited | variables, cwd=tmp_path, capture_output=True, text=True, timeout=90, check=False
        )
        assert ran.returncode == 0, ran.stderr
        ordinary, violating = json.loads(ran.stdout)
        whole = ["ask", "chat parrot", "work"]
        wanted = {violating: whole} | ({ordinary: whole} if share_percent else {})
        eventually(lambda: wanted.items() <= arrived(received).items(), PATIENCE_S, "the spans of both services")
    assert arrived(received) == wanted


def test_each_sign_that_something_is_worth_keeping_keeps_a_trace(tmp_path: Path) -> None:
    """Every attribute that specspan's own sampling goes by, on a span below another, and none that resembles one."""
    with sampling(0, tmp_path) as (endpoint, received):
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces")))
        of_trace: dict[str, tuple[str, AttributeValue]] = {}
        for key, value in [*ORDINARY, *WORTH_KEEPING]:
            tracer = provider.get_tracer("desk")
            with tracer.start_as_current_span("ask") as root, tracer.start_as_current_span("work") as span:
                span.set_attribute(key, value)
            of_trace[f"{root.get_span_context().trace_id:032x}"] = (key, value)
        provider.shutdown()

        def kept() -> list[tuple[str, AttributeValue]]:
            return sorted(of_trace[trace_id] for trace_id in arrived(received))

        wanted = sorted(WORTH_KEEPING)
        eventually(lambda: len(kept()) >= len(wanted), PATIENCE_S, f"{len(wanted)} traces")
    assert kept() == wanted
    assert all(names == ["ask", "work"] for names in arrived(received).values())
