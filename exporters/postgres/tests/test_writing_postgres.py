"""Whole batches are committed once, whatever happens to the server and to processes."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from backends import eventually
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from postgres_server import PASSWORD, Postgres, postgres

import specspan
from specspan._support import drop_counts
from specspan.errors import ConfigurationError, StoreError
from specspan_exporter_postgres import PostgresDecisionExporter, PostgresSpanExporter, PostgresStoreError, Reader
from specspan_exporter_postgres.address import parse_address
from specspan_exporter_postgres.errors import EmptyDatabase, RefusedDatabase, TemporaryFailure
from specspan_exporter_postgres.schema import VERSION
from specspan_exporter_postgres.writer import Writer, shared_writer


def decision(number: int) -> dict[str, Any]:
    """A decision record of the first version."""
    finding = {"clause": "privacy", "outcome": "violated"}
    return {"v": 1, "type": "decision", "id": f"d-{number}", "time_unix_nano": number, "findings": [finding]}


def count(url: str, table: str) -> int:
    """Rows in a table."""
    with psycopg.connect(url) as connection:
        return int((connection.execute(f"SELECT count(*) FROM specspan.{table}").fetchone() or (0,))[0])


def test_a_batch_again_changes_nothing(url: str, decisions: PostgresDecisionExporter) -> None:
    """A decision that is there already is left alone, beside new ones too, and one that a batch has twice is one."""
    decisions.export([decision(1), decision(1)])
    decisions.export([decision(1), decision(2)])
    decisions.export([decision(2)])
    assert (count(url, "decision"), count(url, "finding")) == (2, 2)


def test_a_batch_is_whole_or_not_there(url: str, decisions: PostgresDecisionExporter) -> None:
    """A row that the database refuses takes its whole batch along; the next batch is written."""
    decisions.export([decision(1)])
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER TABLE specspan.finding ADD CHECK (clause <> 'refused')")
    refused = {**decision(3), "findings": [{"clause": "refused", "outcome": "violated"}]}
    with pytest.raises(PostgresStoreError, match="SQLSTATE 23514"):
        decisions.export([decision(2), refused])
    decisions.export([decision(4)])
    assert count(url, "decision") == 2


def test_many_make_the_tables_at_once(url: str) -> None:
    """One of them does, and the others find them made."""
    writers = [Writer(parse_address(url)) for _ in range(6)]
    failures: list[Exception] = []

    def write(writer: Writer) -> None:
        try:
            writer.write(lambda session: None)
        except Exception as error:
            failures.append(error)
        writer.close()

    threads = [threading.Thread(target=write, args=(writer,)) for writer in writers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT version FROM specspan.store").fetchall() == [(VERSION,)]


def test_a_process_has_one_connection(url: str) -> None:
    """Spans and decisions share it, however many exporters there are."""
    spans, decided = PostgresSpanExporter(url), PostgresDecisionExporter(url)
    assert spans._writer is decided._writer is shared_writer(parse_address(url))
    spans.write([TracerProvider(shutdown_on_exit=False).get_tracer("t").start_span("s")])  # type: ignore[list-item]
    decided.export([decision(1)])
    with psycopg.connect(url) as connection:
        asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        assert connection.execute(asked).fetchone() == (1,)
    decided.shutdown()


def test_a_forked_child_has_a_connection_of_its_own(url: str, decisions: PostgresDecisionExporter) -> None:
    """Parent and child write, in turn, and the end of the child ends nothing of the parent's."""
    decisions.export([decision(1)])
    child = os.fork()
    if child == 0:
        code = 1
        try:
            decisions.export([decision(2)])
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    decisions.export([decision(3)])
    assert count(url, "decision") == 3


@pytest.fixture
def own_server() -> Iterator[Postgres]:
    """A server that this test alone stops."""
    with postgres() as started:
        yield started


