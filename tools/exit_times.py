"""Table of how long a program takes to end while nothing takes its telemetry: ``python tools/exit_times.py``.

Every row is a process of its own that makes a few calls, whose collector refuses connections or accepts them and
never answers. Time runs from the last line of the program to the end of its process. ``without`` is the same program
without specspan, with spans and counters of its own.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

COLLECTORS = ("refused", "black hole")
PROVIDERS = ("specspan's", "application's", "application's, never shut down")
ENDINGS = ("end of program", "specspan.shutdown()")
TIMEOUT_S = 120.0

PROGRAM = """
import logging, sys, time, warnings
uses_specspan, providers, ending = sys.argv[1] == "with", sys.argv[2], sys.argv[3]

if providers.startswith("application's"):
    from opentelemetry import _logs, metrics, trace
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    shuts_down = "never" not in providers
    tracing = TracerProvider(shutdown_on_exit=shuts_down)
    tracing.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(tracing)
    reader = PeriodicExportingMetricReader(OTLPMetricExporter())
    metrics.set_meter_provider(MeterProvider([reader], shutdown_on_exit=shuts_down))
    log_records = LoggerProvider(shutdown_on_exit=shuts_down)
    log_records.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    _logs.set_logger_provider(log_records)
    warnings.simplefilter("ignore", DeprecationWarning)
    logging.getLogger().addHandler(LoggingHandler(logger_provider=log_records))


def ask(prompt):
    logging.getLogger("application").warning("asked %s", prompt)
    return prompt


if not uses_specspan:
    span_of = trace.get_tracer("application").start_as_current_span
    calls = metrics.get_meter("application").create_counter("calls")
    ask_untraced = ask

    def ask(prompt):
        with span_of("chat parrot"):
            calls.add(1)
            return ask_untraced(prompt)


if uses_specspan:
    import specspan

    specspan.configure(db="exit.db")
    ask = specspan.observe(model="parrot", provider="local")(ask)
for number in range(3):
    ask(f"question {number}")
print(time.monotonic(), flush=True)
if uses_specspan and ending == "specspan.shutdown()":
    specspan.shutdown()
"""


@dataclass(frozen=True, slots=True)
class Case:
    """Program to be ended."""

    collector: str
    providers: str
    ending: str
    uses_specspan: bool = True


def exit_time_s(case: Case, timeout_s: float = TIMEOUT_S, **variables: str) -> float | None:
    """Return the seconds from the program's last line to its end; None where it had not ended after ``timeout_s``.

    ``variables`` are added to the environment of the program.

    Raises:
        subprocess.CalledProcessError: the program failed.
    """
    with _collector(case.collector) as endpoint, tempfile.TemporaryDirectory() as folder:
        arguments = ["with" if case.uses_specspan else "without", case.providers, case.ending]
        with subprocess.Popen(  # noqa: S603 - the program is the one above
            [sys.executable, "-c", PROGRAM, *arguments],
            cwd=folder,
            env=_environment(endpoint) | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as process:
            line = process.stdout.readline() if process.stdout is not None else ""
            try:
                code = process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                process.kill()
                return None
            ended_s = time.monotonic()
        if code != 0 or not line:
            raise subprocess.CalledProcessError(code, arguments)
        return ended_s - float(line)


def _environment(endpoint: str) -> dict[str, str]:
    names = ("OTEL_", "SPECSPAN_")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(names)}
    exporters = {f"OTEL_{signal}_EXPORTER": "otlp" for signal in ("TRACES", "METRICS", "LOGS")}
    return inherited | exporters | {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}


@contextmanager
def _collector(kind: str) -> Iterator[str]:
    """Yield the address of a port that nobody listens on, or of one that takes connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if kind == "black hole":
            server.listen(128)
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def cases() -> Iterator[Case]:
    """Yield the rows of the table."""
    for collector in COLLECTORS:
        for providers in PROVIDERS:
            for ending in ENDINGS:
                yield Case(collector, providers, ending)


def main(timeout_s: float, export_timeout_s: str | None) -> None:
    """Print the table of all cases."""
    variables = {} if export_timeout_s is None else {"OTEL_EXPORTER_OTLP_TIMEOUT": export_timeout_s}
    print("| collector | providers | ending | without, s | with specspan, s |\n|---|---|---|---|---|")
    for case in cases():
        without = "–"
        if case.ending == ENDINGS[0] and case.providers != PROVIDERS[0]:
            bare = Case(case.collector, case.providers, case.ending, uses_specspan=False)
            without = _written(exit_time_s(bare, timeout_s, **variables), timeout_s)
        taken = _written(exit_time_s(case, timeout_s, **variables), timeout_s)
        print(f"| {case.collector} | {case.providers} | {case.ending} | {without} | {taken} |", flush=True)


def _written(taken_s: float | None, timeout_s: float) -> str:
    return f"> {timeout_s:.0f}" if taken_s is None else f"{taken_s:.1f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--timeout", type=float, default=TIMEOUT_S, help="seconds after which a program is killed")
    parser.add_argument("--export-timeout", help="patience of each exporter, in seconds: OTEL_EXPORTER_OTLP_TIMEOUT")
    options = parser.parse_args()
    main(options.timeout, options.export_timeout)
