"""configure(): what is in force after it, before it and when it fails."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from otlp_receiver import over_http

import specspan
from specspan.call import Message, ModelCall, Request, Response, Text
from specspan.decision import Mode
from specspan.engine.waiting import run_sync
from specspan.errors import ConfigurationError, MissingDependency, PolicyError
from specspan.instrument.gate import Pipeline, active
from specspan.record.call_end import Ending, EndKind, Timing
from specspan.sqlite import Reader

pytestmark = pytest.mark.usefixtures("nothing_configured")

SPEC = """
# Manners {#manners}

## Be kind {#be_kind authority=user}

Say nothing rude.
"""

POLICY = """
spec: manners.md
mode: enforce
clauses:
  be_kind:
    action: block
    checks:
      - pattern: {stage: output, any: ['shut up'], reason: rude}
"""


class Kept:
    """A decision exporter that says when it was shut down."""

    def __init__(self) -> None:
        self.records: list[Mapping[str, Any]] = []
        self.closed = False

    def export(self, records: Sequence[Mapping[str, Any]]) -> None:
        self.records.extend(records)

    def shutdown(self) -> None:
        self.closed = True


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    (tmp_path / "manners.md").write_text(SPEC)
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return path


@specspan.observe
def work() -> str:
    return "done"


def in_force() -> Pipeline:
    pipeline = active()
    assert pipeline is not None
    return pipeline


def answer(text: str) -> None:
    """Decide and record one answered call, as instrumentation does."""
    pipeline = in_force()
    request = Request("test", model="m", input=(Message("user", (Text("hello"),)),))
    call = ModelCall(request, Response(output=(Message("assistant", (Text(text),)),)))
    span = pipeline.recorder.start_call(request, call.context)
    decision = None
    if pipeline.engine is not None:
        evaluation = pipeline.engine.open()
        run_sync(evaluation.input(call))
        run_sync(evaluation.output(call))
        decision = evaluation.decide()
    pipeline.recorder.end_call(span, call, decision, Ending(EndKind.COMPLETED), Timing(0.001))


def test_spans_and_decisions_go_to_one_sqlite_file(policy: Path, tmp_path: Path) -> None:
    """Nothing but a policy given: after a flush, the file in the current folder holds spans and decisions."""
    specspan.configure(policy, service_name="shop")
    work()
    answer("shut up")
    assert specspan.force_flush()
    with Reader(tmp_path / "specspan.db") as reader:
        assert {trace.name for trace in reader.traces()} == {"work", "chat m"}
        [decision] = reader.decisions()
    assert (decision["verdict"], decision["governing_clause"]) == ("violated", "be_kind")
    assert decision["service"]["name"] == "shop"


def test_the_environment_is_named_by_argument_or_variable(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The argument goes before SPECSPAN_ENV; a name that the policy does not know is refused."""
    policy.write_text(POLICY + "environments: {production: {mode: enforce}, staging: {mode: observe}}\n")

    def mode_in_force() -> str:
        engine = in_force().engine
        assert engine is not None
        return f"{engine.policy.environment}: {engine.policy.mode}"

    monkeypatch.setenv("SPECSPAN_ENV", "staging")
    specspan.configure(policy)
    assert mode_in_force() == "staging: observe"
    specspan.configure(policy, environment="production")
    assert mode_in_force() == "production: enforce"
    with pytest.raises(specspan.PolicyError, match="Did you mean 'production'"):
        specspan.configure(policy, environment="prodution")
    assert mode_in_force() == "production: enforce"


