"""Errors of this store, all in one tree.

::

    ClickHouseStoreError      a database could not be used: ``str()`` names it, what is wrong and what to do
    ├── RefusedDatabase       no such user or database, missing rights, or tables of a newer version
    └── EmptyDatabase         it has no tables of ours yet
"""

from __future__ import annotations

import re

from clickhouse_connect.driver.exceptions import ClickHouseError

from specspan.errors import EmptyStore, StoreError


class ClickHouseStoreError(StoreError):
    """Error of a database that could not be read or changed."""

    def __init__(self, name: str, problem: str, remedy: str) -> None:
        super().__init__(name, problem, remedy)
        self.name = name
        """URL of the database without its password."""
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.name}: {self.problem}. {self.remedy}"


class RefusedDatabase(ClickHouseStoreError):
    """Error of a database that is not what was named, or not for this user or version."""


class EmptyDatabase(ClickHouseStoreError, EmptyStore):
    """Error of a database in which nothing was ever recorded."""

    def __str__(self) -> str:
        return f"{self.name}: {self.problem}"


# https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp
_REMEDIES: dict[int, tuple[type[ClickHouseStoreError], str]] = {
    60: (RefusedDatabase, "Make its tables with `specspan store init` and the same address."),
    81: (RefusedDatabase, "Correct the database in SPECSPAN_DB, or make it with CREATE DATABASE."),
    159: (ClickHouseStoreError, "Ask for less with --since, or raise max_execution_time for this user."),
    192: (RefusedDatabase, "Correct the user in SPECSPAN_DB."),
    193: (RefusedDatabase, "Correct the password in SPECSPAN_DB."),
    194: (RefusedDatabase, "Give a password in SPECSPAN_DB."),
    241: (ClickHouseStoreError, "Ask for less with --since, or raise max_memory_usage for this user."),
    497: (
        RefusedDatabase,
        "Grant it: SELECT on the database for reading, CREATE and INSERT for `specspan store init`.",
    ),
    516: (RefusedDatabase, "Correct user and password in SPECSPAN_DB."),
}
_CODE = re.compile(r"[Cc]ode: (\d+)")
_MESSAGE = re.compile(r"DB::Exception: (.*?)(?: \([A-Z_]+\))?(?: \(version .*)?$", re.DOTALL)
_CHECK = "Check that the server runs and can be reached over HTTP, and the address in SPECSPAN_DB."


def translate_error(name: str, error: ClickHouseError | OSError) -> ClickHouseStoreError:
    """Return the error with the server's message on one line, the database's name and a remedy."""
    text = " ".join(str(error).split())
    code = _CODE.search(text)
    if code is None:
        return ClickHouseStoreError(name, f"no answer of ClickHouse ({type(error).__name__})", _CHECK)
    kind, remedy = _REMEDIES.get(int(code[1]), (ClickHouseStoreError, "See the server's log."))
    message = _MESSAGE.search(text)
    problem = (message[1] if message else text)[:300].rstrip(". ")
    return kind(name, f"{problem} (code {code[1]})", remedy)
