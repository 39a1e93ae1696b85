"""OpenTelemetry's providers, given, found or made."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from importlib import metadata
from pathlib import Path

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SpanExportResult
from otlp_receiver import Received, over_grpc, over_http

from specspan.errors import ConfigurationError, MissingDependency
from specspan.runtime import environment
from specspan.runtime import otel_providers as exporters
from specspan.runtime import otel_providers as providers
from specspan.sqlite import Reader

Receiver = Callable[[], AbstractContextManager[tuple[str, Received]]]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Callable[[dict[str, str]], providers.Providers]]:
    """Makes providers for given variables, and shuts them down."""
    all_made = []

    def make(variables: dict[str, str]) -> providers.Providers:
        all_made.append(
            providers.resolve_providers(
                environment.read_environment(variables), service_name="shop", db=tmp_path / "spans.db"
            )
        )
        return all_made[-1]

    yield make
    for each in all_made:
        each.shutdown()


def test_without_a_variable_spans_go_to_one_sqlite_file(
    made: Callable[[dict[str, str]], providers.Providers], tmp_path: Path
) -> None:
    """The embedded default holds what was flushed, under the service's name; no other signal costs anything."""
    found = made({})
    found.tracer.get_tracer("test").start_span("work").end()
    assert found.force_flush(5.0)
    with Reader(tmp_path / "spans.db") as reader:
        assert [(trace.name, trace.service) for trace in reader.traces()] == [("work", "shop")]
    assert (found.meter, found.logger) == (None, None)


