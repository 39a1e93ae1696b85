"""Address of a database: a URL of the server's HTTP interface; no message holds its password."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from specspan.errors import ConfigurationError, Problem

SCHEMES = ("clickhouse",)
_PORT, _SECURE_PORT = 8123, 8443
_REMEDY = "Write clickhouse://USER:PASSWORD@HOST:8123/DATABASE, with special signs as %XX; ?secure=true for TLS."
_TABLES = ("logs", "traces")


@dataclass(frozen=True, slots=True)
class Address:
    """Checked address of a database."""

    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)
    is_secure: bool
    """Whether the server is spoken to over TLS."""
    logs_table: str = "otel_logs"
    """Table that the Collector writes log records into, in the same database."""
    traces_table: str = "otel_traces"
    """Table that the Collector writes spans into."""

    @property
    def name(self) -> str:
        """URL without a password, for messages."""
        user = f"{quote(self.user)}@" if self.user else ""
        return f"clickhouse://{user}{self.host}:{self.port}/{quote(self.database)}"


def parse_address(url: str | os.PathLike[str] | None = None) -> Address:
    """Return the address that a URL names, by default ``SPECSPAN_DB``.

    Raises:
        ConfigurationError: the URL is missing or cannot be read.
    """
    text = os.fspath(url) if url is not None else os.environ.get("SPECSPAN_DB", "").strip()
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:  # its message quotes the URL, and the password in it
        raise _invalid("invalid URL") from None
    if parts.scheme.lower() not in SCHEMES or not parts.hostname:
        raise _invalid("missing address of the database")
    parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(set(parameters) - {"secure", *_TABLES})
    if unknown:
        raise _invalid(f"unknown parameter {unknown[0]!r}")
    secure = parameters.get("secure", "false").lower()
    if secure not in ("true", "false", "1", "0"):
        raise _invalid("invalid value of the parameter 'secure'")
    is_secure = secure in ("true", "1")
    return Address(
        host=f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname,
        port=port or (_SECURE_PORT if is_secure else _PORT),
        database=unquote(parts.path.strip("/")) or "default",
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        is_secure=is_secure,
        **{f"{name}_table": parameters[name] for name in _TABLES if parameters.get(name)},
    )


def _invalid(problem: str) -> ConfigurationError:
    return ConfigurationError("ClickHouse", Problem(problem, _REMEDY))
