"""Lists by filter, ids by their beginnings."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import Tracer

from specspan_exporter_sqlite import Filter, Reader, SQLiteDecisionExporter, SQLiteSpanExporter, SQLiteStoreError
from specspan_exporter_sqlite.errors import ForeignFile
from specspan_exporter_sqlite.trace_summary import summarize_trace

Make = Callable[..., dict[str, Any]]
SECOND = 10**9


class Counting(IdGenerator):
    """Trace ids as the test names them."""

    def __init__(self, *trace_ids: int) -> None:
        self._trace_ids = iter(trace_ids)
        self._span_id = 0

    def generate_trace_id(self) -> int:
        return next(self._trace_ids)

    def generate_span_id(self) -> int:
        self._span_id += 1
        return self._span_id


FIRST, SECOND_TRACE, THIRD = 0xAAAA_AAAA_1 << 92, 0xAAAA_AAAA_2 << 92, 0xBBBB << 112


@pytest.fixture
def reader(database: Path, record: Make) -> Iterator[Reader]:
    """Three traces a second apart: complied, violated (and an error), and one that specspan said nothing of."""
    exporter = SQLiteSpanExporter(database)
    tracer = TracerProvider(id_generator=Counting(FIRST, SECOND_TRACE, THIRD), shutdown_on_exit=False).get_tracer("t")
    spans = [tracer.start_span(f"answer {n}", start_time=n * SECOND) for n in (1, 2, 3)]
    for span in spans:
        span.end(span.start_time + SECOND // 2)  # type: ignore[attr-defined]
    exporter.export([span for span in spans if isinstance(span, ReadableSpan)])
    exporter.shutdown()
    decisions = SQLiteDecisionExporter(database)
    first, second = f"{FIRST:032x}", f"{SECOND_TRACE:032x}"
    decisions.export(
        [
            record("d-11", {"honest": "complied", "brief": "overridden"}, trace_id=first, time_unix_nano=1 * SECOND),
            record("d-21", {"honest": "complied", "private": "violated"}, trace_id=second, time_unix_nano=2 * SECOND),
            record("d-22", {"honest": "error"}, trace_id=second, time_unix_nano=3 * SECOND, verdict="error"),
            record(
                "d-31", {"private": "violated"}, trace_id=None, time_unix_nano=4 * SECOND, service={"name": "other"}
            ),
        ]
    )
    decisions.shutdown()
    with Reader(database) as opened:
        yield opened


def names(reader: Reader, **wanted: Any) -> list[str]:
    """Names of the traces a filter lets through."""
    return [found.name for found in reader.traces(Filter(**wanted))]


def ids(reader: Reader, **wanted: Any) -> list[str]:
    """Ids of the decisions a filter lets through."""
    return [decision["id"] for decision in reader.decisions(Filter(**wanted))]


def test_traces_are_listed_newest_first_with_what_matters(reader: Reader) -> None:
    """A row says when, what, how long, how many spans, the worst verdict and the violated clauses."""
    third, second, first = reader.traces()

    assert (third.name, third.verdict, third.violated) == ("answer 3", None, ())
    assert (second.name, second.verdict, second.violated) == ("answer 2", "violated", ("private",))
    assert (first.verdict, first.violated, first.spans) == ("complied", (), 1)
    assert (first.start_unix_nano, first.end_unix_nano) == (SECOND, SECOND * 3 // 2)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({"limit": 2}, ["answer 3", "answer 2"]),
        ({"since_unix_nano": 2 * SECOND}, ["answer 3", "answer 2"]),
        ({"clause": "private"}, ["answer 2"]),
        ({"clause": "honest"}, ["answer 2", "answer 1"]),
        ({"clause": "honest", "outcome": "complied"}, ["answer 2", "answer 1"]),
        ({"clause": "private", "outcome": "complied"}, []),
        ({"outcome": "overridden"}, ["answer 1"]),
        ({"verdict": "complied"}, ["answer 1"]),
        ({"verdict": "violated"}, ["answer 2"]),
        ({"verdict": "error"}, []),
        ({"verdict": "nonsense"}, []),
        ({"clause": "honest", "verdict": "violated", "since_unix_nano": 1}, ["answer 2"]),
    ],
)
def test_traces_are_filtered(reader: Reader, wanted: dict[str, Any], expected: list[str]) -> None:
    """Every condition holds at once; clause and outcome about one finding; the verdict is the trace's worst."""
    assert names(reader, **wanted) == expected


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, ["d-31", "d-22", "d-21", "d-11"]),
        ({"limit": 1}, ["d-31"]),
        ({"since_unix_nano": 3 * SECOND}, ["d-31", "d-22"]),
        ({"clause": "private", "outcome": "violated"}, ["d-31", "d-21"]),
        ({"verdict": "error"}, ["d-22"]),
        ({"service": "other"}, ["d-31"]),
        ({"clause": "honest", "service": "other"}, []),
    ],
)
def test_decisions_are_filtered(reader: Reader, wanted: dict[str, Any], expected: list[str]) -> None:
    """Each filter of traces applies to decisions, whether or not their spans were stored."""
    assert ids(reader, **wanted) == expected


