"""Decisions by reference in the file: their policy's record, the file's first version, and odd input."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from specspan_exporter_sqlite import Filter, Reader, SQLiteDecisionExporter, schema
from specspan_exporter_sqlite.expansion import MISSING_POLICY
from specspan_exporter_sqlite.model import GROUPS, NO_CHECK

Make = Callable[..., dict[str, Any]]
Run = Callable[..., subprocess.CompletedProcess[str]]


def policy(*clauses: str, name: str = "sha256:r", when: int = 1) -> dict[str, Any]:
    """A policy record with one assessment a clause."""
    check = {"name": "c", "kind": "pattern", "version": "1"}
    common = {"authority": "root", "severity": "high", "action": "block", "stage": "output", "check": check}
    return {
        "v": 2, "type": "policy", "id": name, "time_unix_nano": when, "service": {"name": "desk"},
        "spec": [{"id": "spec", "digest": "sha256:s"}], "policy": {"digest": "sha256:p", "layers": []},
        "mode": "observe", "clauses": [{"id": clause} for clause in clauses],
        "assessments": [{"clause": clause, **common} for clause in clauses],
    }  # fmt: skip


def light(decision_id: str, outcomes: Any, *findings: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A decision record that refers to the policy's."""
    return {
        "v": 2, "type": "decision", "id": decision_id, "time_unix_nano": 1_000, "service": {"name": "desk"},
        "spec": [{"id": "spec"}], "policy": {"digest": "sha256:p", "record": "sha256:r"}, "mode": "observe",
        "verdict": "complied", "action": "allow", "outcomes": outcomes, "findings": list(findings), **more,
    }  # fmt: skip


def clauses_of(record: Any) -> dict[str, str]:
    """Outcome of each clause."""
    return {finding["clause"]: finding["outcome"] for finding in record["findings"]}


def sql(database: Path, query: str) -> list[tuple[Any, ...]]:
    """Rows of a query."""
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute(query).fetchall()


@pytest.fixture
def first_version(database: Path, record: Make) -> Path:
    """A file of the first version, with two decisions of an hour and a policy."""
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        schema.migrate(connection, database, schema.MIGRATIONS[:1])
        for number, outcomes in enumerate(({"a": "violated", "b": "complied"}, {"b": "not_applicable"})):
            made = record(f"d-{number}", outcomes, time_unix_nano=1_000 + number)
            verdict = made["verdict"]
            row = (made["id"], made["time_unix_nano"], made["trace_id"], made["span_id"], "desk", verdict, "flag", None,
                   "observe", None, None, "sha256:p", json.dumps(made))  # fmt: skip
            connection.execute(f"INSERT INTO decision VALUES ({', '.join('?' * 13)})", row)
            for ordinal, (clause, outcome) in enumerate(outcomes.items()):
                finding = (made["id"], ordinal, made["time_unix_nano"], clause, outcome, *[None] * 8)
                connection.execute(f"INSERT INTO finding VALUES ({', '.join('?' * 13)})", finding)
        whole = json.dumps({"v": 1, "type": "policy", "policy": {"digest": "sha256:p"}})
        connection.execute("INSERT INTO policy VALUES ('x', 'sha256:p', 1, ?)", (whole,))
        span = ("t", "s", None, "chat", "CLIENT", 1, 2, "UNSET", None, "desk", "violated", "flag", "d-0", '{"a": 1}',
                "[]", "[]", "{}", "")  # fmt: skip
        connection.execute(f"INSERT INTO span VALUES ({', '.join('?' * 18)})", span)
    return database


