"""Endurance of the default store: ``python -m benchmarks.endurance`` prints what each long run made, stored and lost.

``full-speed`` is one process that calls as fast as it can; ``processes`` are eight that call at a steady rate and share
one file; ``busy-thread`` writes batches of spans beside a thread that computes. Every call is decided under a policy of
a hundred clauses. What was made, what is stored and what was dropped must agree, else the exit status is 1.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from benchmarks.cost import policies
from specspan.sqlite import SQLiteSpanExporter

_PROCESSES, _RATE = 8, 100.0
_BATCH, _BATCHES = 512, 20
_ATTRIBUTES = {f"app.attribute_{number}": f"value {number}" for number in range(20)}


def run_full_speed(folder: Path, options: argparse.Namespace) -> bool:
    """Print what one process made and stored; return whether all of it arrived."""
    (found,) = _finish([_start(folder, "speed", options)])
    print(f"full speed: {found['wall_us']:,.0f} µs a call", _told([found]), sep="; ")
    return _is_whole([found])


def run_processes(folder: Path, options: argparse.Namespace) -> bool:
    """Print what eight processes made and stored in one file; return whether all of it arrived."""
    found = _finish([_start(folder, "rate", options) for _ in range(_PROCESSES)])
    print(f"{_PROCESSES} processes at {_RATE:.0f} calls a second", _told(found), sep="; ")
    return _is_whole(found)


def run_busy_thread(folder: Path, options: argparse.Namespace) -> bool:
    """Print how long batches of spans take beside a thread that computes; return whether each took 100 ms at most.

    The first batch makes the file and its tables, statement by statement, each of which waits for the interpreter: its
    time is told apart.
    """
    exporter, taken_ms = SQLiteSpanExporter(folder / "spans.db"), []
    with _busy_thread():
        for spans in (_make_spans() for _ in range(_BATCHES + 1)):
            start_s = time.perf_counter()
            exporter.write(spans)
            taken_ms.append((time.perf_counter() - start_s) * 1e3)
    exporter.shutdown()
    first_ms, worst_ms = taken_ms.pop(0), max(taken_ms)
    print(
        f"{_BATCH} spans beside a busy thread: median {statistics.median(taken_ms):.0f} ms, worst {worst_ms:.0f} ms",
        end="",
    )
    print(f"; the first, which makes the file, {first_ms:.0f} ms")
    return worst_ms <= 100


RUNS: dict[str, Callable[[Path, argparse.Namespace], bool]] = {
    "full-speed": run_full_speed,
    "processes": run_processes,
    "busy-thread": run_busy_thread,
}


def _start(folder: Path, measure: str, options: argparse.Namespace) -> subprocess.Popen[str]:
    policy = folder / "policy.yaml"
    if not policy.exists():
        policies.write_policy(folder, options.clauses)
    command = [sys.executable, "-m", "benchmarks.cost.process", "sqlite", measure, "--folder", str(folder)]
    command += ["--policy", str(policy), "--seconds", str(options.seconds), "--rate", str(_RATE)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _finish(processes: Sequence[subprocess.Popen[str]]) -> list[dict[str, Any]]:
    """Return what each process measured, the one that ended last as the last; stop at an error of any."""
    printed = [process.communicate() for process in processes]
    for process, (_, errors) in zip(processes, printed, strict=True):
        if process.returncode or errors:
            raise SystemExit(errors)
    found = [json.loads(out.splitlines()[-1]) for out, _ in printed]
    return sorted(found, key=lambda each: int(each["decision_rows"]))


def _told(found: Sequence[dict[str, Any]]) -> str:
    made = [each["calls"] for each in found]
    drops = "; ".join(f"{key} {count}" for each in found for key, count in each["drops"].items()) or "nothing"
    calls = f"{sum(made):,} calls" if len(made) == 1 else f"{sum(made):,} calls ({min(made):,} to {max(made):,} each)"
    stored = found[-1]
    rows = f"{stored['span_rows']:,} spans and {stored['decision_rows']:,} decisions stored"
    return f"{calls}; {rows}; dropped: {drops}; {stored['bytes'] / sum(made):,.0f} bytes a call"


def _is_whole(found: Sequence[dict[str, Any]]) -> bool:
    made = sum(each["calls"] for each in found)
    stored = found[-1]["span_rows"], found[-1]["decision_rows"]
    return stored == (made, made) and not any(each["drops"] for each in found)


def _make_spans() -> Sequence[ReadableSpan]:
    memory = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    for _ in range(_BATCH):
        provider.get_tracer("benchmarks").start_span("chat gpt-5", attributes=_ATTRIBUTES).end()
    return memory.get_finished_spans()


@contextmanager
def _busy_thread() -> Iterator[None]:
    stop = threading.Event()

    def compute() -> None:
        while not stop.is_set():
            sum(range(10_000))

    thread = threading.Thread(target=compute)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def main_command(arguments: list[str]) -> None:
    """Make the runs that the arguments name, by default all; exit with 1 where one did not keep up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="*", metavar="RUN", help=f"{', '.join(RUNS)}; by default all of them")
    parser.add_argument("--seconds", type=float, default=60.0, help="time of each run but the last")
    parser.add_argument("--clauses", type=int, default=100)
    options = parser.parse_args(arguments)
    if unknown := set(options.runs) - RUNS.keys():
        parser.error(f"no such run: {', '.join(sorted(unknown))}")
    kept_up = []
    for name in options.runs or RUNS:
        with tempfile.TemporaryDirectory() as place:
            kept_up.append(RUNS[name](Path(place), options))
    sys.exit(0 if all(kept_up) else 1)


if __name__ == "__main__":
    main_command(sys.argv[1:])