def test_short_ids_are_unique_and_find_their_trace(reader: Reader) -> None:
    """As many digits as it takes, at least eight; each leads back to one trace."""
    traces = reader.traces()

    assert [found.short_id for found in traces] == ["bbbb0000", "aaaaaaaa2", "aaaaaaaa1"]
    assert [reader.trace_ids(found.short_id) for found in traces] == [[found.trace_id] for found in traces]
    assert len(reader.trace_ids("aaaaaaaa")) == 2
    assert reader.trace_ids("cccc") == []
    assert reader.decision_ids("d-2") == ["d-21", "d-22"]
    assert reader.short_decision_id("d-21") == "d-21"


def test_the_decisions_of_a_trace_come_in_order(reader: Reader) -> None:
    """One trace's decisions, the earliest first."""
    assert [decision["id"] for decision in reader.decisions_of(f"{SECOND_TRACE:032x}")] == ["d-21", "d-22"]


def test_a_trace_is_listed_once_by_its_beginning(database: Path) -> None:
    """Neither late spans, nor children exported before their parent, nor two spans begun at once list it again."""
    exporter = SQLiteSpanExporter(database)
    tracer = TracerProvider(id_generator=Counting(FIRST, THIRD), shutdown_on_exit=False).get_tracer("t")
    early = tracer.start_span("early", start_time=1)
    other = tracer.start_span("other", start_time=2)
    inside = trace.set_span_in_context(early)
    children = [tracer.start_span("child", inside, start_time=start) for start in (1, 9)]
    for span in (*children, early, other):
        span.end(10)
        assert isinstance(span, ReadableSpan)
        exporter.export([span])
    exporter.shutdown()

    with Reader(database) as reader:
        assert [(found.name, found.spans) for found in reader.traces()] == [("other", 1), ("early", 3)]


def test_spans_alone_tell_verdict_and_violated_clauses(database: Path) -> None:
    """Verdict and violated clauses are read from the span's attributes where no decision record was stored."""
    exporter = SQLiteSpanExporter(database)
    span = (
        TracerProvider(shutdown_on_exit=False)
        .get_tracer("t")
        .start_span(
            "chat",
            attributes={"specspan.decision.verdict": "violated", "specspan.clauses.violated": ("b", "a")},
        )
    )
    span.end()
    assert isinstance(span, ReadableSpan)
    exporter.export([span])
    exporter.shutdown()

    with Reader(database) as reader:
        (found,) = reader.traces(Filter(verdict="violated"))

    assert (found.verdict, found.violated) == ("violated", ("a", "b"))


def test_rare_outcomes_are_found_by_index(reader: Reader) -> None:
    """Searching a clause's violations does not read every finding there is."""
    from specspan_exporter_sqlite import query

    for wanted in (Filter(clause="private", outcome="violated"), Filter(outcome="violated")):
        condition, values = query.deviations(wanted)
        latest = "ORDER BY time_unix_nano DESC, decision_id DESC"
        plan = reader._rows(
            f"EXPLAIN QUERY PLAN SELECT decision_id FROM finding_row AS f WHERE {condition} {latest}", values
        )

        assert [row[3].split(" (")[0] for row in plan] in (
            ["SEARCH f USING COVERING INDEX finding_notable"],
            ["SEARCH f USING COVERING INDEX finding_latest"],
        )


def test_traces_of_frequent_violations_look_at_each_decisions_own_findings(reader: Reader) -> None:
    """A list is filled trace by trace then: each asks its decisions' findings, and not all violations of the clause."""
    from specspan_exporter_sqlite import query

    condition, values = query.traces_of_findings(Filter(clause="a", outcome="violated"))
    plan = reader._rows(f"EXPLAIN QUERY PLAN SELECT trace_id FROM span_row AS span WHERE {condition}", values)

    steps = [row[3] for row in plan]
    assert any(step.startswith("SEARCH f USING PRIMARY KEY") for step in steps), steps


def test_services_are_found_without_reading_every_decision(reader: Reader) -> None:
    """Decisions that share what they have alike name their service once."""
    asked: list[str] = []
    reader._connection.set_trace_callback(asked.append)
    reader.services()
    reader._connection.set_trace_callback(None)

    plan = [row[3] for sql in asked for row in reader._rows(f"EXPLAIN QUERY PLAN {sql}", ())]

    assert plan
    assert not any(step.startswith("SCAN decision_row") for step in plan), plan


