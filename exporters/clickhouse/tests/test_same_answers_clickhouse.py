"""SQLite and ClickHouse, given the same records, answer every question alike; PostgreSQL is held to SQLite's, too."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from benchmarks import stores
from benchmarks.stored_traffic import CLAUSES, START_NS, decision_records, policy_records
from collector_tables import Collector

from specspan.sqlite import Filter, SQLiteDecisionExporter, SQLiteSpanExporter
from specspan.sqlite import Reader as SQLiteReader
from specspan.sqlite.model import GROUPS
from specspan_exporter_clickhouse import Reader
from specspan_exporter_clickhouse.connection import Connection
from specspan_exporter_clickhouse.views import COUNTED

_LATER_NS = START_NS + 2 * 24 * 3600 * 10**9
_FILTERS = (
    Filter(),
    Filter(clause=CLAUSES[3]),
    Filter(clause=CLAUSES[3], outcome="violated"),
    Filter(clause=CLAUSES[38], outcome="unassessed"),
    Filter(outcome="complied", service="shop", since_unix_nano=_LATER_NS),
    Filter(outcome="violated", limit=2),
    Filter(verdict="violated"),
    Filter(model="gpt-5-mini", until_unix_nano=_LATER_NS),
    Filter(clause="nobody"),
)


def counts(reader: Any) -> dict[str, Any]:
    """Return every count of a reader."""
    found: dict[str, Any] = {f"by {by}": reader.statistics(by) for by in (None, *GROUPS)}
    found |= {"hours": reader.decision_hours(), "counts": reader.clause_counts()}
    return found | {
        "later": reader.statistics("clause", _LATER_NS),
        "violated": reader.clause_counts(outcome="violated"),
    }


def names(reader: Any) -> dict[str, Any]:
    """Return what a reader lists besides decisions and traces."""
    found: dict[str, Any] = {"clauses": reader.clauses(), "services": reader.services(), "models": reader.models()}
    found |= {"activations": reader.policy_activations(), "judges": reader.judge_usage()}
    return found | {"policies": reader.policies(["sha256:first"]), "calls": list(reader.clause_calls(CLAUSES[3]))}


def test_every_question(url: str, collector: Collector, form: str, tmp_path: Path) -> None:
    """Lists by filter, pages, traces, spans, counts by everything; the same where everything comes twice."""
    file = tmp_path / "x.db"
    stores.fill(SQLiteDecisionExporter(file), SQLiteSpanExporter(file), 60)
    for _ in range(2):
        stores.fill(collector, collector, 60)
    with SQLiteReader(file) as one, Reader(url) as other:
        for wanted in _FILTERS:
            assert one.decisions(wanted) == other.decisions(wanted), wanted
            if form == "map":
                assert one.traces(wanted) == other.traces(wanted), wanted
        assert counts(one) == counts(other)
        assert names(one) == names(other)
        page = one.decisions(Filter(limit=7))
        after = Filter(limit=5, after=(page[-1]["time_unix_nano"], page[-1]["id"]))
        assert one.decisions(after) == other.decisions(after)
        assert list(one.iter_decisions(_LATER_NS)) == list(other.iter_decisions(_LATER_NS))
        first = page[0]["id"]
        assert one.decision(first) == other.decision(first)
        assert one.decision_ids(first[:9]) == other.decision_ids(first[:9])
        assert one.short_decision_id(first) == other.short_decision_id(first)
        trace = next(record["trace_id"] for record in page if record["trace_id"])
        assert one.spans(trace) == other.spans(trace)
        assert one.decisions_of(trace) == other.decisions_of(trace)
        assert len(one.traces(replace(Filter(), limit=100))) == len(other.traces(replace(Filter(), limit=100)))
        with pytest.raises(KeyError):
            other.decision("nobody")


@pytest.mark.parametrize("form", ["map"])
def test_counts_of_minutes(url: str, collector: Collector, tmp_path: Path) -> None:
    """Minutes that were counted answer as decisions do; what comes later, and again, is in no count twice."""
    file = tmp_path / "x.db"
    records = [*policy_records(), *decision_records(30)]
    exporter = SQLiteDecisionExporter(file)
    exporter.export(records)
    exporter.shutdown()
    collector.export(records[:20])
    connection = Connection(Reader(url)._connection.address)
    later = "toUnixTimestamp64Nano(now64(9)) + 120000000000"
    connection.run(f"INSERT INTO specspan_decision_minute SELECT *, {later} AS counted_at FROM ({COUNTED})")
    assert connection.rows("SELECT count() FROM specspan_uncounted_minute") == [(0,)]
    collector.export(records[20:])
    collector.run(
        "ALTER TABLE specspan_arrival UPDATE arrived = arrived + 240000000000 WHERE 1 SETTINGS mutations_sync = 1"
    )
    collector.export(records)
    with SQLiteReader(file) as one, Reader(url) as other:
        assert one.decision_hours() == other.decision_hours()
        assert one.clause_counts() == other.clause_counts()
    connection.close()


@pytest.mark.parametrize("form", ["map"])
def test_a_policy_that_comes_late(url: str, collector: Collector, tmp_path: Path) -> None:
    """Without its record a decision says what it says itself; once it is there, everything is counted."""
    file = tmp_path / "x.db"
    records = list(decision_records(12))
    for missing in (True, False):
        exporter = SQLiteDecisionExporter(file)
        exporter.export(records if missing else policy_records())
        exporter.shutdown()
        collector.export(records if missing else policy_records())
        with SQLiteReader(file) as one, Reader(url) as other:
            assert one.decisions() == other.decisions()
            assert one.clause_counts() == other.clause_counts()
            assert ("missing_policy_record" in next(iter(other.iter_decisions()))) is missing


def _decision(number: int, *, until_unix_nano: int = 2**62) -> dict[str, Any]:
    return {
        "v": 2, "type": "decision", "id": f"d-{number}", "time_unix_nano": START_NS + number, "policy": {},
        "service": {"name": "desk"}, "verdict": "complied", "action": "allow",
        "findings": [{"position": 0, "clause": "privacy", "outcome": "pending"}],
        "pending": {"until_unix_nano": until_unix_nano, "process": {"host": "elsewhere", "pid": 1}},
    }  # fmt: skip


def _late(number: int, outcome: str, **members: Any) -> dict[str, Any]:
    ruling = {"verdict": "violated", "action": "flag", "governing_clause": "privacy", "reason": "seen"}
    amended = {"amended": {"before": {"verdict": "complied"}, "after": ruling}} if outcome == "violated" else {}
    return {
        "v": 2, "type": "finding", "id": f"f-{number}-{outcome}", "decision": f"d-{number}", "time_unix_nano": START_NS,
        "finding": {"position": 0, "clause": "privacy", "outcome": outcome, "score": 0.5}, **amended, **members,
    }  # fmt: skip


@pytest.mark.parametrize("form", ["map"])
def test_findings_that_come_late(url: str, collector: Collector, tmp_path: Path) -> None:
    """One changes the verdict, one comes twice, one is replaced, one is awaited, one comes before its decision."""
    file = tmp_path / "x.db"
    made = [_decision(number) for number in range(5)]
    late = [
        _late(0, "violated"),
        _late(1, "complied"),
        _late(1, "violated"),
        _late(2, "complied"),
        _late(2, "violated", replaces={"outcome": "complied"}),
    ]
    exporter = SQLiteDecisionExporter(file)
    exporter.export(made)
    exporter.export([*late, _late(4, "violated")])
    exporter.shutdown()
    collector.export([_late(4, "violated")])
    collector.export(made)
    for each in (*late, late[0], late[4]):
        collector.export([each])
    with SQLiteReader(file) as one, Reader(url) as other:
        assert list(one.iter_decisions()) == list(other.iter_decisions())
        for wanted in (Filter(verdict="violated"), Filter(verdict="complied"), Filter("privacy", "violated")):
            assert one.decisions(wanted) == other.decisions(wanted), wanted
        assert one.clause_counts() == other.clause_counts()
        assert one.decision_hours() == other.decision_hours()
        assert one.statistics("service") == other.statistics("service")


@pytest.mark.parametrize("form", ["map"])
def test_a_finding_that_never_comes(url: str, collector: Collector) -> None:
    """After its time it counts, and reads, as lost."""
    collector.export([_decision(1, until_unix_nano=1)])
    with Reader(url) as reader:
        assert reader.decision("d-1")["findings"][0]["outcome"] == "unassessed"
        assert [(each.outcome, each.findings) for each in reader.clause_counts()] == [("unassessed", 1)]
