"""Cassettes are read as they were recorded, whatever form their bodies have, and answered over each transport."""

from __future__ import annotations

import base64
import gzip
from pathlib import Path
from urllib.request import Request, urlopen

import httpx2
import pytest
from cassettes import Exchange, exchanges, served, transport
from replays import Tally, table

ZIPPED = base64.b64encode(gzip.compress(b'{"id": "a"}')).decode()
FRAMES = base64.b64encode(b"\0\0\0\x10frames").decode()
CASSETTE = f"""
interactions:
- request: {{method: post, uri: "https://api.example.com/v1/chat%3A0", headers: null, body: '{{"model": "m"}}'}}
  response:
    status: {{code: 200, message: OK}}
    headers: {{Content-Type: [application/json; charset=utf-8], Content-Encoding: [gzip], X-A: [b, c]}}
    body: {{string: !!binary {ZIPPED}}}
- request: {{method: POST, uri: "https://api.example.com/v1/stream", headers: {{X-Raw: ["true"]}}, body: null}}
  response:
    status: {{code: 404}}
    headers: null
    body: {{string: "data: {{\\"n\\": 1}}\\n\\ndata: [DONE]\\n\\n"}}
- request: {{method: POST, uri: "https://other.example.com/v1/frames", body: {{string: "{{}}"}}, headers: {{}}}}
  response: {{status: {{code: 200}}, headers: {{}}, body: {{string: !!binary {FRAMES}}}}}
"""


@pytest.fixture
def recorded(tmp_path: Path) -> list[Exchange]:
    (tmp_path / "test_a.yaml").write_text(CASSETTE)
    (tmp_path / "test_b.yaml").write_text("messages: []\n")
    return exchanges(tmp_path)


def test_bodies_are_what_was_recorded(recorded: list[Exchange]) -> None:
    """Compressed, streamed and binary bodies come back as bytes, with a content type even where none was recorded."""
    plain, stream, frames = recorded
    assert (plain.name.rpartition("/")[2], plain.path, plain.method) == ("test_a[0]", "/v1/chat:0", "POST")
    assert (plain.request, plain.answer) == ({"model": "m"}, {"id": "a"})
    assert plain.headers == {"content-type": "application/json; charset=utf-8", "x-a": "b, c"}
    assert (stream.events, stream.streamed, stream.request_headers) == ([{"n": 1}], True, {"x-raw": "true"})
    assert (frames.body, frames.streamed) == (b"\0\0\0\x10frames", True)


def test_exchanges_are_chosen_by_host_and_path(recorded: list[Exchange], tmp_path: Path) -> None:
    """Patterns of host and path choose among what a folder holds."""
    assert exchanges(tmp_path, host="^api", path="stream$") == [recorded[1]]


def test_a_client_is_answered_over_a_transport_and_over_loopback(recorded: list[Exchange]) -> None:
    """Status, headers and body are the recorded ones either way."""
    plain, stream, _ = recorded
    with httpx2.Client(transport=transport(stream)) as client:
        answer = client.post("https://api.example.com", json={})
    assert (answer.status_code, answer.content) == (404, stream.body)
    with served(plain) as url, urlopen(Request(url, b"{}")) as response:
        assert (response.status, response.headers["x-a"], response.read()) == (200, "b, c", b'{"id": "a"}')


def test_the_table_counts_exchanges_by_provider(recorded: list[Exchange]) -> None:
    """However often and whichever way one is replayed, it counts once; what was skipped says why."""
    properties: list[tuple[str, object]] = [("another", 1)]
    tally = Tally(properties)
    for way in ("sync", "async", "sync"):
        tally.replayed("openai", recorded[0], way)
    tally.skipped("openai", recorded[1], "no such method")
    assert list(table(properties)) == [
        "openai                      2 exchanges: async 1, sync 1, skipped: no such method 1"
    ]
