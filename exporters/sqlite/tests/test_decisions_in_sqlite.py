"""Decision records, written in batches and found again."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from specspan_exporter_sqlite import Reader, SQLiteDecisionExporter

Make = Callable[..., dict[str, Any]]


def test_a_record_is_kept_whole(decisions: SQLiteDecisionExporter, database: Path, record: Make) -> None:
    """A record is read as it was exported, with keys that this version does not know."""
    written = record("d-1", from_the_future={"deep": [1, 2.5, None]})

    decisions.export([written])

    with Reader(database) as reader:
        assert reader.decision("d-1") == written


def test_an_unknown_id_is_a_key_error(decisions: SQLiteDecisionExporter, database: Path, record: Make) -> None:
    """Asking for a decision that is not there says so."""
    decisions.export([record("d-1")])

    with Reader(database) as reader, pytest.raises(KeyError, match="d-2"):
        reader.decision("d-2")


def test_a_decision_exported_twice_stays_as_it_was(
    decisions: SQLiteDecisionExporter, database: Path, record: Make
) -> None:
    """Neither the record nor its findings are doubled, or replaced by a later one of the same id."""
    decisions.export([record("d-1"), record("d-1", {"other": "violated"})])
    decisions.export([record("d-1", {"a": "violated", "b": "violated"}, verdict="complied")])

    with Reader(database) as reader:
        assert reader.decision("d-1")["verdict"] == "violated"
    assert sqlite3.connect(database).execute("SELECT clause FROM finding").fetchall() == [("protect_privacy",)]


def test_records_of_other_types_are_not_lost(decisions: SQLiteDecisionExporter, database: Path, record: Make) -> None:
    """Late findings, versions to come and broken records are kept as they are, each once."""
    odd: list[dict[str, Any]] = [
        {"v": 1, "type": "heartbeat", "time_unix_nano": 5},
        record("d-1", v=3),
        {"v": 1, "type": "decision", "id": None},
        {},
    ]

    decisions.export(odd)
    decisions.export(odd)

    connection = sqlite3.connect(database)
    assert connection.execute("SELECT count(*) FROM record").fetchone() == (4,)
    assert connection.execute("SELECT count(*) FROM decision").fetchone() == (0,)


def test_policies_are_found_by_digest_the_latest_first(decisions: SQLiteDecisionExporter, database: Path) -> None:
    """A policy that came into force twice is there twice, and only the one asked for."""
    policies = [
        {"v": 1, "type": "policy", "time_unix_nano": when, "policy": {"digest": digest}}
        for when, digest in ((1, "sha256:a"), (2, "sha256:b"), (3, "sha256:a"))
    ]

    decisions.export(policies)

    with Reader(database) as reader:
        assert [policy["time_unix_nano"] for policy in reader.policies(["sha256:a"])] == [3, 1]


def test_a_malformed_decision_keeps_its_neighbours(
    decisions: SQLiteDecisionExporter, database: Path, record: Make
) -> None:
    """Values of the wrong type do not lose the batch they came in."""
    broken = record(
        "d-1", time_unix_nano="soon", service="x", policy=None, findings=["?", {"score": "high"}, {"score": 10**400}]
    )

    decisions.export([broken, record("d-2")])

    with Reader(database) as reader:
        assert reader.decision("d-1") == broken
        assert reader.decision("d-2")["id"] == "d-2"


def test_violations_by_clause_by_hour_do_not_read_other_findings(
    decisions: SQLiteDecisionExporter, database: Path, record: Make
) -> None:
    """The query behind an objective is answered by the index of the violations alone, or by the counts."""
    hour = 3_600_000_000_000
    for n in range(4):
        decisions.export([record(f"d-{n}", {"a": "violated", "b": "complied"}, time_unix_nano=n * hour // 2)])
    of_findings = (
        "SELECT clause, time_unix_nano / 3600000000000 * 3600 AS hour, count(*) FROM finding "
        "WHERE outcome = 'violated' GROUP BY clause, hour"
    )
    of_counts = "SELECT clause, hour_unix, sum(count) FROM clause_count WHERE outcome = 'violated' GROUP BY 1, 2"

    connection = sqlite3.connect(database)
    plans = [
        " ".join(row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + each))
        for each in (of_findings, of_counts)
    ]

    assert connection.execute(of_findings).fetchall() == [("a", 0, 2), ("a", 3600, 2)]
    assert connection.execute(of_counts).fetchall() == [("a", 0, 2), ("a", 3600, 2)]
    assert "finding_row USING INDEX finding_violated" in plans[0]
    assert "finding_row" not in plans[1]


def test_specspan_finds_it_by_its_entry_point() -> None:
    """The exporter is registered for decision records under the name `sqlite`, as the one is that specspan carries."""
    found = metadata.entry_points(group="specspan_decision_exporter", name="sqlite")

    assert SQLiteDecisionExporter in [each.load() for each in found]
