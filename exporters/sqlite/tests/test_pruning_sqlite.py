"""Pruning removes old decisions and spans, records the removal, and leaves counts and searches of the rest right."""

from __future__ import annotations

import itertools
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider

from specspan_exporter_sqlite import Filter, Reader, SQLiteDecisionExporter, SQLiteSpanExporter, pruning
from specspan_exporter_sqlite.model import GROUPS, Statistics

HOUR_NS = 3_600_000_000_000
OLD, NEW = 10 * HOUR_NS, 500 * HOUR_NS
LIMIT = 300 * HOUR_NS


def policy(name: str, time_unix_nano: int = OLD) -> dict[str, Any]:
    """A policy record of three assessments."""
    listed = [{"clause": clause, "authority": "user", "check": {"name": clause}} for clause in ("a", "b", "a")]
    return {
        "v": 2, "type": "policy", "id": name, "time_unix_nano": time_unix_nano, "service": {"name": "desk"},
        "policy": {"digest": f"sha256:{name}"}, "assessments": listed,
    }  # fmt: skip


def decision(number: int, time_unix_nano: int, name: str, outcome: str = "complied") -> dict[str, Any]:
    """A decision by reference to a policy, with one finding in full."""
    return {
        "v": 2, "type": "decision", "id": f"d-{number:05}", "time_unix_nano": time_unix_nano,
        "service": {"name": "desk"}, "policy": {"digest": f"sha256:{name}", "record": name}, "verdict": outcome,
        "call": {"model": "m", "provider": "p", "usage": {"input_tokens": 1, "output_tokens": 2}},
        "outcomes": {"complied": "0", "unassessed:not_sampled": "2"},
        "findings": [{"position": 1, "clause": "b", "outcome": outcome}], "counts": {"unassessed": 1},
    }  # fmt: skip


def fill(database: Path, *parts: list[dict[str, Any]]) -> None:
    """Write lists of decision records into a file, each as one batch."""
    exporter = SQLiteDecisionExporter(database)
    for part in parts:
        exporter.export(part)
    exporter.shutdown()


def answers(database: Path) -> dict[str, Any]:
    """Statistics by everything, and the decisions of some searches."""
    filters = [Filter(limit=50), Filter("a", limit=50), Filter("b", "violated", limit=50), Filter("a", "unassessed")]

    def plain(group: Statistics) -> Any:
        return group.name, group.calls, dict(group.verdicts), group.violations, dict(group.unassessed)

    with Reader(database) as reader:
        found: dict[str, Any] = {str(by): list(map(plain, reader.statistics(by))) for by in (None, *GROUPS)}
        found["decisions"] = [[record["id"] for record in reader.decisions(each)] for each in filters]
        found["policies"] = [each["id"] for each in reader.policies({"sha256:first", "sha256:second"})]
    return found


def test_what_remains_is_as_if_the_rest_had_never_been(tmp_path: Path) -> None:
    """Old and new decisions stand in one block; counts by hour, searches and policies agree with a new file."""
    old = [
        decision(n, OLD + n, "first" if n % 2 else "second", "violated" if n % 5 else "complied") for n in range(1500)
    ]
    new = [decision(n, NEW + n, "second", "violated" if n % 7 else "complied") for n in range(1500, 1600)]
    fill(tmp_path / "all.db", [policy("first"), policy("second"), *old[:700]], old[700:], new)
    fill(tmp_path / "new.db", [policy("second"), *new])
    done = pruning.prune(tmp_path / "all.db", LIMIT, "me@here")
    assert done.removed == {"decision": 1500, "finding": 1500, "policy": 1}
    assert (done.first_unix_nano, done.last_unix_nano, done.kept_policies) == (OLD, OLD + 1499, 1)
    assert answers(tmp_path / "all.db") == answers(tmp_path / "new.db")
    assert done.problem is None
    assert done.size_after_bytes < done.size_before_bytes / 2


def test_what_was_removed_is_on_record(tmp_path: Path) -> None:
    """Counts, span of time, by whom and when; a later removal adds a record of its own and keeps the first."""
    fill(tmp_path / "x.db", [policy("first"), decision(1, OLD, "first"), decision(2, NEW, "first")])
    pruning.prune(tmp_path / "x.db", LIMIT, "me@here")
    pruning.prune(tmp_path / "x.db", LIMIT, "you@there")  # removes nothing, and says nothing
    pruning.prune(tmp_path / "x.db", NEW + 1, "you@there")
    with Reader(tmp_path / "x.db") as reader:
        latest, first = reader.prunings()
    assert (latest["by"], latest["removed"]) == ("you@there", {"decision": 1, "finding": 1, "policy": 1})
    assert (first["by"], first["removed"]) == ("me@here", {"decision": 1, "finding": 1})
    assert (first["first_unix_nano"], first["before_unix_nano"]) == (OLD, LIMIT)
    assert first["time_unix_nano"] > NEW


