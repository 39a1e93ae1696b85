"""Errors of this exporter, all in one tree.

::

    PostgresStoreError        a database could not be used: ``str()`` names it, what is wrong and what to do
    ├── TemporaryFailure      the same batch may well be written later: no answer, no room, too many connections
    ├── RefusedDatabase       wrong password, no such database, missing rights, or tables of a newer version
    └── EmptyDatabase         nothing was ever recorded in it
"""

from __future__ import annotations

import psycopg

from specspan.errors import EmptyStore, StoreError


class PostgresStoreError(StoreError):
    """Error of a database that could not be read or written."""

    is_temporary = False
    """True where the same batch may well be written later: it is worth keeping."""

    def __init__(self, name: str, problem: str, remedy: str) -> None:
        super().__init__(name, problem, remedy)
        self.name = name
        """URL of the database without its password."""
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.name}: {self.problem}. {self.remedy}"


class TemporaryFailure(PostgresStoreError):
    """Failure of a server or of the way to it."""

    is_temporary = True


class RefusedDatabase(PostgresStoreError):
    """Error of a database that is not what was named, or not for this user or version."""


class EmptyDatabase(PostgresStoreError, EmptyStore):
    """Error of a database in which nothing was ever recorded."""

    def __str__(self) -> str:
        return f"{self.name}: {self.problem}"


# A refused connection has no SQLSTATE in libpq; its message is the server's.
_REFUSALS = (
    ("password authentication failed", "Correct user and password in SPECSPAN_DB, PGPASSWORD or ~/.pgpass."),
    ("no password supplied", "Give a password with PGPASSWORD, ~/.pgpass or in SPECSPAN_DB."),
    ("authentication failed", "Correct the user in SPECSPAN_DB, or what pg_hba.conf asks of it."),
    ("no pg_hba.conf entry", "Let pg_hba.conf accept this host, user and database."),
    ("does not exist", "Correct SPECSPAN_DB, or make it with createdb or createuser."),
)
_REMEDIES = {
    "25006": (TemporaryFailure, "Name the primary server: this one is read-only."),
    "42501": (RefusedDatabase, "Grant it: CREATE on the database for the first use, then the schema specspan."),
    "42P01": (RefusedDatabase, "Tables of the schema specspan are missing: restore it, or drop it for a new one."),
    "3F000": (RefusedDatabase, "The schema specspan is missing: it is made by the first export."),
    "53100": (TemporaryFailure, "Free some space on the server's disk."),
    "23505": (TemporaryFailure, "Another process wrote the same records; the next attempt leaves them out."),
    "57014": (TemporaryFailure, "The server was too slow, or somebody cancelled the statement."),
}
# Classes of SQLSTATE: https://www.postgresql.org/docs/current/errcodes-appendix.html
_TEMPORARY_CLASSES = ("08", "40", "53", "55", "57", "58")
_CHECK = "Check that the server runs and can be reached, and the address in SPECSPAN_DB."


def translate_error(name: str, error: psycopg.Error) -> PostgresStoreError:
    """Return the error with the server's message on one line, the database's name and a remedy."""
    state = error.sqlstate
    message = " ".join((error.diag.message_primary or str(error)).split()).rstrip(".")
    if state is None:
        remedy = next((remedy for fragment, remedy in _REFUSALS if fragment in message), None)
        if remedy is not None and "socket" not in message.rpartition("FATAL:")[2]:
            return RefusedDatabase(name, message.rpartition("FATAL:")[2].strip() or message, remedy)
        return TemporaryFailure(name, message or type(error).__name__, _CHECK)
    kind, remedy = _REMEDIES.get(state, (None, "See the server's log."))
    if kind is None:
        kind = TemporaryFailure if state[:2] in _TEMPORARY_CLASSES else PostgresStoreError
    return kind(name, f"{message} (SQLSTATE {state})", remedy)
