"""Many rows in few statements, with values as they are."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specspan_exporter_sqlite.bulk_insert import insert_rows

VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.binary(max_size=8),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.sampled_from([2**53 + 1, -(2**63), 2**63 - 1, float("inf"), "a\0b", "\0", "", "1e999", '"', "null"]),
)


@given(st.lists(st.tuples(VALUES, VALUES), max_size=40))
def test_values_are_stored_as_one_by_one(rows: list[tuple[object, object]]) -> None:
    """Large integers, infinities, NUL characters and bytes are what binding them one by one makes of them."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE together (a, b)")
        connection.execute("CREATE TABLE single (a, b)")

        insert_rows(connection, "together", rows)

        connection.executemany("INSERT INTO single VALUES (?, ?)", rows)
        together, single = (
            connection.execute(f"SELECT typeof(a), a, typeof(b), b FROM {table} ORDER BY rowid").fetchall()
            for table in ("together", "single")
        )
        assert together == single


@pytest.mark.parametrize(("number", "most"), [(512, 1), (511, 9), (5_000, 16), (0, 0)])
def test_many_rows_are_few_statements(number: int, most: int) -> None:
    """Each statement gives the interpreter lock away once, so their number does not grow with the rows."""
    statements: list[str] = []
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (a, b)")
        connection.set_trace_callback(statements.append)

        insert_rows(connection, "t", [(n, n) for n in range(number)])

        connection.set_trace_callback(None)
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (number,)
    assert len(statements) <= most


def test_a_build_with_few_parameters_writes_all_rows() -> None:
    """Older builds of SQLite take 999 parameters a statement,."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (a, b, c)")
        if sys.version_info >= (3, 11):  # where the limit can be set
            connection.setlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER, 10)

        insert_rows(connection, "t", [(n, n, n) for n in range(100)])

        assert connection.execute("SELECT count(*), sum(a) FROM t").fetchone() == (100, 4950)


def test_known_rows_stay_as_they_are() -> None:
    """A row that conflicts is left out, its neighbours are written; without leave, the statement fails."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (a PRIMARY KEY, b)")
        insert_rows(connection, "t", [(1, "first")])

        insert_rows(connection, "t", [(1, "second"), (2, "new"), (2, "again")], ignores_known=True)

        assert connection.execute("SELECT * FROM t ORDER BY a").fetchall() == [(1, "first"), (2, "new")]
        with pytest.raises(sqlite3.IntegrityError):
            insert_rows(connection, "t", [(1, "second")])
