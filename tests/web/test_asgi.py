"""The ASGI middleware, with servers and applications that have a lifespan, fail in it, or have none."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

import specspan
from specspan.testing import MemoryDecisions
from specspan.web import AsgiMiddleware

Message = MutableMapping[str, Any]
SPEC = "# Manners {#manners}\n\n## Be kind {#be_kind authority=user}\n\nSay nothing rude.\n"
CHECKS = "[{pattern: {stage: output, any: ['shut up'], reason: rude}}]"
POLICY = f"{{spec: manners.md, clauses: {{be_kind: {{checks: {CHECKS}}}}}}}"


@specspan.observe(model="parrot-1")
async def parrot(text: str) -> str:
    return text


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "manners.md").write_text(SPEC)
    (tmp_path / "policy.yaml").write_text(POLICY)
    monkeypatch.chdir(tmp_path)
    specspan.shutdown()
    yield
    specspan.uninstrument()
    specspan.shutdown()


class Server:
    """What a server hears during a lifespan; `at_end` is what the exporter had when it heard the end."""

    def __init__(self, kept: MemoryDecisions) -> None:
        self._asked = iter(["lifespan.startup", "lifespan.shutdown"])
        self._kept = kept
        self.heard: list[str] = []
        self.told = ""
        self.at_end: list[str] = []

    async def receive(self) -> Message:
        return {"type": next(self._asked)}

    async def send(self, message: Message) -> None:
        self.heard.append(message["type"])
        self.told = message.get("message", "")
        if "shutdown" in message["type"]:
            self.at_end = [record["verdict"] for record in self._kept.records if record["type"] == "decision"]


async def with_lifespan(scope: Any, receive: Any, send: Any) -> None:
    assert (await receive())["type"] == "lifespan.startup"
    await send({"type": "lifespan.startup.complete"})
    await parrot("shut up")
    assert (await receive())["type"] == "lifespan.shutdown"
    await send({"type": "lifespan.shutdown.complete"})


async def without_lifespan(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        raise ValueError("only http")
    await parrot("shut up")


async def failing(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    raise OSError("the application's own")


def wrapped(app: Any, kept: MemoryDecisions, **options: Any) -> AsgiMiddleware:
    given = {"policy": "policy.yaml", "db": "own.db", "decision_exporters": [kept], **options}
    return AsgiMiddleware(app, clients=("openai",), **given)


async def test_the_server_hears_of_the_end_when_everything_is_handed_over() -> None:
    """A server may end the process as soon as it hears of the end."""
    kept = MemoryDecisions()
    server = Server(kept)
    await wrapped(with_lifespan, kept)({"type": "lifespan"}, server.receive, server.send)
    assert server.heard == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert server.at_end == ["violated"]


async def test_an_application_without_a_lifespan_has_one_all_the_same() -> None:
    """Django's, for example, refuses to have one; specspan starts and ends with the server."""
    kept = MemoryDecisions()
    server, app = Server(kept), wrapped(without_lifespan, kept)
    await app({"type": "lifespan"}, server.receive, server.send)
    assert server.heard == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_a_server_without_a_lifespan_configures_with_the_first_request() -> None:
    """No call is left unrecorded because a server sends no lifespan, and the context is the request's."""
    kept = MemoryDecisions()
    app = wrapped(without_lifespan, kept, context_of=lambda scope: {"user": scope["user"]})
    for user in ("ada", "grace"):
        await app({"type": "http", "user": user}, None, None)  # type: ignore[arg-type]
    specspan.shutdown()
    assert [record["verdict"] for record in kept.records if record["type"] == "decision"] == ["violated"] * 2


async def test_a_refused_policy_keeps_the_server_from_starting(tmp_path: Path) -> None:
    """The server is told why, in the words of the refusal."""
    (tmp_path / "policy.yaml").write_text(POLICY.replace("be_kind", "be_knid"))
    server = Server(MemoryDecisions())
    await wrapped(with_lifespan, MemoryDecisions())({"type": "lifespan"}, server.receive, server.send)
    assert server.heard == ["lifespan.startup.failed"]
    assert "manners has no clause 'be_knid'" in server.told


def test_a_framework_takes_it_among_its_middleware() -> None:
    """Starlette's, and so FastAPI's `add_middleware`: the lifespan passes through it, and so does each request."""
    kept = MemoryDecisions()

    async def chat(request: Request) -> PlainTextResponse:
        return PlainTextResponse(await parrot("shut up"))

    app = Starlette(routes=[Route("/chat", chat)])
    options: dict[str, Any] = {"policy": "policy.yaml", "db": "own.db", "decision_exporters": [kept]}
    app.add_middleware(AsgiMiddleware, clients=("openai",), **options)  # type: ignore[arg-type]  # mypy cannot infer it
    with TestClient(app) as browser:
        assert browser.get("/chat").text == "shut up"
    assert [record["verdict"] for record in kept.records if record["type"] == "decision"] == ["violated"]


async def test_a_failure_of_the_application_stays_its_own() -> None:
    """What fails after the start is not taken for an application without a lifespan."""
    server = Server(MemoryDecisions())
    with pytest.raises(OSError, match="the application's own"):
        await wrapped(failing, MemoryDecisions())({"type": "lifespan"}, server.receive, server.send)