def test_a_file_of_the_first_version_is_brought_up_to_date(first_version: Path, record: Make) -> None:
    """Lists, views and counts have the old records beside new ones of both forms."""
    exporter = SQLiteDecisionExporter(first_version)
    exporter.export([policy("a", "b"), light("d-2", {"complied": "0-1"}), record("d-3", {"a": "complied"})])
    exporter.shutdown()

    with Reader(first_version) as reader:
        found = {each["id"]: clauses_of(each) for each in reader.decisions()}
        complied = [each["id"] for each in reader.decisions(Filter(clause="b", outcome="complied"))]
        aside = [each["id"] for each in reader.decisions(Filter(outcome="not_applicable"))]
        violated = [each["id"] for each in reader.decisions(Filter(clause="a", outcome="violated"))]
        traces = [each.trace_id for each in reader.traces(Filter(verdict="violated"))]
        policies = len(reader.policies(["sha256:p"]))
    assert found == {
        "d-0": {"a": "violated", "b": "complied"},
        "d-1": {"b": "not_applicable"},
        "d-2": {"a": "complied", "b": "complied"},
        "d-3": {"a": "complied"},
    }
    assert (sorted(complied), aside, violated, traces, policies) == (["d-0", "d-2"], ["d-1"], ["d-0"], ["t"], 2)
    assert sql(first_version, "SELECT attributes FROM span") == [('{"a": 1}',)]
    counts = sql(first_version, "SELECT clause, outcome, sum(count) FROM clause_count GROUP BY 1, 2 ORDER BY 1, 2")
    assert counts == [("a", "complied", 2), ("a", "violated", 1), ("b", "complied", 2), ("b", "not_applicable", 1)]
    rows = sql(first_version, "SELECT clause, outcome, count(*) FROM finding GROUP BY 1, 2 ORDER BY 1, 2")
    assert rows == counts


def test_a_file_of_the_first_version_is_counted_as_it_is(first_version: Path) -> None:
    """A file has the same numbers before and after it is upgraded."""
    with Reader(first_version) as reader:
        before = {by: reader.statistics(by) for by in (None, *GROUPS)}
    exporter = SQLiteDecisionExporter(first_version)
    exporter.export([{"v": 1, "type": "other", "id": "another", "time_unix_nano": 1}])
    exporter.shutdown()
    with Reader(first_version) as reader:
        assert {by: reader.statistics(by) for by in (None, *GROUPS)} == before
    assert sum(group.calls for group in before["clause"]) > 0


def test_a_file_of_the_first_version_is_read_only_after_it_was_written(first_version: Path) -> None:
    """Reading changes no file: until it is next written to, the first version is read by what is in it."""
    with Reader(first_version) as reader:
        assert [each["id"] for each in reader.decisions()] == ["d-1", "d-0"]
        assert [each["id"] for each in reader.decisions(Filter(clause="a"))] == ["d-0"]
        assert [each.trace_id for each in reader.traces(Filter(verdict="violated"))] == ["t"]
    assert sql(first_version, "PRAGMA user_version") == [(1,)]


def test_a_decision_without_its_policys_record_says_what_it_has(
    decisions: SQLiteDecisionExporter, database: Path
) -> None:
    """The references stay, and what is missing is named; when it comes, everything is there, counts too."""
    decisions.export([light("d", {"complied": "0,2", "unassessed:not_sampled": "1"})])
    with Reader(database) as reader:
        found = reader.decision("d")
        assert (found[MISSING_POLICY], found["outcomes"]["complied"], found["findings"]) == ("sha256:r", "0,2", [])
        assert reader.decisions(Filter(clause="b")) == []
    assert sql(database, "SELECT * FROM finding") == []

    decisions.export([policy("a", "b", "c")])
    with Reader(database) as reader:
        found = reader.decision("d")
        assert MISSING_POLICY not in found
        assert clauses_of(found) == {"a": "complied", "b": "unassessed", "c": "complied"}
        assert len(reader.decisions(Filter(clause="b", outcome="unassessed"))) == 1
    assert sql(database, "SELECT clause, reason FROM finding WHERE outcome = 'unassessed'") == [("b", "not_sampled")]
    assert sql(database, "SELECT clause, count FROM clause_count ORDER BY 1") == [("a", 1), ("b", 1), ("c", 1)]


