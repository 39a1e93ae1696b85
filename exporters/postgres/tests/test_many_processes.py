"""Eight processes write one database, and one of them is killed: what it committed is there, and counted once."""

from __future__ import annotations

import signal
import subprocess
import sys

import psycopg
import pytest

from specspan_exporter_postgres import PostgresDecisionExporter, Reader

PROCESSES, BATCHES, BATCH = 8, 6, 40
PROGRAM = f"""
import itertools, sys
from benchmarks.stored_traffic import decision_records, policy_records, spans_of
from specspan_exporter_postgres import PostgresDecisionExporter, PostgresSpanExporter

url, seed, is_endless = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "endless"
decisions, spans = PostgresDecisionExporter(url), PostgresSpanExporter(url)
records = decision_records(10**6 if is_endless else {BATCHES * BATCH}, seed)
decisions.export(policy_records())
while batch := list(itertools.islice(records, {BATCH})):
    decisions.export(batch)
    spans.write(spans_of(batch))
    print(len(batch), flush=True)
decisions.shutdown()
"""


@pytest.mark.thorough
def test_one_of_eight_is_killed(url: str) -> None:
    """Every batch that was told as written is there, whole; counts by clause are those of the decisions."""

    def start(seed: int, kind: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", PROGRAM, url, str(seed), kind]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    victim = start(0, "endless")
    others = [start(seed, "counted") for seed in range(1, PROCESSES)]
    assert victim.stdout is not None
    told = sum(int(victim.stdout.readline()) for _ in range(3))
    victim.send_signal(signal.SIGKILL)
    told += sum(int(line) for line in victim.communicate()[0].split())
    for other in others:
        assert other.communicate(timeout=120)[0].count("\n") == BATCHES
        assert other.returncode == 0

    exporter = PostgresDecisionExporter(url)  # the killed one left no lock behind
    exporter.export([{"v": 1, "type": "decision", "id": "after", "time_unix_nano": 1}])
    exporter.shutdown()
    with Reader(url) as reader:
        (group,) = reader.statistics()
        by_clause = {each.name: each for each in reader.statistics("clause")}
        decided = list(reader.iter_decisions())
    assert len(decided) == group.calls
    of_victim = group.calls - 1 - (PROCESSES - 1) * BATCHES * BATCH
    assert of_victim - told in (0, BATCH)  # what was committed as it died, and not told any more
    findings = [finding for record in decided for finding in record.get("findings", ())]
    assert sum(each.calls for each in by_clause.values()) == len(findings)
    assert sum(each.violations for each in by_clause.values()) == group.violations
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT count(*) FROM specspan.policy").fetchone() == (2,)