def test_a_snapshot_in_a_folder_that_may_not_be_written_is_read(
    reader: Reader, database: Path, run_python: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """A finished file on read-only storage can be read without its write-ahead log."""
    reader.close()
    program = """
import os, sys
from specspan_exporter_sqlite import Reader
if os.geteuid() == 0:
    os.seteuid(65534)  # nothing is read-only to root
print(os.access(os.path.dirname(sys.argv[1]), os.W_OK, effective_ids=True), len(Reader(sys.argv[1]).traces()))
"""
    with tempfile.TemporaryDirectory() as folder:
        snapshot = Path(folder) / "specspan.db"
        shutil.copy(database, snapshot)
        snapshot.chmod(0o444)
        snapshot.parent.chmod(0o555)
        try:
            assert run_python(program, snapshot).stdout.strip() == "False 3"
        finally:
            snapshot.parent.chmod(0o755)


@pytest.mark.parametrize("question", ["SELECT span_id", "FROM finding", "WHERE d.id = "])
def test_what_is_written_or_deleted_between_two_statements_is_not_seen_by_half(
    question: str, database: Path, decisions: SQLiteDecisionExporter, tracer: Tracer, record: Make
) -> None:
    """A list of traces, of decisions and their statistics are each of one moment, and rows that go raise nothing."""
    decisions.export([record("d-1", {"a": "violated"})])
    tracer.start_span("work").end()
    written: list[str] = []

    def interfere(statement: str) -> None:
        if question in statement and not written:
            written.append(statement)
            decisions.export([record("d-2", {"b": "violated"}, time_unix_nano=10**18)])
            with closing(sqlite3.connect(database)) as other, other:
                other.execute("DELETE FROM span_row")
                other.execute("DELETE FROM decision_row WHERE id = 'd-1'")

    with Reader(database) as reader:
        reader._connection.set_trace_callback(interfere)
        questions: dict[str, Callable[[], Any]] = {
            "SELECT span_id": lambda: [trace.name for trace in reader.traces()],
            "FROM finding": lambda: [group.violations for group in reader.statistics("day")],
            "WHERE d.id = ": lambda: [each["id"] for each in reader.decisions(Filter(outcome="violated"))],
        }
        found = questions[question]()

    assert written
    assert found in (["work"], [1], ["d-1"])


@pytest.mark.parametrize("text", ["3", "true", "null", "{nope", "[" * 100_000])
@pytest.mark.parametrize(
    ("table", "column"), [("decision_row", "record"), ("span_row", "attributes"), ("span_row", "events")]
)
def test_json_that_is_no_record_is_an_error_of_ours(
    table: str, column: str, text: str, database: Path, decisions: SQLiteDecisionExporter, tracer: Tracer, record: Make
) -> None:
    decisions.export([record("d-1")])
    tracer.start_span("work").end()
    with closing(sqlite3.connect(database)) as other, other:
        other.execute(f"UPDATE {table} SET shared_id = NULL, {column} = ?", (text,))

    with Reader(database) as reader, pytest.raises(SQLiteStoreError, match=r"holds an invalid JSON record|malformed"):
        (*reader.decisions(), *reader.spans(reader.traces()[0].trace_id))


@pytest.mark.parametrize("missing", ["id", "time_unix_nano"])
def test_a_record_that_lacks_what_every_one_has_is_an_error_of_ours(
    missing: str, database: Path, decisions: SQLiteDecisionExporter, record: Make
) -> None:
    decisions.export([record("d-1")])
    stored = {key: value for key, value in {"id": "d-1", "time_unix_nano": 1}.items() if key != missing}
    with closing(sqlite3.connect(database)) as other, other:
        other.execute("UPDATE decision_row SET shared_id = NULL, record = ?", (json.dumps(stored),))

    with Reader(database) as reader, pytest.raises(SQLiteStoreError, match="holds an invalid JSON record"):
        reader.decisions()


def test_an_index_that_names_spans_which_are_gone_is_an_error_of_ours(database: Path, tracer: Tracer) -> None:
    tracer.start_span("work").end()
    with Reader(database) as reader, pytest.raises(SQLiteStoreError, match=r"malformed.*recover"):
        with reader._translated_errors():
            summarize_trace(lambda *_: [], "f" * 32, "f")


def test_a_pipe_is_refused_without_waiting_for_a_writer(database: Path) -> None:
    os.mkfifo(database)
    with pytest.raises(ForeignFile, match="it is a pipe"):
        Reader(database)
