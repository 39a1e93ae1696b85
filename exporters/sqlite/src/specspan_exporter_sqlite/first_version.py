"""Names of the present tables over a file of the first version, for reading: no file is changed by being read."""

from __future__ import annotations

import sqlite3

_STATEMENTS = (
    "CREATE TEMP VIEW span AS SELECT *, rowid AS arrival FROM main.span",
    "CREATE TEMP VIEW span_row AS SELECT *, rowid AS rowid, NULL AS shared_id FROM main.span",
    "CREATE TEMP TABLE span_shared (id INTEGER PRIMARY KEY, attributes TEXT)",
    """CREATE TEMP VIEW decision_row AS
        SELECT *, NULL AS outcomes, NULL AS shared_id, NULL AS block FROM main.decision""",
    "CREATE TEMP VIEW finding_row AS SELECT * FROM main.finding",
    "CREATE TEMP VIEW policy_row AS SELECT * FROM main.policy",
    "CREATE TEMP TABLE decision_shared (id INTEGER PRIMARY KEY, record TEXT, service TEXT, policy_id INTEGER)",
    "CREATE TEMP TABLE assessment (policy_id INTEGER, number INTEGER, clause_id INTEGER)",
    "CREATE TEMP TABLE name (id INTEGER PRIMARY KEY, text TEXT)",
    "CREATE TEMP TABLE policy_record (id INTEGER PRIMARY KEY, digest TEXT, record TEXT)",
    "CREATE TEMP TABLE policy_activation (policy_id INTEGER, time_unix_nano INTEGER)",
)


def name_as_present(connection: sqlite3.Connection) -> None:
    """Give the tables of a file of the first version their present names, on this connection alone."""
    for statement in _STATEMENTS:
        connection.execute(statement)