def test_variables_name_policy_mode_and_file(policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SPECSPAN_POLICY, SPECSPAN_MODE and SPECSPAN_DB do what the arguments do."""
    monkeypatch.setenv("SPECSPAN_POLICY", str(policy))
    monkeypatch.setenv("SPECSPAN_MODE", "observe")
    monkeypatch.setenv("SPECSPAN_DB", str(tmp_path / "elsewhere.db"))
    specspan.configure()
    answer("shut up")
    specspan.shutdown()
    with Reader(tmp_path / "elsewhere.db") as reader:
        [decision] = reader.decisions()
    assert (decision["mode"], decision["would"]) == ("observe", "block")


def test_arguments_go_before_variables(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mode in code overrules a mode in the environment, and both the policy's."""
    monkeypatch.setenv("SPECSPAN_MODE", "enforce")
    specspan.configure(policy, mode=Mode.OBSERVE, decision_exporters=())
    engine = in_force().engine
    assert engine is not None
    assert engine.policy.mode is Mode.OBSERVE


def test_without_a_policy_calls_are_recorded_and_nothing_is_decided(tmp_path: Path) -> None:
    """Spans alone need no policy."""
    specspan.configure()
    answer("shut up")
    specspan.shutdown()
    with Reader(tmp_path / "specspan.db") as reader:
        assert [trace.name for trace in reader.traces()] == ["chat m"]
        assert reader.decisions() == []


def test_the_applications_provider_is_used_and_left_running(policy: Path, tmp_path: Path) -> None:
    """Given a provider, no other is made and no file of spans appears; it outlives us."""
    spans = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    specspan.configure(policy, tracer_provider=provider, decision_exporters=())
    work()
    specspan.shutdown()
    assert [span.name for span in spans.get_finished_spans()] == ["work"]
    assert not (tmp_path / "specspan.db").exists()
    provider.get_tracer("later").start_span("later").end()
    assert len(spans.get_finished_spans()) == 2
    provider.shutdown()


def test_a_second_configure_takes_over_and_flushes_the_first(policy: Path) -> None:
    """What the first was given is handed over and closed; the second has only its own."""
    first, second = Kept(), Kept()
    specspan.configure(policy, db="first.db", decision_exporters=[first])
    answer("shut up")
    specspan.configure(policy, db="second.db", decision_exporters=[second])
    assert first.closed
    assert [record["verdict"] for record in first.records if record["type"] == "decision"] == ["violated"]
    answer("good morning")
    specspan.shutdown()
    assert [record["verdict"] for record in second.records if record["type"] == "decision"] == ["complied"]


@pytest.mark.parametrize(
    ("misuse", "error", "message"),
    [
        ({"policy": "absent.yaml"}, PolicyError, r"absent\.yaml"),
        ({"mode": "strict"}, ConfigurationError, r"unknown mode 'strict'. Use one of observe, enforce"),
    ],
)
def test_misuse_is_refused_and_what_was_configured_stays(
    policy: Path, misuse: dict[str, Any], error: type[Exception], message: str
) -> None:
    """An error names what must change; the application goes on under the configuration it had."""
    specspan.configure(policy, decision_exporters=())
    before = in_force()
    with pytest.raises(error, match=message):
        specspan.configure(**{"policy": policy, **misuse})
    assert in_force() is before


def test_an_exporter_that_is_missing_is_refused(policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint without the exporters for it names the extra to install, and nothing is configured."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setattr(metadata, "entry_points", lambda **_: ())
    with pytest.raises(MissingDependency, match=r"pip install 'specspan\[otlp\]'"):
        specspan.configure(policy, decision_exporters=())
    assert active() is None


def test_an_endpoint_and_a_file_may_both_have_everything(
    policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spans go over OTLP; a file named in code keeps spans and decisions besides."""
    with over_http() as (endpoint, received):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{endpoint}/v1/traces")
        specspan.configure(policy, db=tmp_path / "both.db")
        answer("shut up")
        specspan.shutdown()
    assert received.names == ["chat m"]
    with Reader(tmp_path / "both.db") as reader:
        assert len(reader.traces()) == len(reader.decisions()) == 1


def test_decisions_stay_here_when_spans_go_away(policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With an endpoint, decision records still go to SQLite, unless SPECSPAN_DECISION_EXPORTER says otherwise."""
    with over_http() as (endpoint, _):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{endpoint}/v1/traces")
        specspan.configure(policy)
        answer("shut up")
        specspan.shutdown()
        with Reader(tmp_path / "specspan.db") as reader:
            assert (len(reader.traces()), len(reader.decisions())) == (0, 1)
        (tmp_path / "specspan.db").unlink()
        monkeypatch.setenv("SPECSPAN_DECISION_EXPORTER", "none")
        specspan.configure(policy)
        answer("shut up")
        specspan.shutdown()
    assert not (tmp_path / "specspan.db").exists()


def test_disabling_telemetry_does_not_lift_a_policy(
    policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OTEL_SDK_DISABLED records nothing; a policy in enforce mode still decides, one in observe mode has no use."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    specspan.configure(policy)
    assert in_force().engine is not None
    work()
    answer("shut up")
    specspan.configure(policy, mode="observe")
    assert active() is None
    specspan.shutdown()
    assert not (tmp_path / "specspan.db").exists()


def test_what_is_recorded_survives_the_end_of_the_program(policy: Path, tmp_path: Path) -> None:
    """A program that ends without a word hands over its spans and decisions on the way out."""
    script = f"""
import specspan
specspan.configure({str(policy)!r})

@specspan.observe
def work(): ...

work()
"""
    subprocess.run([sys.executable, "-c", script], check=True, cwd=tmp_path)
    with Reader(tmp_path / "specspan.db") as reader:
        assert [trace.name for trace in reader.traces()] == ["work"]


def test_flushing_and_shutting_down_are_harmless_at_any_time() -> None:
    """Before configure, twice, in any order: nothing happens."""
    assert specspan.force_flush()
    specspan.shutdown()
    specspan.shutdown()


def test_flushing_reports_what_was_not_handed_over() -> None:
    """False means that something was left; the application only reads it."""

    class Stuck(InMemorySpanExporter):
        def force_flush(self, timeout_millis: int = 30_000) -> bool:
            return False

    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(_Stubborn(Stuck()))
    specspan.configure(tracer_provider=provider, decision_exporters=())
    assert specspan.force_flush(0.1) is False
    specspan.shutdown()
    provider.shutdown()


class _Stubborn(BatchSpanProcessor):
    def force_flush(self, timeout_millis: int | None = None) -> bool:
        return False
