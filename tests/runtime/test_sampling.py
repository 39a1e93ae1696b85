"""configure(sampling=…): a share of the traces by chance, every one worth keeping, and everything counted."""

from __future__ import annotations

import logging
import re
import tracemalloc
from collections import defaultdict
from pathlib import Path

import pytest
import yaml
from benchmarks import sampling as traffic
from opentelemetry.context import get_current
from opentelemetry.sdk.trace import TracerProvider
from otlp_receiver import Received, over_http

import specspan
from specspan import Keep, Sampling
from specspan.errors import ConfigurationError
from specspan.record import conventions
from specspan.record.sampling import tail
from specspan.record.sampling.tail import PendingTraces
from specspan.runtime import environment
from specspan.sqlite import Reader

pytestmark = pytest.mark.usefixtures("nothing_configured")
ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "sampling.md").read_text(encoding="utf-8")

POLICY = """
spec: manners.md
clauses:
  be_kind: {checks: [{pattern: {stage: output, any: ['shut up'], reason: rude}}]}
"""


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    (tmp_path / "manners.md").write_text("# Manners {#manners}\n\n## Be kind {#be_kind authority=user}\n\nBe kind.\n")
    (tmp_path / "policy.yaml").write_text(POLICY)
    return tmp_path / "policy.yaml"


@specspan.observe(model="m")
def reply(text: str) -> str:
    return text


@specspan.observe
def answer(text: str) -> str:
    return reply(text)


def stored(tmp_path: Path) -> tuple[list[tuple[str, int]], list[str]]:
    """Traces by name and number of spans, and the verdicts of decisions, after a flush."""
    assert specspan.force_flush()
    with Reader(tmp_path / "specspan.db") as reader:
        traces = [(trace.name, trace.spans) for trace in reader.traces()]
        return traces, [record["verdict"] for record in reader.decisions()]


def test_only_what_is_worth_keeping_is_kept_and_every_decision_recorded(policy: Path, tmp_path: Path) -> None:
    """At a ratio of 0, the violating call's trace is stored whole, the other's not; both decisions are recorded."""
    specspan.configure(policy, sampling=0.0)
    answer("with pleasure")
    answer("shut up")
    traces, verdicts = stored(tmp_path)
    assert traces == [("answer", 2)]
    assert sorted(verdicts) == ["complied", "violated"]


def exemplars(received: Received) -> dict[str, set[str]]:
    """The traces that exemplars name, by metric; of metrics that have some."""
    found: dict[str, set[str]] = defaultdict(set)
    for metric in received.metrics:
        points = [*metric.sum.data_points, *metric.gauge.data_points, *metric.histogram.data_points]
        found[metric.name] |= {each.trace_id.hex() for point in points for each in point.exemplars}
    return {name: traces for name, traces in found.items() if traces}


@pytest.mark.parametrize("asked", [None, "trace_based"])
def test_exemplars_lead_to_traces_that_are_kept(
    policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: str | None
) -> None:
    """At a ratio of 0, a violation's exemplar names its trace and nothing else has one; the variable rules."""
    if asked:
        monkeypatch.setenv("OTEL_METRICS_EXEMPLAR_FILTER", asked)
    with over_http() as (endpoint, received):
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", f"{endpoint}/v1/metrics")
        specspan.configure(policy, sampling=0.0)
        answer("with pleasure")
        answer("shut up")
        assert specspan.force_flush()
        specspan.shutdown()
    with Reader(tmp_path / "specspan.db") as reader:
        (kept,) = {trace.trace_id for trace in reader.traces()}
    assert {metric.name for metric in received.metrics} >= {"gen_ai.client.operation.duration", "specspan.findings"}
    assert exemplars(received) == ({} if asked else {"specspan.findings": {kept}, "specspan.decisions": {kept}})


@pytest.mark.parametrize(
    ("attributes", "wanted"),
    [
        ({conventions.FINDING_OUTCOME: "error"}, True),
        ({conventions.DECISION_ACTION: "block"}, True),
        ({conventions.ERROR_TYPE: conventions.ERROR_BLOCKED}, True),
        ({conventions.OVERRIDE_RULING: "refused"}, True),
        ({conventions.OVERRIDE_RULING: "granted"}, False),
        ({conventions.FINDING_OUTCOME: "uncertain"}, False),
        ({}, False),
    ],
)
def test_what_is_kept_may_be_an_exemplar(attributes: dict[str, str], wanted: bool) -> None:
    """What a measurement says of itself counts in a trace that chance leaves out, and outside of traces never."""
    sampling = Sampling(0)
    wants = tail.exemplar_filter(sampling).should_sample
    with TracerProvider(tail.sampler(sampling), shutdown_on_exit=False).get_tracer("t").start_as_current_span("s"):
        assert wants(1, 0, attributes, get_current()) is wanted
    assert not wants(1, 0, attributes, get_current())


