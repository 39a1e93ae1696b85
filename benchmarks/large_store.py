"""Large file of the default store: ``python -m benchmarks.large_store`` prints its size and how long questions take.

Decisions and their spans go through the exporters, in batches, as a process writes them: copies of real calls under a
policy of a hundred clauses, of which one in two hundred violates a clause, each with an id and a time of its own, over
thirty days and four services. Then the questions of the command line are asked of the file, each several times by a new
reader.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext, TraceFlags

import specspan
from benchmarks.cost import calls, policies
from specspan.sqlite import Filter, Reader, SQLiteDecisionExporter, SQLiteSpanExporter

Record = dict[str, Any]

_BATCH = 512
_DAYS = 30
_VIOLATED_SHARE = 1 / 200
_SERVICES = ("gateway", "agent", "search", "billing")
_REPEATS = 5


class _Kept:
    """Exporter of decisions that keeps them."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def export(self, records: Sequence[Mapping[str, Any]]) -> None:
        self.records.extend(dict(record) for record in records)

    def shutdown(self) -> None:
        return


def make_call(folder: Path, clauses: int, violated: int) -> tuple[Record, Record, ReadableSpan]:
    """Return the policy's record, the decision's record and the span of one call."""
    folder.mkdir()
    kept, spans = _Kept(), InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    policy = policies.write_policy(folder, clauses, violated)
    specspan.configure(policy, tracer_provider=provider, decision_exporters=[kept])
    specspan.instrument("openai")
    calls.make_call()()
    specspan.force_flush(10)
    specspan.shutdown()
    by_type = {record["type"]: record for record in kept.records}
    return by_type["policy"], by_type["decision"], spans.get_finished_spans()[-1]


def fill(path: Path, decisions: int, clauses: int, folder: Path) -> None:
    """Write decisions and their spans into a file, in batches."""
    complied = make_call(folder / "complied", clauses, 0)
    violated = make_call(folder / "violated", clauses, 1)
    record_exporter, span_exporter = SQLiteDecisionExporter(path), SQLiteSpanExporter(path)
    record_exporter.export([complied[0], violated[0]])
    chance = random.Random(7)
    end_ns = time.time_ns()
    step_ns = _DAYS * 86_400 * 10**9 // decisions
    for start in range(0, decisions, _BATCH):
        numbers = range(start, min(start + _BATCH, decisions))
        copies = [
            _copy(
                violated if chance.random() < _VIOLATED_SHARE else complied,
                end_ns - (decisions - number) * step_ns,
                chance,
            )
            for number in numbers
        ]
        record_exporter.export([record for record, _ in copies])
        span_exporter.write([span for _, span in copies])
    span_exporter.shutdown()
    record_exporter.shutdown()


def _copy(
    made: tuple[Record, Record, ReadableSpan], time_ns: int, chance: random.Random
) -> tuple[Record, ReadableSpan]:
    _, record, span = made
    trace_id, span_id = chance.getrandbits(128), chance.getrandbits(64)
    decision_id = f"{chance.getrandbits(128):032x}"
    service = chance.choice(_SERVICES)
    copied = record | {
        "id": decision_id,
        "time_unix_nano": time_ns,
        "trace_id": f"{trace_id:032x}",
        "span_id": f"{span_id:016x}",
        "service": {"name": service},
    }
    attributes = {
        key: decision_id if value == record["id"] else value for key, value in (span.attributes or {}).items()
    }
    context = SpanContext(trace_id, span_id, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    return copied, ReadableSpan(
        span.name,
        context,
        attributes=attributes,
        events=span.events,
        kind=span.kind,
        resource=_RESOURCES[service],
        instrumentation_scope=span.instrumentation_scope,
        status=span.status,
        start_time=time_ns,
        end_time=time_ns + 10**9,
    )


_RESOURCES = {service: Resource({"service.name": service}) for service in _SERVICES}


def questions(path: Path) -> Iterator[tuple[str, Callable[[Reader], object]]]:
    """Yield the questions that the commands ask, by name."""
    day_ago = time.time_ns() - 86_400 * 10**9
    with Reader(path) as reader:
        newest = reader.decisions(Filter(limit=1))[0]
        violated = reader.decisions(Filter(outcome="violated", limit=1))[0]
    lists: Mapping[str, Filter] = {
        "newest": Filter(),
        "of a clause": Filter(clause="clause_0"),
        "violated": Filter(outcome="violated"),
        "of a clause, violated": Filter(clause="clause_0", outcome="violated"),
        "of a clause, complied": Filter(clause="clause_50", outcome="complied"),
        "of a clause, unassessed": Filter(clause="clause_50", outcome="unassessed"),
        "of a clause that nobody has": Filter(clause="nobody"),
        "of a verdict": Filter(verdict="violated"),
        "of a service": Filter(service="search"),
        "of a service that nobody has": Filter(service="nobody"),
        "of a service, violated, since a day": Filter(service="search", verdict="violated", since_unix_nano=day_ago),
        "since a day": Filter(since_unix_nano=day_ago),
    }
    for name, wanted in lists.items():
        yield f"decisions {name}", partial(Reader.decisions, wanted=wanted)
        yield f"traces {name}", partial(Reader.traces, wanted=wanted)
    yield "decision by id, complied", lambda reader: reader.decision(newest["id"])
    yield "decision by id, violated", lambda reader: reader.decision(violated["id"])
    yield "decision by prefix", lambda reader: reader.decision_ids(newest["id"][:8])
    yield "trace by id", lambda reader: reader.spans(newest["trace_id"])
    yield "clauses", lambda reader: reader.clauses()
    yield "services", lambda reader: reader.services()
    for by in (None, "clause", "service", "model", "user", "day", "spec_version"):
        yield f"statistics by {by}", partial(Reader.statistics, by=by)
    yield "counts by clause and day", lambda reader: reader._rows("SELECT * FROM clause_day", ())


def ask(path: Path) -> Iterator[tuple[str, float]]:
    """Yield how long each question takes, in seconds: the median of several, each by a new reader."""
    for name, question in questions(path):
        taken_s = []
        for _ in range(_REPEATS):
            start_s = time.perf_counter()
            with Reader(path) as reader:
                question(reader)
            taken_s.append(time.perf_counter() - start_s)
        yield name, statistics.median(taken_s)


def main(arguments: Sequence[str] | None = None) -> None:
    """Fill a file and ask it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--decisions", type=int, default=1_000_000)
    parser.add_argument("--clauses", type=int, default=100)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "specspan.db"
        start_s, start_cpu_s = time.perf_counter(), time.process_time()
        fill(path, options.decisions, options.clauses, Path(place))
        wall_s, cpu_s = time.perf_counter() - start_s, time.process_time() - start_cpu_s
        size = sum(file.stat().st_size for file in path.parent.glob("specspan.db*"))
        print(
            f"{options.decisions:,} decisions of {options.clauses} clauses, each with a span: {size / 1e9:.2f} GB,",
            end=" ",
        )
        print(f"{size / options.decisions:,.0f} bytes each; written in {wall_s:.0f} s, {cpu_s:.0f} s of processor time")
        for name, taken_s in ask(path):
            print(f"{taken_s * 1e3:10.1f} ms  {name}")


if __name__ == "__main__":
    main()
