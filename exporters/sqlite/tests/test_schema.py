"""Whose file it is, and of which version."""

from __future__ import annotations

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

from specspan_exporter_sqlite import schema


def test_a_file_that_another_process_is_making_is_never_taken_for_somebody_elses(tmp_path: Path) -> None:
    """Wherever the other process is in making it, the file is empty or ours."""
    path = tmp_path / "specspan.db"
    with (
        closing(sqlite3.Connection(path, timeout=0, isolation_level=None)) as looking,
        closing(sqlite3.Connection(path, timeout=0, isolation_level=None)) as making,
    ):

        def make(statement: str) -> None:
            if "sqlite_master" in statement:  # the last thing that is looked at
                with suppress(sqlite3.OperationalError):  # where it may not write now, it would wait
                    schema.migrate(making, path)

        looking.set_trace_callback(make)
        assert schema.check(looking, path) in (0, schema.VERSION)
