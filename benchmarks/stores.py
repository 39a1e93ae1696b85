"""The same decisions in SQLite and in PostgreSQL: what writing takes, and every question of the command line on both.

``python -m benchmarks.stores --postgres postgresql://…/empty_database [--count 100000]`` prints seconds for each, and
ends with exit code 1 where an answer differs.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from benchmarks.stored_traffic import CLAUSES, SERVICES, decision_records, policy_records, spans_of
from specspan.cli.main import cli
from specspan.record.export import DecisionExporter
from specspan.record.span_queue import SpanWriter
from specspan.sqlite.model import GROUPS

BATCH = 512
_SINCE = "2026-09-24T00:00+00:00"


def fill(decisions: DecisionExporter, spans: SpanWriter, count: int) -> float:
    """Write traffic in batches, and return the seconds that it took."""
    records = decision_records(count)
    took_s = 0.0
    first = policy_records()
    while batch := list(islice(records, BATCH)):
        traced = spans_of(batch)
        start_s = time.perf_counter()
        decisions.export([*first, *batch])
        spans.write(traced)
        took_s += time.perf_counter() - start_s
        first = []
    decisions.shutdown()
    spans.shutdown()
    return took_s


def questions(sample: Sequence[str], traces: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield the words of each command that reads a store, for some decisions and traces by the start of their ids."""
    filters = [
        (),
        ("--since", _SINCE),
        ("--service", SERVICES[1]),
        ("--clause", CLAUSES[3]),
        ("--clause", CLAUSES[3], "--outcome", "violated"),
        ("--clause", CLAUSES[38], "--outcome", "unassessed"),
        ("--outcome", "uncertain", "--service", SERVICES[2]),
        ("--outcome", "complied", "--since", _SINCE),
        ("--verdict", "violated", "--clause", CLAUSES[5]),
        *(("--verdict", verdict) for verdict in ("violated", "uncertain", "complied", "error")),
        ("--clause", "nobody"),
        ("--service", "nobody"),
    ]
    for noun in ("decisions", "traces"):
        yield from ((noun, "list", "--limit", "50", *each) for each in filters)
        yield noun, "show"
    yield from (("decisions", "show", each) for each in sample)
    yield from (("traces", "show", each) for each in traces)
    yield ("stats",)
    yield ("rates",)
    yield from (("stats", "--by", each) for each in GROUPS)
    yield from (("stats", "--by", each, "--since", _SINCE) for each in GROUPS)


def ask(address: str, words: Sequence[str]) -> tuple[Any, float]:
    """Return what a command answers, and the seconds that it took."""
    start_s = time.perf_counter()
    done = CliRunner().invoke(cli, [*words, "--db", address, "--json"])
    took_s = time.perf_counter() - start_s
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        return f"{type(done.exception).__name__}: {done.exception}".replace(address, "STORE"), took_s
    return json.loads(done.stdout), took_s


def export(address: str, folder: Path) -> tuple[list[Any], float]:
    """Return all decisions of a store as `specspan export` writes them, and the seconds that it took."""
    file = folder / "decisions.jsonl"
    start_s = time.perf_counter()
    done = CliRunner().invoke(cli, ["export", str(file), "--db", address, "--force"], catch_exceptions=False)
    took_s = time.perf_counter() - start_s
    if done.exit_code:
        raise SystemExit(done.output)
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()], took_s


def compare(one: str, other: str, folder: Path) -> Iterator[tuple[str, float, float, bool]]:
    """Yield each question, the seconds that both stores took to answer it, and whether the answers are equal."""
    exported, first_s = export(one, folder)
    also, second_s = export(other, folder)
    yield f"export of {len(exported)}", first_s, second_s, exported == also and bool(exported)
    every = max(1, len(exported) // 5)
    ids = [record["id"] for record in exported[::every]]
    traces = [record["trace_id"][:20] for record in exported[1::every] if record["trace_id"]]
    for words in questions(ids, traces):
        answer, first_s = ask(one, words)
        another, second_s = ask(other, words)
        yield " ".join(words), first_s, second_s, answer == another


def run(url: str, count: int) -> int:
    """Fill both stores, ask both, print a table and return the exit code."""
    from specspan.sqlite import SQLiteDecisionExporter, SQLiteSpanExporter
    from specspan_exporter_postgres import PostgresDecisionExporter, PostgresSpanExporter

    with tempfile.TemporaryDirectory() as name:
        file = str(Path(name) / "specspan.db")
        print(
            f"SQLite: {count} decisions in {fill(SQLiteDecisionExporter(file), SQLiteSpanExporter(file), count):.1f} s"
        )
        took_s = fill(PostgresDecisionExporter(url), PostgresSpanExporter(url), count)
        print(f"PostgreSQL: {count} decisions in {took_s:.1f} s")
        differing = 0
        print(f"{'question':<70}{'SQLite s':>10}{'PostgreSQL s':>14}")
        for words, first_s, second_s, is_equal in compare(file, url, Path(name)):
            differing += not is_equal
            print(f"{words:<70}{first_s:>10.2f}{second_s:>14.2f}{'' if is_equal else '  DIFFERENT'}", flush=True)
    print(f"{differing} different answers")
    return int(differing > 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgres", required=True, metavar="URL")
    parser.add_argument("--count", type=int, default=100_000)
    arguments = parser.parse_args()
    sys.exit(run(arguments.postgres, arguments.count))
