"""ClickHouse's engine (chDB) behind its HTTP protocol on loopback, as no current server is to be had for tests.

``python tests/support/clickhouse_server.py PORT FOLDER`` serves; `clickhouse` starts it as a process of its own.
"""

from __future__ import annotations

import base64
import email
import email.policy
import itertools
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

USER, PASSWORD = "specspan", "geheim @/%"
"""A password that must be escaped in a URL, and that no message may hold."""
_AUTHORIZATION = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
_NO_SETTINGS = frozenset(
    (*("query", "query_id", "database", "session_id", "compress", "decompress", "enable_http_compression"),
     *("send_progress_in_http_headers", "http_headers_progress_interval_ms", "wait_end_of_query", "role", "user"),
     *("client_protocol_version", "default_format", "password"))
)  # fmt: skip


@dataclass(slots=True)
class ClickHouse:
    """A running server, and databases that a test has for itself."""

    port: int
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def url(self, database: str, user: str = USER, password: str = PASSWORD) -> str:
        """The address of a database."""
        return f"clickhouse://{user}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """Make an empty database, and return its URL."""
        import urllib.request

        name = f"test_{next(self._numbers)}"
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/", f"CREATE DATABASE {name}".encode(), {"Authorization": _AUTHORIZATION}
        )
        with urllib.request.urlopen(request) as answer:
            answer.read()
        return self.url(name)


@contextmanager
def clickhouse() -> Iterator[ClickHouse]:
    """Start a server for a block of tests, or skip them with a line that says what is missing."""
    import pytest
    from backends import READY_S, eventually, free_port

    pytest.importorskip("chdb", reason="chDB is not installed: pip install chdb-core")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen([sys.executable, __file__, str(port), folder], stdout=subprocess.DEVNULL)
        try:
            eventually(lambda: _answers(port), READY_S, "ClickHouse's engine to be ready")
            yield ClickHouse(port)
        finally:
            process.kill()
            process.wait()


def _answers(port: int) -> bool:
    import urllib.request

    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5) as answer:
            return bool(answer.read() == b"Ok.\n")
    except OSError:
        return False


class _Handler(BaseHTTPRequestHandler):
    """One query a request: https://clickhouse.com/docs/interfaces/http."""

    protocol_version = "HTTP/1.1"
    session: Any
    lock = threading.Lock()

    def do_GET(self) -> None:
        self._answer(200, b"Ok.\n")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parameters = dict(parse_qsl(urlsplit(self.path).query, keep_blank_values=True))
        if self.headers.get("Authorization") != _AUTHORIZATION:
            self._refuse(516, "Authentication failed: password is incorrect, or there is no user with such name.")
            return
        if (kind := self.headers.get("Content-Type", "")).startswith("multipart/form-data"):
            parameters |= _form(kind, body)
            body = b""
        sql = "\n".join(filter(None, (parameters.get("query"), body.decode())))
        values = {name[6:]: value for name, value in parameters.items() if name.startswith("param_")}
        settings = {
            name: value
            for name, value in parameters.items()
            if not name.startswith("param_") and name not in _NO_SETTINGS
        }
        from chdb import ChdbError

        with self.lock:
            try:
                self.session.query(f"USE {parameters.get('database') or 'default'}")
                for name, value in settings.items():
                    self.session.query(f"SET {name} = '{value}'")
                found = self.session.query(
                    sql, self.headers.get("X-ClickHouse-Format") or "TabSeparated", params=values
                )
            except (ChdbError, RuntimeError) as error:
                text = str(error)
                code = text.partition("Code: ")[2].partition(".")[0]
                self._refuse(int(code) if code.isdecimal() else 1002, text.partition("DB::Exception: ")[2] or text)
                return
            self._answer(200, bytes(found.bytes() or b""))

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the base class names it so
        """Keep quiet."""

    def _refuse(self, code: int, message: str) -> None:
        text = f"Code: {code}. DB::Exception: {message}\n".encode()
        self._answer(403 if code == 516 else 500, text, {"X-ClickHouse-Exception-Code": str(code)})

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _form(kind: str, body: bytes) -> dict[str, str]:
    """Return the fields of a form, in which the client sends values that are too long for a URL."""
    message = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body, policy=email.policy.HTTP)
    fields = {}
    for part in message.iter_parts():
        fields[str(part.get_param("name", header="content-disposition"))] = part.get_content()
    return fields


def serve(port: int, folder: str) -> None:
    """Serve until the process is killed."""
    from chdb.session import Session

    _Handler.session = Session(folder)  # type: ignore[no-untyped-call]
    ThreadingHTTPServer(("127.0.0.1", port), _Handler).serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]), sys.argv[2])
