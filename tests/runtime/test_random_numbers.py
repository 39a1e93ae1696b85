"""Random numbers: those of the application are its own, and its seed has no part in the ids of its calls."""

from __future__ import annotations

import os
import random
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from openai_wire import Wire, completion
from opentelemetry import trace
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from policies import Code, bound, policy

import specspan
from specspan.decision import Mode, Stage
from specspan.runtime import environment
from specspan.runtime.otel_providers import Providers, resolve_providers
from specspan.runtime.span_ids import RandomSpanIds
from specspan.sqlite import Reader

RULES = policy(
    bound("inline", Code(lambda call, texts: True, Stage.INPUT)),
    bound("timed", Code(lambda call, texts: False, Stage.OUTPUT, 60.0)),
    mode=Mode.ENFORCE,
)


@pytest.fixture(autouse=True)
def state_before() -> Iterator[None]:
    before = random.getstate()
    yield
    random.setstate(before)


@pytest.fixture
def configured(tmp_path: Path) -> Iterator[Path]:
    """Configured as an application without OpenTelemetry is, and instrumented."""
    specspan.configure(RULES, db=tmp_path / "specspan.db", sampling=0.5)
    specspan.instrument("openai")
    yield tmp_path / "specspan.db"
    specspan.uninstrument()
    specspan.shutdown()


def ask() -> None:
    with Wire(completion()).sync_client() as client:
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])


def test_calls_take_none_of_the_applications_random_numbers(configured: Path) -> None:
    """Neither making a call draws one, nor deciding, sampling and writing it down."""
    ask()  # whatever a client does when it is first used
    random.seed(7)
    before = random.getstate()
    for _ in range(20):
        ask()
    assert specspan.force_flush(30)
    assert random.getstate() == before


def test_a_program_that_seeds_before_each_call_has_a_trace_for_each(configured: Path) -> None:
    """As programs do that are to give the same results every time."""
    for _ in range(5):
        random.seed(7)
        ask()
    assert specspan.force_flush(30)
    with Reader(configured) as reader:
        assert len({decision["trace_id"] for decision in reader.decisions()}) == 5


def test_calls_take_none_of_numpys_random_numbers(configured: Path) -> None:
    """A program seeds these apart."""
    numpy = pytest.importorskip("numpy", reason="numpy is not installed: make environments ENVIRONMENTS=recorders")
    ask()
    numpy.random.seed(7)
    before = numpy.random.get_state(legacy=False)
    for _ in range(20):
        ask()
    assert specspan.force_flush(30)
    after = numpy.random.get_state(legacy=False)
    assert after["state"]["pos"] == before["state"]["pos"]
    assert (after["state"]["key"] == before["state"]["key"]).all()


def test_no_module_imports_a_library_with_random_numbers_of_its_own() -> None:
    """So their states cannot be touched; a classifier that a policy names hands arrays over, and draws nothing."""
    sources = Path(specspan.__file__).parent.rglob("*.py")
    imports = re.compile(r"^\s*(?:import|from)\s+(numpy|torch|tensorflow|jax)\b", re.MULTILINE)
    found = [(source.name, imports.findall(source.read_text(encoding="utf-8"))) for source in sources]
    assert len(found) > 100
    assert [each for each in found if each[1]] == [("text_classifier.py", ["numpy"])]


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Providers]:
    """Providers that are made where the application has none."""
    providers = resolve_providers(environment.read_environment({}), db=tmp_path / "spans.db")
    yield providers
    providers.shutdown()


def test_exemplars_are_not_drawn_with_the_applications_numbers(made: Providers) -> None:
    """A counter keeps the latest exemplar, and a histogram the latest of each bucket."""
    from specspan.runtime import otel_providers

    reader = InMemoryMetricReader()
    meters = otel_providers._meter_provider(made.resource, [reader], None)
    meter = meters.get_meter("test")
    counter, histogram = meter.create_counter("calls"), meter.create_histogram("duration")
    before = random.getstate()
    tracer = made.tracer.get_tracer("test")
    for number in range(1, 6):
        with trace.use_span(tracer.start_span("call"), end_on_exit=True):
            counter.add(number)
            histogram.record(number)
    assert random.getstate() == before
    data = reader.get_metrics_data()
    assert data is not None
    points = [
        point
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    ]
    assert [[exemplar.value for exemplar in point.exemplars] for point in points] == [[5], [5]]
    meters.shutdown()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_a_forked_child_makes_other_ids() -> None:
    """The child's random numbers begin anew."""
    ids = RandomSpanIds()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, f"{ids.generate_trace_id()} {ids.generate_span_id()}".encode())
        os._exit(0)
    os.waitpid(child, 0)
    os.close(write)
    with os.fdopen(read) as pipe:
        assert pipe.read().split() != [str(ids.generate_trace_id()), str(ids.generate_span_id())]
