"""One configuration, measured in this process: ``python -m benchmarks.cost.process`` prints a line of JSON."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import logging
import sqlite3
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.cost import calls, setups

_WARM_UP_CALLS = 300


def main(arguments: list[str]) -> None:
    """Measure what the arguments name, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("setup")
    parser.add_argument("measure", choices=_MEASURES)
    parser.add_argument("--policy", type=Path)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--endpoint", default="")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=150.0)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.ERROR)
    try:
        setup = setups.start(options.setup, options.policy, options.folder, options.endpoint)
    except ImportError as error:
        print(json.dumps({"missing": str(error)}))
        return
    measured = _MEASURES[options.measure](setup, options)
    setup.shutdown()
    print(json.dumps({**measured, **_losses(options.setup), **_stored(options.folder)}))


def _measure_cost(setup: setups.Setup, options: argparse.Namespace) -> dict[str, Any]:
    """Make as many calls as each line of the input says; print the time of a call of each such turn, flush included.

    Processor time is the whole process's, with its background threads.
    """
    call = calls.make_call()
    _repeat(call, _WARM_UP_CALLS)
    made, flushed = _WARM_UP_CALLS, setup.flush()
    gc.collect()
    print("{}", flush=True)
    for line in sys.stdin:
        made += (number := int(line))
        start_s, start_cpu_s = time.perf_counter(), time.process_time()
        _repeat(call, number)
        wall_s = time.perf_counter() - start_s
        flushed = setup.flush() is not False and flushed
        cpu_s = time.process_time() - start_cpu_s
        print(json.dumps({"cpu_us": cpu_s / number * 1e6, "wall_us": wall_s / number * 1e6}), flush=True)
    return {"calls": made, "flushed": flushed is not False}


def _measure_speed(setup: setups.Setup, options: argparse.Namespace) -> dict[str, Any]:
    """Return the number of calls made at full speed for some seconds."""
    call = calls.make_call()
    end_s = time.perf_counter() + options.seconds
    made = 0
    while time.perf_counter() < end_s:
        call()
        made += 1
    return {"calls": made, "wall_us": options.seconds / made * 1e6}


def _measure_rate(setup: setups.Setup, options: argparse.Namespace) -> dict[str, Any]:
    """Return the number of calls made at a steady rate by one thread."""
    call = calls.make_call()
    start_s, made = time.perf_counter(), int(options.rate * options.seconds)
    for number in range(made):
        _wait_until(start_s + number / options.rate)
        call()
    return {"calls": made}


def _measure_loop(setup: setups.Setup, options: argparse.Namespace) -> dict[str, Any]:
    """Return how late an event loop wakes for calls at a steady rate, in milliseconds."""
    late_ms = asyncio.run(_run_loop(options.rate, options.seconds))
    return {"calls": len(late_ms), **_percentiles("late", late_ms)}


async def _run_loop(rate: float, seconds: float) -> list[float]:
    call = calls.make_async_call()
    for _ in range(50):
        await call()
    late_ms, start_s = [], time.perf_counter()
    for number in range(int(rate * seconds)):
        due_s = start_s + number / rate
        await asyncio.sleep(max(0.0, due_s - time.perf_counter()))
        late_ms.append((time.perf_counter() - due_s) * 1e3)
        await call()
    return late_ms


def _measure_server(setup: setups.Setup, options: argparse.Namespace) -> dict[str, Any]:
    """Return the time that requests to a threaded server take which makes one call for each, in milliseconds."""
    call = calls.make_call()
    taken_ms: list[float] = []

    def ask(thread: int, threads: int) -> None:
        start_s = time.perf_counter() + thread / options.rate
        for number in range(int(options.rate * options.seconds / threads)):
            _wait_until(due_s := start_s + number * threads / options.rate)
            call()
            taken_ms.append((time.perf_counter() - due_s) * 1e3)

    threads = [threading.Thread(target=ask, args=(number, 4)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {"calls": len(taken_ms), **_percentiles("server", taken_ms)}


_MEASURES: dict[str, Callable[[setups.Setup, argparse.Namespace], dict[str, Any]]] = {
    "cost": _measure_cost,
    "speed": _measure_speed,
    "rate": _measure_rate,
    "loop": _measure_loop,
    "server": _measure_server,
}


def _repeat(call: Callable[[], object], times: int) -> None:
    for _ in range(times):
        call()


def _wait_until(due_s: float) -> None:
    wait_s = due_s - time.perf_counter()
    if wait_s > 0:
        time.sleep(wait_s)


def _percentiles(name: str, values_ms: list[float]) -> dict[str, float]:
    values_ms = sorted(values_ms)
    p50, p99 = (values_ms[int(len(values_ms) * share)] for share in (0.5, 0.99))
    return {f"{name}_p50_ms": p50, f"{name}_p99_ms": p99, f"{name}_worst_ms": values_ms[-1]}


def _losses(setup: str) -> dict[str, Any]:
    if "specspan" not in sys.modules:
        return {}
    from specspan._support import drop_counts

    return {"drops": {" ".join(key): count for key, count in drop_counts.totals().items()}}


_COUNTS = {
    "span": "SELECT count(*) FROM span_row",
    "decision": "SELECT count(*) FROM decision_row",
    "finding": "SELECT coalesce(sum(count), 0) FROM clause_count",  # the view of findings expands every one of them
}


def _stored(folder: Path) -> dict[str, Any]:
    files = [file for file in folder.iterdir() if file.suffix in (".db", ".jsonl") or ".db-" in file.name]
    stored: dict[str, Any] = {"bytes": sum(file.stat().st_size for file in files)}
    database = folder / "specspan.db"
    if database.exists():
        connection = sqlite3.connect(database)
        for name, question in _COUNTS.items():
            stored[f"{name}_rows"] = connection.execute(question).fetchone()[0]
        connection.close()
    return stored


if __name__ == "__main__":
    main(sys.argv[1:])