@pytest.mark.usefixtures("nothing_configured")
def test_an_outage_loses_nothing_that_queues_hold(
    own_server: Postgres, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Calls go on; a flush says no as long as nothing is committed, and yes once all is."""
    url = own_server.new_database()
    monkeypatch.setenv("SPECSPAN_DB", url)
    specspan.configure()

    @specspan.observe(model="parrot-1")
    def parrot(text: str) -> str:
        return text

    parrot("one")
    assert specspan.force_flush()
    before = drop_counts.totals()
    own_server.stop()
    with caplog.at_level(logging.WARNING):
        for _ in range(20):
            parrot("two")
        assert not specspan.force_flush(0.5)
    assert PASSWORD not in caplog.text
    own_server.start()
    assert specspan.force_flush(20)
    specspan.shutdown()
    assert drop_counts.totals() == before
    with Reader(url) as reader:
        assert len(reader.traces()) == 20  # the latest: 21 were written
    assert count(url, "span") == 21


def test_a_server_that_is_down_is_asked_more_and_more_rarely() -> None:
    """Every attempt says that a later one may succeed, and shows no password."""
    now = [0.0]
    writer = Writer(parse_address(f"postgresql://me:{'geheim'}@127.0.0.1:1/db"), now_s=lambda: now[0])
    delays = []
    for _ in range(8):
        with pytest.raises(TemporaryFailure, match=r"127\.0\.0\.1:1/db") as failed:
            writer.write(lambda session: None)
        assert "geheim" not in str(failed.value) + repr(failed.value)
        assert failed.value.is_temporary
        delays.append(writer._next_attempt_s - now[0])
        now[0] = writer._next_attempt_s
    assert delays[0] < 0.3
    assert 2.5 <= delays[-1] <= 5
    now[0] -= 0.01
    with pytest.raises(TemporaryFailure):  # not asked at all
        writer.write(lambda session: None)
    assert writer._next_attempt_s > now[0]


def test_spans_of_any_program_are_counted_where_they_are_lost(caplog: pytest.LogCaptureFixture) -> None:
    """Without specspan's queue the exporter says so itself, once, and the SDK goes on."""
    exporter = PostgresSpanExporter("postgresql://127.0.0.1:1/db")
    before = drop_counts.totals().get(("span", "export_failed"), 0)
    span = TracerProvider(shutdown_on_exit=False).get_tracer("t").start_span("s")
    assert [exporter.export([span]) for _ in range(2)] == [SpanExportResult.FAILURE] * 2  # type: ignore[list-item]
    assert drop_counts.totals()["span", "export_failed"] == before + 2
    assert len([line for line in caplog.messages if "spans are being lost" in line]) == 1


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda server, url: server.url("postgres", password="falsch"), "password authentication failed.*PGPASSWORD"),
        (lambda server, url: server.url("nowhere"), 'database "nowhere" does not exist.*createdb'),
        (lambda server, url: server.url("postgres", user="nobody"), "authentication failed"),
    ],
)
def test_what_is_refused_is_no_outage(server: Postgres, url: str, change: Any, says: str) -> None:
    """Wrong password, database and user: a sentence with a remedy, for who writes and who reads."""
    wrong = change(server, url)
    with pytest.raises(RefusedDatabase, match=says) as refused:
        PostgresDecisionExporter(wrong).export([decision(1)])
    assert not refused.value.is_temporary
    with pytest.raises(StoreError, match=says) as unread:
        Reader(wrong)
    for error in (refused.value, unread.value):
        assert not {"falsch", PASSWORD} & {str(error)[at : at + len(PASSWORD)] for at in range(len(str(error)))}


