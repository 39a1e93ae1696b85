"""What the environment asks for."""

from __future__ import annotations

import pytest

from specspan.errors import ConfigurationError
from specspan.runtime import environment

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:4318"}


def test_nothing_set_means_one_sqlite_file() -> None:
    """Without a variable, spans and decisions go to SQLite, and no other signal anywhere."""
    read = environment.read_environment({})
    assert (read.traces, read.decisions, read.metrics, read.logs) == (("specspan_sqlite",), ("sqlite",), (), ())
    assert (read.disabled, read.policy, read.mode, read.policy_environment) == (False, None, None, None)


def test_an_endpoint_takes_every_signal_over_http() -> None:
    """One OTLP endpoint receives spans, metrics and logs, over HTTP as OpenTelemetry's default is."""
    read = environment.read_environment(ENDPOINT)
    assert read.traces == read.metrics == read.logs == ("otlp_proto_http",)
    assert read.decisions == ("sqlite",)


def test_an_endpoint_of_one_signal_is_for_that_signal() -> None:
    """A collector of traces alone, such as Jaeger, is sent no metrics."""
    read = environment.read_environment({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://localhost:4318/v1/traces"})
    assert (read.traces, read.metrics, read.logs) == (("otlp_proto_http",), (), ())


@pytest.mark.parametrize(
    ("variables", "traces", "metrics"),
    [
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "otlp_proto_grpc", "otlp_proto_grpc"),
        ({"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"}, "otlp_proto_grpc", "otlp_proto_http"),
        (
            {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/protobuf"},
            "otlp_proto_http",
            "otlp_proto_grpc",
        ),
    ],
)
def test_the_protocol_picks_the_exporter(variables: dict[str, str], traces: str, metrics: str) -> None:
    """The signal's own protocol goes before the common one."""
    read = environment.read_environment({**ENDPOINT, **variables})
    assert (read.traces, read.metrics) == ((traces,), (metrics,))


def test_named_exporters_go_before_endpoints() -> None:
    """OTEL_*_EXPORTER lists names, and ``none`` switches a signal off."""
    read = environment.read_environment(
        {**ENDPOINT, "OTEL_TRACES_EXPORTER": "console, otlp", "OTEL_METRICS_EXPORTER": "none"}
    )
    assert (read.traces, read.metrics, read.logs) == (("console", "otlp_proto_http"), (), ("otlp_proto_http",))


def test_decision_exporters_are_named_or_none() -> None:
    """SPECSPAN_DECISION_EXPORTER names them; ``none`` keeps no records."""
    assert environment.read_environment({"SPECSPAN_DECISION_EXPORTER": "none"}).decisions == ()
    assert environment.read_environment({"SPECSPAN_DECISION_EXPORTER": "sqlite,mine"}).decisions == ("sqlite", "mine")


def test_empty_variables_count_as_unset() -> None:
    """An empty value means the default, as OpenTelemetry has it."""
    empty = {"OTEL_TRACES_EXPORTER": " ", "OTEL_EXPORTER_OTLP_ENDPOINT": "", "SPECSPAN_POLICY": ""}
    assert environment.read_environment(empty) == environment.read_environment({})


def test_policy_mode_and_the_off_switch_are_read() -> None:
    """SPECSPAN_POLICY, SPECSPAN_MODE and OTEL_SDK_DISABLED in any case."""
    read = environment.read_environment(
        {"SPECSPAN_POLICY": "p.yaml", "SPECSPAN_MODE": "enforce", "OTEL_SDK_DISABLED": "True"}
    )
    assert (read.policy, read.mode, read.disabled) == ("p.yaml", "enforce", True)


def test_an_unknown_protocol_is_refused_by_name() -> None:
    """The message names the variable, the value and what would do."""
    with pytest.raises(ConfigurationError, match=r"OTEL_EXPORTER_OTLP_PROTOCOL: .*'http/json'.*http/protobuf, grpc"):
        environment.read_environment({**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"})


@pytest.mark.parametrize(
    ("said", "interval_s"),
    [("5", 5.0), ("0.5s", 0.5), ("10 s", 10.0), ("true", 2.0), ("ON", 2.0), ("off", None), ("0", None), ("", None)],
)
def test_reloading_is_asked_for_in_seconds(said: str, interval_s: float | None) -> None:
    """SPECSPAN_POLICY_RELOAD takes seconds, or yes and no."""
    assert environment.read_environment({"SPECSPAN_POLICY_RELOAD": said}).policy_reload_s == interval_s


@pytest.mark.parametrize("said", ["soon", "-1", "5m", "0.0", "90000", "1e3", "\N{ARABIC-INDIC DIGIT FIVE}"])
def test_no_time_between_looks_is_refused(said: str) -> None:
    """The variable is named, and what it takes."""
    with pytest.raises(ConfigurationError, match=r"^SPECSPAN_POLICY_RELOAD: invalid interval .*\. Give seconds"):
        environment.read_environment({"SPECSPAN_POLICY_RELOAD": said})


@pytest.mark.parametrize(("said", "bridges"), [("true", True), ("1", True), ("off", False), ("", False)])
def test_bridges_are_asked_for_or_not(said: str, bridges: bool) -> None:
    """One variable switches them on."""
    assert environment.read_environment({"SPECSPAN_BRIDGES": said}).bridges is bridges


def test_what_is_no_switch_is_refused() -> None:
    """The variable and the remedy are named."""
    with pytest.raises(ConfigurationError, match=r"SPECSPAN_BRIDGES: invalid switch 'all'. Use true or false"):
        environment.read_environment({"SPECSPAN_BRIDGES": "all"})
