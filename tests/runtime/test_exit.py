"""A process ends, whatever its collector does, and the application's own providers are left to the application."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

import specspan
from specspan.runtime.configuration import SHUTDOWN_S

TOOL = Path(__file__).parents[2] / "tools" / "exit_times.py"
PATIENCE = {"OTEL_EXPORTER_OTLP_TIMEOUT": "3600"}
"""Patience of OpenTelemetry's exporters, in seconds: whoever waits for one of them does not end."""


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("exit_times", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["exit_times"] = module  # its dataclass looks itself up there
    spec.loader.exec_module(module)
    return module


CASES = [
    *(
        (collector, providers, "end of program")
        for collector in ("refused", "black hole")
        for providers in ("specspan's", "application's, never shut down")
    ),
    ("refused", "application's, never shut down", "specspan.shutdown()"),
]


@pytest.fixture(scope="module")
def exit_times_s(tool: ModuleType, request: pytest.FixtureRequest) -> dict[tuple[str, str, str], float | None]:
    """Return how long each program takes to end. They wait rather than work, and so run side by side."""
    name = test_a_program_ends_though_its_collector_is_down.__name__
    tests = [item for item in request.session.items if isinstance(item, pytest.Function)]
    asked = [each.callspec.params["case"] for each in tests if each.originalname == name]
    chosen = [case for case in CASES if case in asked]
    with ThreadPoolExecutor(len(chosen)) as pool:
        times = pool.map(lambda case: tool.exit_time_s(tool.Case(*case), 90, **PATIENCE), chosen)
        return dict(zip(chosen, times, strict=True))


@pytest.mark.xdist_group("exit_times")
@pytest.mark.parametrize("case", CASES, ids=", ".join)
@pytest.mark.table(every=2)
def test_a_program_ends_though_its_collector_is_down(
    exit_times_s: dict[tuple[str, str, str], float | None], case: tuple[str, str, str]
) -> None:
    """Its end, or what it asks for itself, waits for no exporter, nor for log records that a failing flush makes."""
    assert exit_times_s[case] is not None


OWN_PROVIDER = """
import multiprocessing, sys, threading
from opentelemetry import trace
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
import specspan

class Tells(SpanProcessor):
    def force_flush(self, timeout_millis=30000):
        print("flushed in", threading.current_thread().name, flush=True)
        return True
    def shutdown(self):
        print("shut down in", threading.current_thread().name, flush=True)

def end():
    pass

provider = TracerProvider(shutdown_on_exit=sys.argv[1] != "never")
provider.add_span_processor(Tells())
trace.set_tracer_provider(provider)
specspan.configure(decision_exporters=[])
if sys.argv[1] == "forks":
    child = multiprocessing.get_context("fork").Process(target=end)
    child.start()
    child.join()
    print("child ended", flush=True)
"""


@pytest.mark.parametrize(
    ("shuts_down", "told"),
    [
        ("itself", ["shut down in MainThread"]),
        ("never", ["flushed in specspan-flush-traces"]),
        ("forks", ["flushed in specspan-flush-traces", "child ended", "shut down in MainThread"]),
    ],
)
def test_who_ends_the_applications_provider(tmp_path: Path, shuts_down: str, told: list[str]) -> None:
    """A provider that shuts itself down is not touched; where nobody else would, as in a fork, it is flushed."""
    command = [sys.executable, "-W", "ignore", "-c", OWN_PROVIDER, shuts_down]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.splitlines() == told


class StuckExporter(SpanExporter):
    """Exporter whose backend never answers, until the test lets it go."""

    def __init__(self) -> None:
        self.may_go_on = threading.Event()
        self.was_called = threading.Event()

    def export(self, spans: object) -> SpanExportResult:
        self.was_called.set()
        self.may_go_on.wait()
        return SpanExportResult.FAILURE


@pytest.mark.usefixtures("nothing_configured")
def test_a_flush_that_hangs_is_waited_for_no_longer_than_asked() -> None:
    """`force_flush` says that something is left, again and again, and piles up no flushes meanwhile."""
    exporter = StuckExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    specspan.configure(tracer_provider=provider, decision_exporters=[])
    provider.get_tracer("application").start_span("work").end()

    assert not specspan.force_flush(0.01)
    assert exporter.was_called.wait(SHUTDOWN_S)
    assert not specspan.force_flush(0.01)
    assert not specspan.force_flush(0.0)
    exporter.may_go_on.set()
    assert specspan.force_flush(60)
    specspan.shutdown()
    assert provider.get_tracer("application").start_span("later").is_recording()
    provider.shutdown()


class BrokenProvider(TracerProvider):
    def force_flush(self, timeout_millis: int = 30000) -> bool:
        raise OSError("no such collector")


@pytest.mark.usefixtures("nothing_configured")
def test_a_flush_that_fails_is_told_where_it_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a provider raises ends no thread: it is contained like any failure, and flushing can be asked for again."""
    monkeypatch.delenv("SPECSPAN_RAISE_INTERNAL_ERRORS")
    specspan.configure(tracer_provider=BrokenProvider(shutdown_on_exit=False), decision_exporters=[])
    assert not specspan.force_flush(60)
    assert not specspan.force_flush(60)