def test_a_file_that_was_emptied_has_the_policys_record_again(
    decisions: SQLiteDecisionExporter, database: Path
) -> None:
    """A decision brings the record into a file that was made anew since it was handed over."""
    decisions.export([policy("a"), light("d-1", {"complied": "0"})])
    for path in database.parent.glob("specspan.db*"):
        path.unlink()
    decisions.export([light("d-2", {"complied": "0"})])

    with Reader(database) as reader:
        assert [clauses_of(each) for each in reader.decisions()] == [{"a": "complied"}]


def test_a_policys_record_that_was_deleted_by_hand_comes_again(
    decisions: SQLiteDecisionExporter, database: Path
) -> None:
    """Its row alone is gone: decisions keep their clauses, and another policy does not take its number."""
    decisions.export([policy("a", "b"), light("d-1", {"complied": "0-1"})])
    with closing(sqlite3.connect(database, isolation_level=None)) as other:
        other.execute("DELETE FROM policy_record")

    decisions.export([policy("x", name="sha256:other")])
    with Reader(database) as reader:
        assert MISSING_POLICY in reader.decision("d-1")
    decisions.export([light("d-2", {"complied": "0-1"})])

    with Reader(database) as reader:
        assert [clauses_of(each) for each in reader.decisions()] == [{"a": "complied", "b": "complied"}] * 2
    assert sorted(sql(database, "SELECT clause, count FROM clause_day")) == [("a", 2), ("b", 2)]


@pytest.mark.parametrize(
    ("given", "index"),
    [("time_unix_nano >= 9", "decision_time"), ("decision_id = 'd-1'", "sqlite_autoindex_decision_row_1")],
)
def test_what_complied_in_a_time_or_a_decision_is_found_by_an_index(
    decisions: SQLiteDecisionExporter, database: Path, given: str, index: str
) -> None:
    """The view reads no other decision then, as the README says."""
    decisions.export(
        [policy("a"), *(light(f"d-{number}", {"complied": "0"}, time_unix_nano=number) for number in range(10))]
    )
    query = f"SELECT decision_id FROM finding WHERE clause = 'a' AND outcome = 'complied' AND {given}"

    plan = [row[3] for row in sql(database, f"EXPLAIN QUERY PLAN {query}")]
    assert sum(index in step for step in plan) == 3
    assert not any(step.startswith("SCAN d") for step in plan)
    assert sql(database, query) == [("d-9",) if "time" in given else ("d-1",)]


def test_one_policy_is_kept_once_however_often_it_comes(decisions: SQLiteDecisionExporter, database: Path) -> None:
    """Each coming into force is a row of the view; the list of clauses is stored once."""
    decisions.export([policy("a"), policy("a"), policy("a", when=7)])

    assert sql(database, "SELECT time_unix_nano FROM policy ORDER BY 1") == [(1,), (7,)]
    assert sql(database, "SELECT count(*) FROM policy_record, assessment") == [(1,)]


@pytest.mark.parametrize(
    "outcomes",
    [
        None,
        7,
        [],
        {"complied": 3},
        {"complied": "0-"},
        {"complied": "x"},
        {"complied": ""},
        {"complied": "0-999999999999"},
    ],
)
def test_references_that_cannot_be_read_keep_their_decision(
    decisions: SQLiteDecisionExporter, database: Path, outcomes: Any
) -> None:
    """The decision and its neighbours are stored; what is no reference names nothing."""
    decisions.export([policy("a"), light("d-1", outcomes), light("d-2", {"complied": "0"})])

    with Reader(database) as reader:
        found = {each["id"]: clauses_of(each) for each in reader.decisions()}
    assert found["d-2"] == {"a": "complied"}
    assert found["d-1"] in ({}, {"a": "complied"})
    assert sql(database, "SELECT decision_id FROM finding") == [("d-2",)]


def test_references_beyond_the_list_name_nothing(decisions: SQLiteDecisionExporter, database: Path) -> None:
    """Numbers that the policy's record does not have are left out."""
    decisions.export([policy("a"), light("d", {"complied": "0-99999999"})])

    with Reader(database) as reader:
        assert clauses_of(reader.decision("d")) == {"a": "complied"}
    assert sql(database, "SELECT clause FROM finding") == [("a",)]


