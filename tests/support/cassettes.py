"""Recorded traffic of real services: read from cassettes, and answered again to a real client.

A cassette is a YAML file of interactions, each a request and its response. What a client is answered is the recorded
status and body, byte for byte; only a compression that was named is undone.
"""

from __future__ import annotations

import gzip
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx2
import yaml

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_GZIPPED = b"\x1f\x8b"
_ABOUT_THE_BYTES = frozenset(("content-encoding", "content-length", "transfer-encoding", "connection"))


@dataclass(frozen=True)
class Exchange:
    """One recorded request and its answer."""

    name: str
    """Folder, file and place in it, such as ``openai-v2/test_chat[0]``."""
    method: str
    url: str
    request_headers: Mapping[str, str]
    """By lower-case name."""
    request_body: bytes
    status: int
    headers: Mapping[str, str]
    """Of the answer, by lower-case name; a content type always, told from the body where it was not recorded."""
    body: bytes
    """Of the answer, not compressed."""

    @property
    def path(self) -> str:
        """The URL's path, with ``%3A`` and the like undone."""
        return unquote(urlsplit(self.url).path)

    @cached_property
    def request(self) -> Any:
        """What was sent, from JSON; {} where nothing was."""
        return json.loads(self.request_body or b"{}")

    @cached_property
    def answer(self) -> Any:
        """A body that is JSON."""
        return json.loads(self.body)

    @cached_property
    def events(self) -> list[Any]:
        """A body of server-sent events: the data of each that is JSON."""
        lines = self.body.decode().splitlines()
        return [json.loads(line[len("data:") :]) for line in lines if re.match(r"data:\s*[{\[]\s*(?!DONE)", line)]

    @property
    def streamed(self) -> bool:
        """Whether the answer came as a stream of events, of either kind."""
        return "event-stream" in self.headers["content-type"] or "eventstream" in self.headers["content-type"]


def exchanges(folder: Path, *, host: str = "", path: str = "") -> list[Exchange]:
    """Every exchange recorded in a folder whose host and path match these patterns, in order."""
    return [
        exchange
        for cassette in sorted(folder.glob("*.yaml"))
        for exchange in _read(cassette)
        if re.search(host, urlsplit(exchange.url).netloc) and re.search(path, exchange.path)
    ]


@lru_cache(maxsize=512)
def _read(cassette: Path) -> tuple[Exchange, ...]:
    recorded = yaml.load(cassette.read_text(encoding="utf-8"), _Loader).get("interactions") or ()
    name = f"{cassette.parent.name}/{cassette.stem}"
    return tuple(_exchange(f"{name}[{number}]", each) for number, each in enumerate(recorded))


def _exchange(name: str, recorded: Mapping[str, Any]) -> Exchange:
    request, response = recorded["request"], recorded["response"]
    body = _bytes(response["body"])
    headers = _headers(response["headers"])
    return Exchange(
        name=name,
        method=request["method"].upper(),
        url=request["uri"],
        request_headers=_headers(request["headers"]),
        request_body=_bytes(request["body"]),
        status=response["status"]["code"],
        headers={"content-type": _type_of(body)}
        | {header: value for header, value in headers.items() if header not in _ABOUT_THE_BYTES},
        body=body,
    )


def _headers(recorded: Mapping[str, Any] | None) -> dict[str, str]:
    return {
        name.lower(): value if isinstance(value, str) else ", ".join(map(str, value))
        for name, value in (recorded or {}).items()
    }


def _bytes(body: Any) -> bytes:
    text = body.get("string") if isinstance(body, dict) else body
    found = text.encode() if isinstance(text, str) else text or b""
    return gzip.decompress(found) if found.startswith(_GZIPPED) else found


def _type_of(body: bytes) -> str:
    if body.startswith((b"data:", b"event:")):
        return "text/event-stream"
    return "application/vnd.amazon.eventstream" if body.startswith(b"\0\0") else "application/json"


def transport(exchange: Exchange, library: Any = httpx2) -> Any:
    """A transport for sync and async clients of ``httpx``, or another library of its shape, that gives the answer."""
    return library.MockTransport(
        lambda request: library.Response(exchange.status, headers=exchange.headers, content=exchange.body)
    )


def before_send(exchange: Exchange) -> Callable[..., Any]:
    """What to register with a ``botocore`` client for the event ``before-send`` so that it is given the answer."""

    def answer(request: Any, **_: Any) -> Any:
        from botocore.awsrequest import AWSResponse  # type: ignore[import-not-found,import-untyped,unused-ignore]
        from urllib3 import HTTPResponse

        raw = HTTPResponse(io.BytesIO(exchange.body), exchange.headers, exchange.status, preload_content=False)
        return AWSResponse(request.url, exchange.status, raw.headers, raw)

    return answer


@contextmanager
def served(exchange: Exchange) -> Iterator[str]:
    """The URL of a server on loopback that gives the answer, for clients whose transport cannot be replaced."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            self.send_response(exchange.status)
            for name, value in {**exchange.headers, "content-length": str(len(exchange.body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(exchange.body)

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name for it
            """Nothing: a test's output is its own."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
