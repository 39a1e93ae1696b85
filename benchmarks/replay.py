"""Speed of a replay against that of the engine alone, on one core: calls in memory, and calls of a SQLite file."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags

from benchmarks.engine import build_policy
from benchmarks.measure import Row
from benchmarks.replayed_traffic import Recorded, Traffic
from specspan.bridges.dialect import RecordedSpan
from specspan.decision import Mode
from specspan.engine.engine import Engine
from specspan.engine.waiting import run_sync
from specspan.policy.policy import Policy
from specspan.replay.differences import Differences
from specspan.replay.recorded_call import read_recorded_call
from specspan.replay.replayer import Replayer
from specspan.replay.run import Replay, Window
from specspan.replay.stored_calls import recorded_result
from specspan.sqlite import Reader, SQLiteDecisionExporter, SQLiteSpanExporter

_CALLS, _ROUNDS = 1000, 5
_LIMIT = 1 / 0.8
"""Largest time of a call in a replay as a multiple of the engine's."""


def main() -> list[Row]:
    """Measure 100 clauses, 90 of them with a check, over calls of 2 kB each way; processor time, in turns."""
    policy = build_policy(60, 30, 10, mode=Mode.OBSERVE)
    traffic = Traffic(policy, {"word7": 0.01}, chars=2000)
    calls = list(traffic.calls(_CALLS))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "calls.db"
        _write(file, traffic, calls)
        works: dict[str, Callable[[], object]] = {
            "engine": lambda: _decide(policy, calls),
            "replay of calls in memory": lambda: _replay_in_memory(policy, traffic, calls),
            "replay of a SQLite file": lambda: _replay_file(policy, file),
        }
        times = {name: min(_cpu_us(work) for _ in range(_ROUNDS)) for name, work in works.items()}
    base = times.pop("engine")
    return [Row(name, taken, base, _LIMIT) for name, taken in times.items()]


def _cpu_us(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return (time.process_time() - start) / _CALLS * 1e6


def _decide(policy: Policy, calls: list[Recorded]) -> None:
    engine = Engine(policy)
    for each in calls:
        evaluation = engine.open(each.overrides, each.call)
        run_sync(evaluation.input(each.call))
        run_sync(evaluation.output(each.call))
        evaluation.decide()


def _replay_in_memory(policy: Policy, traffic: Traffic, calls: list[Recorded]) -> None:
    replayer, differences = Replayer(policy), Differences()
    for each in calls:
        recorded = read_recorded_call(each.record, RecordedSpan(each.attributes), policy=traffic.policy_record)
        differences.add(recorded.id, recorded_result(recorded), replayer.replay(recorded))
    _require_equal(differences)


def _replay_file(policy: Policy, file: Path) -> None:
    replay = Replay(policy, Window(None, 2**62))
    with Reader(file) as reader:
        replay.run(reader)
    _require_equal(replay.differences)


def _require_equal(differences: Differences) -> None:
    if differences.calls != _CALLS or not all(pair.is_equal for pair in differences.pairs()):
        raise RuntimeError("the policy that decided finds differences")


def _write(file: Path, traffic: Traffic, calls: list[Recorded]) -> None:
    decisions, spans = SQLiteDecisionExporter(file), SQLiteSpanExporter(file)
    decisions.export([traffic.policy_record, *(each.record for each in calls)])
    resource = Resource({"service.name": "desk"})
    spans.export(
        [
            ReadableSpan(
                "chat gpt-5",
                SpanContext(
                    int(each.record["trace_id"], 16),
                    int(each.record["span_id"], 16),
                    is_remote=False,
                    trace_flags=TraceFlags(1),
                ),
                resource=resource,
                attributes=dict(each.attributes),
                kind=SpanKind.CLIENT,
                start_time=int(each.record["time_unix_nano"]) - 10**8,
                end_time=int(each.record["time_unix_nano"]),
            )
            for each in calls
        ]
    )
    decisions.shutdown()
    spans.shutdown()