def test_long_ids_and_many_clauses_weigh_once(decisions: SQLiteDecisionExporter, database: Path) -> None:
    """Ids of 10 kB and 5,000 clauses are in the policy's record; a thousand decisions add a kilobyte each at most."""
    long = [f"{'x' * 10_000}{number}" for number in range(50)]
    many = [f"clause_{number}" for number in range(4_950)]
    decisions.export([policy(*long, *many)])
    size = sql(database, "SELECT page_count * 4096 FROM pragma_page_count")[0][0]
    decisions.export([light(f"d-{number}", {"complied": "0-4999"}) for number in range(1_000)])

    assert sql(database, "SELECT page_count * 4096 FROM pragma_page_count")[0][0] - size < 2_000_000
    with Reader(database) as reader:
        assert len(clauses_of(reader.decision("d-0"))) == 5_000
        assert len(reader.decisions(Filter(clause=long[7], outcome="complied", limit=3))) == 3
    assert sql(database, "SELECT count(*), sum(count) FROM clause_count") == [(5_000, 5_000_000)]


def test_a_disk_that_fills_in_a_batch_takes_all_of_it_back(database: Path, run_python: Run) -> None:
    """Neither decisions, nor counts, nor a policy's record of the batch are in the file; the next batch is whole."""
    program = """
import resource, sys
sys.path.insert(0, sys.argv[2])
from test_references import light, policy
from specspan_exporter_sqlite import SQLiteDecisionExporter, SQLiteStoreError
exporter = SQLiteDecisionExporter(sys.argv[1])
exporter.export([light("small", {"complied": "0"})])
resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY))
try:
    exporter.export([policy("a"), *(light(f"big-{n}", {"complied": "0"}, x="x" * 10_000) for n in range(200))])
except SQLiteStoreError:
    print("refused")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
if len(sys.argv) > 3:
    exporter.export([light("after", {"complied": "0"})])
"""
    pytest.importorskip("resource")
    tests = Path(__file__).parent
    assert "refused" in run_python(program, database, tests).stdout
    assert sql(database, "SELECT (SELECT count(*) FROM decision_row), (SELECT count(*) FROM finding_count)") == [(1, 0)]

    database.unlink()
    assert "refused" in run_python(program, database, tests, "on").stdout
    assert sql(database, "SELECT id FROM decision ORDER BY 1") == [("after",), ("small",)]
    assert sql(database, "SELECT sum(count) FROM clause_count") == [(2,)]


def test_what_many_decisions_name_as_not_assessed_is_counted_for_each(
    decisions: SQLiteDecisionExporter, database: Path
) -> None:
    """Statistics count each decision, with and without a reason, and a clause once that is also told in full."""
    in_full = {"position": 2, "clause": "b", "outcome": "unassessed", "reason": "not_sampled"}
    named = {"unassessed:not_sampled": "0-1", "unassessed": "3", "complied": "4"}
    counts = {"considered": 6, "not_applicable": 0, "unassessed": 4}
    made = [light(f"d-{number}", named, counts=counts) for number in range(3)]
    made.append(light("d-3", {"unassessed:not_sampled": "0-1"}, in_full, counts=counts))
    decisions.export([policy("a", "b", "b", "c", "d"), *made])

    with Reader(database) as reader:
        (of_all,) = reader.statistics()
        by_clause = {group.name: group.unassessed for group in reader.statistics("clause")}

    assert of_all.calls == 4
    # 16 clauses were not assessed: a and b of four decisions for their sample, c of three, and the rest for no check
    assert of_all.unassessed == {"not_sampled": 9, "unknown": 3, NO_CHECK: 16 - 8 - 3}
    assert by_clause == {"a": {"not_sampled": 4}, "b": {"not_sampled": 5}, "c": {"unknown": 3}, "d": {}}