def test_a_flush_says_whether_the_receiver_took_what_was_there(
    made: Callable[[dict[str, str]], providers.Providers], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that an exporter could not hand over makes the flush fail that waits for it, and no later one."""
    results = iter((SpanExportResult.FAILURE, OSError("gone"), SpanExportResult.SUCCESS))

    def export(_: object, spans: object) -> SpanExportResult:
        result = next(results)
        if isinstance(result, OSError):
            raise result
        return result

    monkeypatch.setattr(ConsoleSpanExporter, "export", export)
    found = made({"OTEL_TRACES_EXPORTER": "console"})
    flushed = []
    for name in "abc":
        found.tracer.get_tracer("test").start_span(name).end()
        flushed.append(found.force_flush(10.0))
    assert flushed == [False, False, True]
    assert found.force_flush(10.0)


@pytest.mark.parametrize(("receiver", "protocol"), [(over_http, "http/protobuf"), (over_grpc, "grpc")])
def test_an_endpoint_receives_spans_over_its_protocol(
    made: Callable[[dict[str, str]], providers.Providers],
    receiver: Receiver,
    protocol: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """OpenTelemetry's own exporters carry spans over OTLP, HTTP or gRPC, to the endpoint of its own variable."""
    with receiver() as (endpoint, received):
        address = f"{endpoint}/v1/traces" if protocol == "http/protobuf" else endpoint
        variables = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": address, "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        found = made(variables)
        found.tracer.get_tracer("test").start_span("work").end()
        assert found.force_flush(5.0)
        found.shutdown()
    assert received.names == ["work"]


@pytest.mark.parametrize(
    ("variables", "encoding"),
    [
        ({}, "gzip"),
        ({"OTEL_EXPORTER_OTLP_COMPRESSION": "none"}, None),
        ({"OTEL_EXPORTER_OTLP_TRACES_COMPRESSION": "none"}, None),
        ({"OTEL_EXPORTER_OTLP_LOGS_COMPRESSION": "none"}, "gzip"),
    ],
)
def test_otlp_is_compressed_unless_the_environment_says_otherwise(
    variables: dict[str, str], encoding: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exporters that are made here use gzip; the common variable, and the signal's own, go before."""
    with over_http() as (endpoint, received):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        exporter = exporters.create_exporter(exporters.TRACES, "otlp_proto_http")
        exporter.export([])
        exporter.shutdown()
    assert received.encodings == [encoding]


def test_every_signal_is_compressed_over_both_protocols() -> None:
    """Metrics and log records as well as spans, over gRPC as over HTTP."""
    compressions = []
    for protocol in ("http", "grpc"):
        for group in (exporters.TRACES, exporters.METRICS, exporters.LOGS):
            exporter = exporters.create_exporter(group, f"otlp_proto_{protocol}")
            compressions.append(exporter._compression)
            exporter.shutdown()
    assert [each.name.casefold() for each in compressions] == ["gzip"] * 6


def test_a_provider_given_is_used_and_left_running() -> None:
    """What the application made is its own to end: shutting down flushes it and no more."""
    own = TracerProvider(shutdown_on_exit=False)
    found = providers.resolve_providers(environment.read_environment({}), (own, None, None))
    assert found.tracer is own
    assert found.resource is own.resource
    found.shutdown()
    assert own.get_tracer("test").start_span("later").is_recording()
    own.shutdown()


def test_the_applications_global_provider_is_joined() -> None:
    """Where the application set up OpenTelemetry, its provider is used, and nothing is made or set beside it."""
    script = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SpanExportResult
from specspan.runtime import environment, otel_providers as providers
nothing_set = providers.resolve_providers(environment.read_environment({"OTEL_TRACES_EXPORTER": "none"}))
assert nothing_set.owned, "none is set yet"
assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider), "and none is set by us"
trace.set_tracer_provider(TracerProvider())
found = providers.resolve_providers(environment.read_environment({}))
assert found.tracer is trace.get_tracer_provider()
assert not found.owned
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_an_exporter_nobody_registered_is_refused_by_name() -> None:
    """The message names it, its group, and those that are installed."""
    with pytest.raises(ConfigurationError, match=r"'jaegerr'.*opentelemetry_traces_exporter.*console"):
        exporters.create_exporter(exporters.TRACES, "jaegerr")


def test_a_missing_otlp_exporter_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The remedy is the line to run."""
    monkeypatch.setattr(metadata, "entry_points", lambda **_: ())
    with pytest.raises(MissingDependency, match=r"pip install 'specspan\[otlp\]'"):
        exporters.create_exporter(exporters.TRACES, "otlp_proto_http")


@pytest.mark.parametrize(
    ("group", "name", "extra"),
    [
        (exporters.DECISIONS, "alertmanager", "alerts"),
        (exporters.DECISIONS, "webhook", "alerts"),
        (exporters.METRICS, "prometheus", "prometheus"),
    ],
)
def test_an_exporter_of_an_extra_names_it(group: str, name: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The distribution that registers it is known, installed or not."""
    monkeypatch.setattr(metadata, "entry_points", lambda **_: ())
    with pytest.raises(MissingDependency, match=rf"pip install 'specspan\[{extra}\]'"):
        exporters.create_exporter(group, name)


def test_the_exporters_that_specspan_carries_need_no_other_distribution(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whatever is registered under their names, specspan writes by what it reads with."""
    other = metadata.EntryPoint("sqlite", "builtins:dict", exporters.DECISIONS)
    monkeypatch.setattr(metadata, "entry_points", lambda **_: (other,))
    for group, name in ((exporters.DECISIONS, "sqlite"), (exporters.TRACES, "specspan_sqlite")):
        exporter = exporters.create_exporter(group, name, db=tmp_path / "found.db")
        assert type(exporter).__module__ == "specspan.sqlite.exporters"
        exporter.shutdown()


def test_an_exporter_that_cannot_be_made_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an exporter's constructor raises is told as what must change, with its cause."""
    needs_an_argument = metadata.EntryPoint("mine", "builtins:open", exporters.TRACES)
    monkeypatch.setattr(metadata, "entry_points", lambda **_: (needs_an_argument,))
    with pytest.raises(ConfigurationError, match="exporter 'mine': could not be made: TypeError") as raised:
        exporters.create_exporter(exporters.TRACES, "mine")
    assert isinstance(raised.value.__cause__, TypeError)
