"""Old decisions and spans go from PostgreSQL as from SQLite, beside living writers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.stored_traffic import START_NS, decision_records, policy_records, spans_of

from specspan.sqlite import Reader as SQLiteReader
from specspan.sqlite import SQLiteDecisionExporter, SQLiteSpanExporter
from specspan.sqlite import pruning as sqlite_pruning
from specspan.sqlite.model import GROUPS
from specspan_exporter_postgres import PostgresDecisionExporter, PostgresSpanExporter, Reader, pruning

LIMIT = START_NS + 3 * 24 * 3_600_000_000_000


def answers(reader: Any) -> dict[str, Any]:
    """Statistics by everything, every decision, and how many traces."""
    found: dict[str, Any] = {
        str(by): [(each.name, each.calls, dict(each.verdicts), each.violations) for each in reader.statistics(by)]
        for by in (None, *GROUPS)
    }
    return found | {"all": list(reader.iter_decisions()), "clauses": reader.clauses()}


def test_both_stores_lose_the_same(url: str, tmp_path: Path) -> None:
    """A preview says it before, and the record afterwards; what remains gives equal answers."""
    records = [*policy_records(), *decision_records(600)]
    file = tmp_path / "x.db"
    for exporter, spans in (
        (SQLiteDecisionExporter(file), SQLiteSpanExporter(file)),
        (PostgresDecisionExporter(url), PostgresSpanExporter(url)),
    ):
        exporter.export(records)
        spans.write(spans_of(records[2:]))
    expected = pruning.preview_pruning(url, LIMIT, "me@here")
    done = pruning.prune(url, LIMIT, "me@here")
    other = sqlite_pruning.prune(file, LIMIT, "me@here")
    assert done.problem is None
    assert done.removed == other.removed == expected.removed
    assert (done.first_unix_nano, done.last_unix_nano) == (other.first_unix_nano, other.last_unix_nano)
    assert done.kept_policies == other.kept_policies == 2
    with SQLiteReader(file) as one, Reader(url) as another:
        assert answers(one) == answers(another)
        (kept,) = another.prunings()
    assert (kept["removed"], kept["by"]) == (dict(done.removed), "me@here")


def test_a_writer_that_remembers_what_went_writes_it_again(url: str) -> None:
    """Combinations, shared parts and policies that nothing named any more are there with the next decision."""
    records = list(decision_records(40))
    exporter = PostgresDecisionExporter(url)
    exporter.export([*policy_records(), *records])
    done = pruning.prune(url, START_NS * 2, "me@here")
    assert (done.removed["decision"], done.removed["policy"], done.kept_policies) == (40, 2, 0)
    exporter.export(records)
    exporter.shutdown()
    with Reader(url) as reader:
        assert "missing_policy_record" not in next(iter(reader.iter_decisions()))
        assert sum(each.calls for each in reader.statistics("clause")) == sum(
            len(record["findings"]) for record in reader.iter_decisions()
        )