def test_the_environment_asks_for_it(policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SPECSPAN_SAMPLING_RATIO and SPECSPAN_SAMPLING_KEEP stand for the argument, which goes before them."""
    monkeypatch.setenv("SPECSPAN_SAMPLING_RATIO", "0")
    monkeypatch.setenv("SPECSPAN_SAMPLING_KEEP", "failed")
    specspan.configure(policy)
    answer("shut up")
    assert stored(tmp_path)[0] == []
    specspan.configure(policy, sampling=1)
    answer("with pleasure")
    assert stored(tmp_path)[0] == [("answer", 2)]


def test_what_is_kept_stands_beside_opentelemetrys_sampler(
    policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OTEL_TRACES_SAMPLER alone loses the violation; with SPECSPAN_SAMPLING_KEEP it is kept."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    specspan.configure(policy)
    answer("shut up")
    assert stored(tmp_path)[0] == []
    monkeypatch.setenv("SPECSPAN_SAMPLING_KEEP", "violated")
    specspan.configure(policy)
    answer("shut up")
    assert stored(tmp_path)[0] == [("answer", 2)]


def test_the_variables_are_read() -> None:
    """A ratio, words of what is kept, both or none."""
    ratio, keep = "SPECSPAN_SAMPLING_RATIO", "SPECSPAN_SAMPLING_KEEP"
    assert environment.read_environment({}).sampling is None
    assert environment.read_environment({ratio: "0.01"}).sampling == Sampling(0.01)
    assert environment.read_environment({keep: "violated, failed"}).sampling == Sampling(
        None, frozenset({Keep.VIOLATED, Keep.FAILED})
    )
    assert environment.read_environment({ratio: "0", keep: "none"}).sampling == Sampling(0.0, frozenset())


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"SPECSPAN_SAMPLING_RATIO": "1%"}, "SPECSPAN_SAMPLING_RATIO.*invalid share of traces '1%'"),
        ({"SPECSPAN_SAMPLING_RATIO": "nan"}, "invalid share of traces 'nan'"),
        ({"SPECSPAN_SAMPLING_KEEP": "violation"}, "unknown reason to keep a trace 'violation'.*violated, error"),
    ],
)
def test_nonsense_in_a_variable_is_refused(variables: dict[str, str], message: str) -> None:
    """The variable and what it may be are named."""
    with pytest.raises(ConfigurationError, match=re.compile(message, re.DOTALL)):
        environment.read_environment(variables)


def test_nonsense_in_code_is_refused() -> None:
    """A share beyond 1."""
    with pytest.raises(ConfigurationError, match=re.escape("configure(sampling=…)")):
        specspan.configure(sampling=10)


def test_an_applications_own_provider_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    """Sampling that cannot be had there is said, with the way to have it."""
    provider = TracerProvider(shutdown_on_exit=False)
    with caplog.at_level(logging.WARNING, "specspan"):
        specspan.configure(sampling=0.5, tracer_provider=provider, decision_exporters=())
    assert "the sampler and the processor of specspan.record.sampling.tail" in caplog.text
    provider.shutdown()


def test_sampling_loses_nothing_that_matters() -> None:
    """3,000 calls, 200 at a time, 1 % kept by chance and 1 % violating: whole, counted, within the bound."""
    sampling = Sampling(0.01, max_bytes=8 << 20)
    found = traffic.run(sampling, calls=3_000, one_violates_in=100)
    assert found.complaints(sampling.max_bytes) == []
    assert (found.violating, found.broken) == (30, 0)
    assert 30 < found.kept < 120


def test_a_bound_too_small_is_kept_and_the_loss_is_told() -> None:
    """With memory for a few traces at a time, it is never exceeded, and what was torn is counted."""
    sampling = Sampling(0.0, max_bytes=100_000)
    found = traffic.run(sampling, calls=600, one_violates_in=10)
    assert found.peak_bytes <= sampling.max_bytes
    assert (found.counted, found.recorded) == (600, 600)
    assert found.broken > 0
    assert found.lost["span", "memory"] > 0
    assert found.lost["trace", "kept_in_part"] == found.broken


@pytest.mark.parametrize("text", ["x" * 20, "é" * 20_000])
def test_estimates_of_memory_are_no_less_than_what_is_taken(text: str) -> None:
    """What Python allocates for held spans of calls stays below what is counted against the bound."""
    sampling = Sampling(0.0)
    held = PendingTraces(sampling)
    provider = TracerProvider(shutdown_on_exit=False)
    tracer = provider.get_tracer("test")
    tracemalloc.start()
    try:
        before_bytes = tracemalloc.get_traced_memory()[0]
        for number in range(300):
            span = tracer.start_span("chat")
            span.set_attributes({f"attribute.{each}": f"{each}{text[:500]}" for each in range(25)})
            span.add_event("specspan.finding", {f"finding.{each}": f"{number}{each}" for each in range(12)})
            span.set_attribute("content", f"{number}{text}")
            span.end()
            held.on_start(number)
            held.on_start(number)
            held.on_end(number, span._readable_span())  # type: ignore[attr-defined]  # what a processor is given
        taken_bytes = tracemalloc.get_traced_memory()[0] - before_bytes
    finally:
        tracemalloc.stop()
    provider.shutdown()
    assert 0.3 * held.size_bytes < taken_bytes < held.size_bytes


def test_the_collector_keeps_by_the_names_that_are_recorded() -> None:
    """Every attribute that the tail-sampling configuration asks for is one that specspan records."""
    path = ROOT / "exporters" / "otlp" / "tail-sampling.yaml"
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    policies = config["processors"]["tail_sampling"]["policies"]
    asked = {each["string_attribute"]["key"] for each in policies if "string_attribute" in each}
    asked |= set(re.findall(r'attributes\["([^"]+)"\]', path.read_text(encoding="utf-8")))
    assert len(asked) == 8
    assert asked <= {value for value in vars(conventions).values() if isinstance(value, str)}
    assert set(config["service"]["pipelines"]["traces"]["processors"]) <= set(config["processors"])


def test_the_page_names_what_there_is() -> None:
    """docs/sampling.md lists the reasons that are kept by default, all others, and the bounds."""
    usual = ",".join(each.value for each in Keep if each in Sampling().keep)
    assert f"`{usual}`" in PAGE
    assert all(f"`{each.value}`" in PAGE or each in Sampling().keep for each in Keep)
    assert Sampling().max_bytes == 64 << 20
    assert f"`max_age_s` ({Sampling().max_age_s:.0f} s)" in PAGE
