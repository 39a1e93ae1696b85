"""Downloading a published spec, from a server in this process that behaves as it is told."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from specspan.errors import SpecError
from specspan.spec.catalogue import Edition, pull

TEXT = b"# A {#a}\n\nText.\n"
EDITION = Edition(
    "acme", "1", "2026-01-01", f"sha256:{sha256(TEXT).hexdigest()}", len(TEXT), "acme/1.md", ("root",), {}
)
Answer = Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture
def served() -> Iterator[Callable[[Answer], dict[str, str]]]:
    """Starts a server that answers as given; gives the environment that names it."""
    servers: list[ThreadingHTTPServer] = []

    def serve(answer: Answer) -> dict[str, str]:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                answer(self)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return {"SPECSPAN_CATALOGUE_URL": f"http://127.0.0.1:{server.server_port}"}

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def answering(data: bytes, *, length: int | None = None, status: int = 200, **headers: str) -> Answer:
    """An answer with these bytes; ``length`` is what it claims to have."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(data) if length is None else length))
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(data)

    return answer


def stalling(handler: BaseHTTPRequestHandler) -> None:
    """Begins, and then lets the other side wait until it goes."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(TEXT)))
    handler.end_headers()
    handler.wfile.write(TEXT[:3])
    handler.connection.settimeout(5.0)
    handler.connection.recv(1)


def babbling(handler: BaseHTTPRequestHandler) -> None:
    """Says what is no HTTP."""
    handler.wfile.write(b"\0\1\2\n\n")


def test_the_known_bytes_are_written(served: Callable[[Answer], dict[str, str]], tmp_path: Path) -> None:
    """What was published is written, in a folder made for it, over what stood there."""
    target = tmp_path / "specs" / "acme@1.md"
    environ = served(answering(TEXT))
    for _ in range(2):
        pull(EDITION, target, environ=environ)
        assert target.read_bytes() == TEXT
        target.write_bytes(b"old")
    assert [*target.parent.iterdir()] == [target]


REFUSED: dict[str, tuple[Answer, str]] = {
    "another text of the same length": (answering(TEXT.replace(b"Text", b"Lies")), "the download has the digest"),
    "truncated": (answering(TEXT[:5], length=len(TEXT)), "download failed|digest"),
    "huge": (answering(TEXT * 10_000), "more than 16 bytes"),
    "absent": (answering(b"", status=404), "answers 404"),
    "failing": (answering(b"", status=503), "answers 503"),
    "slow": (stalling, "timed out"),
    "redirected to an unsafe place": (
        answering(b"", status=302, Location="http://example.com/"),
        "not an https address",
    ),
    "redirected to a file": (answering(b"", status=302, Location="file:///etc/passwd"), "answers 302"),
    "no HTTP": (babbling, "download failed"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_anything_else_is_refused_and_nothing_written(
    served: Callable[[Answer], dict[str, str]], tmp_path: Path, name: str
) -> None:
    """Other bytes, fewer, more, none or too slow ones are refused, and the folder stays as it was."""
    answer, says = REFUSED[name]
    with pytest.raises(SpecError, match=says):
        pull(EDITION, tmp_path / "acme.md", environ=served(answer), timeout_s=1.0)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("base", ["http://example.com", "ftp://127.0.0.1", "file:///tmp", "example.com", "http://["])
def test_only_https_is_asked(tmp_path: Path, base: str) -> None:
    """A mirror without encryption is refused before anything is sent."""
    with pytest.raises(SpecError, match="not an https address"):
        pull(EDITION, tmp_path / "acme.md", environ={"SPECSPAN_CATALOGUE_URL": base})


def test_a_place_that_cannot_be_written_is_named(served: Callable[[Answer], dict[str, str]], tmp_path: Path) -> None:
    """A target that is a folder is an error with its path, and leaves nothing behind."""
    (tmp_path / "acme.md").mkdir()
    with pytest.raises(SpecError, match="cannot be written"):
        pull(EDITION, tmp_path / "acme.md", environ=served(answering(TEXT)))
    assert [*tmp_path.iterdir()] == [tmp_path / "acme.md"]