def test_a_preview_counts_the_same_and_changes_nothing(tmp_path: Path) -> None:
    """A preview counts spans and policies that only old decisions name, too."""
    database = tmp_path / "x.db"
    fill(database, [policy("first"), policy("second"), decision(1, OLD, "first"), decision(2, NEW, "second")])
    provider = TracerProvider(shutdown_on_exit=False)
    spans = [provider.get_tracer("t").start_span("s", start_time=at) for at in (OLD, OLD + 1, NEW)]
    exporter = SQLiteSpanExporter(database)
    for span in spans:
        span.end(span.start_time + 1)  # type: ignore[attr-defined]
    exporter.write(spans)  # type: ignore[arg-type]
    exporter.shutdown()
    before = answers(database)
    expected = pruning.preview_pruning(database, LIMIT, "me@here")
    assert answers(database) == before
    assert expected.removed == {"decision": 1, "finding": 1, "span": 2, "policy": 1}
    done = pruning.prune(database, LIMIT, "me@here")
    assert (done.removed, done.kept_policies) == (expected.removed, expected.kept_policies)
    assert (done.first_unix_nano, done.last_unix_nano) == (expected.first_unix_nano, expected.last_unix_nano)


def test_a_policy_whose_record_went_is_written_again(tmp_path: Path) -> None:
    """A writer that goes on under it gives the file its record with the next decision that names it."""
    exporter = SQLiteDecisionExporter(tmp_path / "x.db")
    exporter.export([policy("first"), decision(1, OLD, "first")])
    pruning.prune(tmp_path / "x.db", LIMIT, "me@here")
    exporter.export([decision(2, NEW, "first")])
    exporter.shutdown()
    with Reader(tmp_path / "x.db") as reader:
        assert [finding["clause"] for finding in reader.decision("d-00002")["findings"]] == ["a", "b", "a"]


def test_living_writers_lose_nothing(tmp_path: Path) -> None:
    """Whoever writes while old decisions go, and while the file is written anew, waits for its turn."""
    fill(tmp_path / "x.db", [policy("first"), *(decision(n, OLD + n, "first") for n in range(3000))])
    written, stop, failures = itertools.count(10_000), threading.Event(), []

    def write() -> None:
        exporter = SQLiteDecisionExporter(tmp_path / "x.db")
        while not stop.is_set():
            try:
                exporter.export([decision(next(written), NEW, "first")])
            except Exception as error:
                failures.append(error)
        exporter.shutdown()

    writer = threading.Thread(target=write)
    writer.start()
    done = pruning.prune(tmp_path / "x.db", LIMIT, "me@here")
    stop.set()
    writer.join()
    assert (failures, done.problem, done.removed["decision"]) == ([], None, 3000)
    with Reader(tmp_path / "x.db") as reader:
        assert sum(group.calls for group in reader.statistics()) == next(written) - 10_000
    assert sqlite3.connect(tmp_path / "x.db").execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_records_of_the_first_version_go_too(tmp_path: Path, record: Callable[..., Any]) -> None:
    """Old decisions go with the policies that their digest names; a record of another kind goes by its time."""
    old = {"v": 1, "type": "policy", "time_unix_nano": OLD, "policy": {"digest": "sha256:p"}}
    fill(tmp_path / "x.db", [old, record("d-1", time_unix_nano=OLD), {"type": "note", "time_unix_nano": OLD}])
    assert pruning.prune(tmp_path / "x.db", LIMIT, "me@here").removed == {
        "decision": 1, "finding": 1, "policy": 1, "record": 1,
    }  # fmt: skip
    fill(tmp_path / "y.db", [old, record("d-1", time_unix_nano=OLD), record("d-2", time_unix_nano=NEW)])
    assert pruning.prune(tmp_path / "y.db", LIMIT, "me@here").kept_policies == 1


def test_a_disk_that_is_too_full_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows are removed all the same; only their space stays with the file."""
    fill(tmp_path / "x.db", [policy("first"), decision(1, OLD, "first")])
    monkeypatch.setattr(pruning, "_VACUUM_PATIENCE_S", 0.0)
    other = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    steps: list[Any] = []
    give_back = pruning._give_back

    def locked(path: Path) -> None:
        steps.append(other.execute("BEGIN IMMEDIATE"))
        give_back(path)

    monkeypatch.setattr(pruning, "_give_back", locked)
    done = pruning.prune(tmp_path / "x.db", LIMIT, "me@here")
    other.execute("ROLLBACK")
    other.close()
    assert "locked" in str(done.problem)
    assert done.removed["decision"] == 1
