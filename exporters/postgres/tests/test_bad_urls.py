"""Every command, with a database that cannot be used: one line, a remedy, exit code 2, no password."""

from __future__ import annotations

import sys
from collections.abc import Callable

import psycopg
import pytest
from postgres_server import PASSWORD, Postgres

from specspan.cli.main import main
from specspan_exporter_postgres import PostgresDecisionExporter

COMMANDS = (
    ("traces", "list"),
    ("traces", "show"),
    ("decisions", "list", "--verdict", "violated"),
    ("decisions", "show"),
    ("stats", "--by", "clause"),
    ("rates",),
    ("export", "-"),
    ("prune", "--older-than", "90d"),
    ("prune", "--older-than", "90d", "--dry-run"),
    ("prune", "--history"),
)
BAD: dict[str, tuple[Callable[[Postgres, str], str], str]] = {
    "unreachable": (lambda server, url: "postgresql://me:geheim@127.0.0.1:1/db", "Check that the server runs"),
    "no host": (lambda server, url: "postgresql://me:geheim@nowhere.invalid/db", "Check that the server runs"),
    "wrong password": (lambda server, url: server.url("postgres", password="geheim"), "PGPASSWORD"),
    "wrong database": (lambda server, url: server.url("nowhere"), "createdb"),
    "no URL": (lambda server, url: "postgresql://me:geheim@host/db?nonsense=geheim", "postgresql://USER"),
    "empty": (lambda server, url: url, "specspan demo"),
}


def fill(url: str, *statements: str) -> str:
    """Write a decision, then change what holds it."""
    exporter = PostgresDecisionExporter(url)
    exporter.export([{"v": 1, "type": "decision", "id": "d", "time_unix_nano": 1, "trace_id": "1" * 32}])
    exporter.shutdown()
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)
    return url


@pytest.mark.parametrize("bad", [*BAD, "newer", "foreign", "damaged"])
@pytest.mark.table(every=3)
def test_a_database_that_cannot_be_used(
    server: Postgres, url: str, bad: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every command says once what is wrong and what to do."""
    if bad == "newer":
        address, says = fill(url, "UPDATE specspan.store SET version = 99"), "pip install -U"
    elif bad == "foreign":
        address, says = fill(url, "DROP SCHEMA specspan CASCADE", "CREATE SCHEMA specspan",
                             "CREATE TABLE specspan.theirs (a int)"), "Name another database"  # fmt: skip
    elif bad == "damaged":
        drop = "DROP TABLE specspan.{0} CASCADE"
        names = ("span", "decision", "policy", "other_record")
        address, says = fill(url, *map(drop.format, names)), "restore it"
    else:
        make, says = BAD[bad]
        address = make(server, url)
    for words in COMMANDS:
        monkeypatch.setattr(sys, "argv", ["specspan", *words, "--db", address])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        assert (end.value.code, out) == (2, ""), (words, err)
        assert says in err, (words, err)
        assert len(err.splitlines()) == 1, (words, err)
        assert not any(secret in out + err for secret in ("geheim", PASSWORD)), words