def test_a_schema_of_others_and_of_a_newer_version_is_left_alone(url: str) -> None:
    """Both are refused, by who writes and by who reads, and nothing in them is changed."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA specspan")
        connection.execute("CREATE TABLE specspan.theirs (a int)")
        with pytest.raises(RefusedDatabase, match="another program"):
            PostgresDecisionExporter(url).export([decision(1)])
        connection.execute("DROP SCHEMA specspan CASCADE")
        exporter = PostgresDecisionExporter(url)
        exporter.export([decision(1)])
        connection.execute("UPDATE specspan.store SET version = 99")
        for use in (
            lambda: exporter.export([decision(2)]),
            lambda: exporter.export([decision(2)]),
            lambda: Reader(url),
        ):
            with pytest.raises(PostgresStoreError):
                use()
        with pytest.raises(RefusedDatabase, match=r"newer version \(schema 99"):
            PostgresDecisionExporter(url).export([decision(2)])
    assert count(url, "decision") == 1


def test_an_empty_database_and_an_encoding_that_lacks_letters(server: Postgres, url: str) -> None:
    """Nothing was recorded in the one, and nothing is in the other."""
    with pytest.raises(EmptyDatabase, match="nothing was ever recorded"):
        Reader(url)
    other = server.new_database("ENCODING 'LATIN1' TEMPLATE template0")
    with pytest.raises(RefusedDatabase, match=r"LATIN1.*--encoding=UTF8"):
        PostgresDecisionExporter(other).export([decision(1)])


@pytest.mark.parametrize(
    "url", ["", "specspan.db", "postgresql://me:geheim@host:port/db?x", "postgresql://h/d?geheim=1"]
)
def test_a_url_that_cannot_be_read_is_refused_at_once(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`configure` refuses it before anything is lost, and repeats nothing of it, as it may hold a password."""
    monkeypatch.setenv("SPECSPAN_DB", url)
    monkeypatch.setenv("SPECSPAN_DECISION_EXPORTER", "postgres")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    with pytest.raises(ConfigurationError, match="postgresql://") as refused:
        specspan.configure()
    assert "geheim" not in str(refused.value)


@pytest.mark.usefixtures("nothing_configured")
def test_by_url_alone_everything_goes_to_the_database(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`SPECSPAN_DB` or `configure(db=…)`: spans and decisions, and no file."""
    monkeypatch.chdir(tmp_path)
    specspan.configure(db=url)

    @specspan.observe(model="parrot-1")
    def parrot(text: str) -> str:
        return text

    parrot("one")
    assert specspan.force_flush()
    specspan.shutdown()
    assert count(url, "span") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_tables_can_be_used_without_the_right_to_make_them(server: Postgres, url: str) -> None:
    """An application's user needs the rows of the schema alone, once somebody made it."""
    PostgresDecisionExporter(url).export([decision(1)])
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "DO $$ BEGIN CREATE ROLE app LOGIN PASSWORD 'app'; EXCEPTION WHEN duplicate_object THEN END $$"
        )
        connection.execute("GRANT USAGE ON SCHEMA specspan TO app")
        connection.execute("GRANT SELECT, INSERT, UPDATE ON ALL TABLES IN SCHEMA specspan TO app")
    own = server.url(url.rpartition("/")[2], "app", "app")
    exporter = PostgresDecisionExporter(own)
    exporter.export([decision(2)])
    exporter.shutdown()
    assert count(url, "decision") == 2
    empty = server.new_database()
    with pytest.raises(RefusedDatabase, match="CREATE on the database"):
        PostgresDecisionExporter(server.url(empty.rpartition("/")[2], "app", "app")).export([decision(1)])


def test_the_end_of_a_session_is_met_by_another(url: str, decisions: PostgresDecisionExporter) -> None:
    """A session that an administrator ends fails its batch for now, and the next attempt connects anew."""
    decisions.export([decision(1)])
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
               WHERE datname = current_database() AND pid <> pg_backend_pid()"""
        )

    def ended() -> bool:
        with psycopg.connect(url) as connection:
            asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            return connection.execute(asked).fetchone() == (1,)

    eventually(ended, 10, "the session to end")
    with pytest.raises(TemporaryFailure):
        decisions.export([decision(2)])
    decisions.export([decision(2)])
    assert count(url, "decision") == 2
