"""Versions of the tables, and how a database is brought from one to the next."""

from __future__ import annotations

import time
from typing import Final

from specspan.errors import ConfigurationError, Problem
from specspan_exporter_clickhouse.connection import Connection
from specspan_exporter_clickhouse.errors import EmptyDatabase, RefusedDatabase
from specspan_exporter_clickhouse.tables import DATED, TABLES, quote_name, views_from
from specspan_exporter_clickhouse.views import REFRESH, VIEWS, span_view

VERSION: Final = 1
"""Version of the tables. A newer one adds statements that are run on an older database, and makes the views anew."""

MAX_KEEP_DAYS: Final = 10_000
"""Largest number of days that decisions are kept for by the server."""


def find_version(connection: Connection) -> int:
    """Return the version of the tables, 0 where there are none.

    Raises:
        RefusedDatabase: a newer version made them.
    """
    asked = "SELECT count() FROM system.tables WHERE database = currentDatabase() AND name = 'specspan_store'"
    if not connection.rows(asked)[0][0]:
        return 0
    found = int(connection.rows("SELECT max(version) FROM specspan_store")[0][0])
    if found > VERSION:
        problem = f"written by a newer version (schema {found}; this one knows {VERSION})"
        raise RefusedDatabase(connection.name, problem, "Upgrade with `pip install -U specspan-exporter-clickhouse`.")
    return found


def require_tables(connection: Connection) -> None:
    """Raise `EmptyDatabase` where the tables were never made.

    Raises:
        EmptyDatabase: there are no tables of ours.
        RefusedDatabase: see `find_version`.
    """
    if find_version(connection) == 0:
        problem = "has no tables of specspan: make them with `specspan store init` and the same address"
        raise EmptyDatabase(connection.name, problem, "")


def make_tables(connection: Connection, keep_days: int | None = None) -> list[str]:
    """Make the tables, or bring them to this version, and return what was done in lines.

    What the Collector wrote before is read once, when the tables are made. Asked again it changes nothing.

    Args:
        connection: a connection of a user that may create tables and views.
        keep_days: days after which decisions are removed by the server; None leaves what is set.

    Raises:
        ConfigurationError: ``keep_days`` is not from 1 to `MAX_KEEP_DAYS`.
        RefusedDatabase: the Collector's tables are missing, or a newer version made ours.
    """
    if keep_days is not None and not 1 <= keep_days <= MAX_KEEP_DAYS:  # a later time does not fit into DateTime
        problem = Problem(f"invalid number of days {keep_days}", f"Give 1 to {MAX_KEEP_DAYS}.")
        raise ConfigurationError("store init", problem)
    found = find_version(connection)
    _require_collector_tables(connection)
    done = []
    if found < VERSION:
        for statement in TABLES:
            connection.run(statement)
        _make_views(connection)
        connection.run(f"INSERT INTO specspan_store VALUES ({VERSION}, {time.time_ns()})")
        done.append(f"{'Made the tables' if found == 0 else 'Upgraded the tables'}, version {VERSION}.")
    else:
        done.append(f"The tables are of version {VERSION} already.")
    if keep_days is not None:
        for table in DATED:
            when = "toDateTime(fromUnixTimestamp64Nano(time_unix_nano, 'UTC'))"
            connection.run(f"ALTER TABLE {table} MODIFY TTL {when} + toIntervalDay({keep_days})")
        done.append(f"The server removes decisions after {keep_days} days.")
    return done


def _make_views(connection: Connection) -> None:
    address = connection.address
    made = "SELECT name FROM system.tables WHERE database = currentDatabase() AND endsWith(name, '_mv')"
    made_before = {str(name) for (name,) in connection.rows(made)}
    for name, query in VIEWS.items():
        connection.run(f"CREATE OR REPLACE VIEW {name} AS {query}")
    spans = span_view(quote_name(address.traces_table), is_json=_has_json(connection, address.traces_table))
    connection.run(f"CREATE OR REPLACE VIEW specspan_span AS {spans}")
    for name, statement in {**views_from(address), "specspan_decision_minute_mv": REFRESH}.items():
        connection.run(f"DROP VIEW IF EXISTS {name}")
        connection.run(statement)
        if name not in made_before and name != "specspan_decision_minute_mv":
            _, _, query = statement.partition(" AS ")
            connection.run(f"INSERT INTO {name.removesuffix('_mv')} {query}")


def _require_collector_tables(connection: Connection) -> None:
    wanted = {connection.address.logs_table, connection.address.traces_table}
    asked = "SELECT name FROM system.tables WHERE database = currentDatabase() AND name IN {wanted:Array(String)}"
    missing = wanted - {str(name) for (name,) in connection.rows(asked, {"wanted": sorted(wanted)})}
    if missing:
        problem = f"has no table {', '.join(sorted(missing))} of a Collector"
        remedy = (
            "Start the Collector once with `create_schema: true` and this database, or name its tables: "
            "?logs=TABLE&traces=TABLE."
        )
        raise RefusedDatabase(connection.name, problem, remedy)


def _has_json(connection: Connection, table: str) -> bool:
    """Return whether the attributes of a Collector's table are of the type JSON."""
    asked = """SELECT startsWith(type, 'JSON') OR startsWith(type, 'Object') FROM system.columns
        WHERE database = currentDatabase() AND table = {table:String} AND name = 'SpanAttributes'"""
    found = connection.rows(asked, {"table": table})
    return bool(found and found[0][0])
