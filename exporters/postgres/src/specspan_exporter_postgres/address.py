"""Address of a database: a URL as libpq reads it, with what a writer needs besides; no message holds its password."""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import quote

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from specspan.errors import ConfigurationError, Problem

SCHEMES = ("postgresql", "postgres")
# https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
_DEFAULTS = {
    "application_name": "specspan",
    "connect_timeout": "5",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "15000",
    "client_encoding": "UTF8",
}
"""Parameters of a connection where the URL says nothing: a server that vanished is noticed in 15 s."""


@dataclass(frozen=True, slots=True)
class Address:
    """Checked address of a database."""

    conninfo: str
    """Connection string with everything in it."""
    name: str
    """URL without a password, for messages."""

    def __repr__(self) -> str:
        return f"Address({self.name!r})"


def parse_address(url: str | os.PathLike[str] | None = None) -> Address:
    """Return the address that a URL names, by default ``SPECSPAN_DB``.

    Raises:
        ConfigurationError: the URL is missing or cannot be read.
    """
    text = os.fspath(url) if url is not None else os.environ.get("SPECSPAN_DB", "").strip()
    scheme, is_url, _ = text.partition("://")
    if not is_url or scheme.lower() not in SCHEMES:
        problem = Problem("missing address of the database", "Set SPECSPAN_DB to postgresql://USER@HOST/DATABASE.")
        raise ConfigurationError("PostgreSQL", problem)
    try:
        given = conninfo_to_dict(scheme.lower() + text[len(scheme) :])
    except psycopg.ProgrammingError:  # its message quotes the URL, and the password in it
        problem = Problem(
            "invalid URL", "Write postgresql://USER:PASSWORD@HOST:5432/DATABASE, with special signs as %XX."
        )
        raise ConfigurationError("PostgreSQL", problem) from None
    parameters = {name: str(value) for name, value in given.items() if value is not None}
    return Address(make_conninfo(**{**_DEFAULTS, **parameters}), _name(parameters))


def _name(parameters: dict[str, str]) -> str:
    user = f"{quote(parameters['user'])}@" if parameters.get("user") else ""
    host = parameters.get("host") or parameters.get("hostaddr") or ""
    port = f":{parameters['port']}" if parameters.get("port") else ""
    database = quote(parameters.get("dbname") or "")
    return f"postgresql://{user}{quote(host, safe=',:[]')}{port}/{database}"
