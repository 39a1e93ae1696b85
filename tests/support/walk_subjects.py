"""Subjects of the walk: recorded exchanges and bodies of our own, each with the real client that asks for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cassettes import Exchange, exchanges
from enforcement_http import Service
from enforcement_output import Output
from enforcement_stainless import Resource
from enforcement_table import wire_of
from enforcement_ways_all import WIRES
from walk_bodies import Part, parts_of, shape

Ask = Callable[[Service, Output], Any]


@dataclass(frozen=True)
class Subject:
    """One body, and how the real client asks for it."""

    provider: str
    """The name that `specspan.instrument` knows."""
    name: str
    endpoint: str
    """What is asked: bodies of one shape are alike where they answer the same."""
    parts: tuple[Part, ...]
    modes: tuple[Ask, ...]
    """How the client is asked, sync and async in turns."""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    is_stream: bool = False
    wire: str = ""
    """What the body is read as, where that is less than the endpoint."""

    @property
    def is_answer(self) -> bool:
        """Return whether the service answers with texts: an error is none of a model's, and embeddings are numbers."""
        return self.status < 400 and "embed" not in self.endpoint.lower()

    @property
    def form(self) -> Any:
        """Return the wire format: which reader of specspan's reads a field of the body."""
        return (self.provider, self.wire or self.endpoint, self.status >= 400, self.is_stream)

    @property
    def shape(self) -> Any:
        """Return what bodies have in common of which one is enough."""
        shapes = dict.fromkeys(shape(part.value) if part.data == b"" else part.data for part in self.parts)
        return (self.provider, self.endpoint, self.status, self.is_stream, tuple(shapes))

    def service(self, pieces: tuple[bytes, ...]) -> Service:
        """Return the service that answers with these pieces."""
        return Service(pieces, self.is_stream, self.status, dict(self.headers))


def own_subjects() -> Iterator[Subject]:
    """Yield a whole and a streamed answer of each wire format, written here."""
    for name in WIRES:
        wire = wire_of(name)
        text = "Lighthouses keep watch. "
        bodies = [(wire.answer(text), wire.plain_modes), (wire.stream(text, "Harbours wait."), wire.stream_modes)]
        for sends, modes in bodies:
            is_stream = isinstance(sends, tuple)
            kind = "application/x-ndjson" if name == "ollama" else "text/event-stream"
            yield Subject(
                wire.provider,
                f"own/{name}{'-stream' if is_stream else ''}",
                name,
                parts_of(b"".join(wire.encode(sends)), kind if is_stream else "application/json"),
                tuple(partial(_with_request, wire.modes[mode]) for mode in modes),
                is_stream=is_stream,
            )


def _with_request(mode: Any, service: Service, output: Output) -> Any:
    return mode(service, output, {})


def recorded_subjects(recordings: Path) -> Iterator[tuple[Exchange, Subject | str]]:
    """Yield every recorded exchange with its subject, or with the reason for which it is none."""
    for folder in sorted(recordings.glob("*/*")):
        for exchange in exchanges(folder):
            yield exchange, _subject(exchange)


_SKIPPED = {
    r"bedrock-agent-runtime": "an agent's turn is not a model call",
    r"/guardrail/": "a guardrail is not a model",
    r"rackcdn": "an image that was fetched for a request",
    r"/cachedContents": "making a cache asks nothing of a model",
    r"/interactions": "interactions are another API, which is not met",
    r"anthropic\.com/v1/complete$": "text completions are no longer in the client",
}
_ASKS: Mapping[str, tuple[str, str, str]] = {
    r"api\.openai\.com/v1/chat/completions": ("openai", "chat.completions", ""),
    r"api\.openai\.com/v1/responses": ("openai", "responses", ""),
    r"api\.openai\.com/v1/embeddings": ("openai", "embeddings", ""),
    r"api\.anthropic\.com/v1/messages.*beta=true": ("anthropic", "beta.messages", ""),
    r"api\.anthropic\.com/v1/messages": ("anthropic", "messages", ""),
    r"api\.together\.ai": ("together", "chat.completions", ""),
    r"api\.mistral\.ai": ("mistral", "chat", ""),
    r":11434/api/chat": ("ollama", "chat", ""),
    r"bedrock-runtime": ("bedrock", "", ""),
    r"generativelanguage|aiplatform": ("google", "", ""),
}


def _subject(exchange: Exchange) -> Subject | str:
    for pattern, reason in _SKIPPED.items():
        if re.search(pattern, exchange.url):
            return reason
    if re.search(rb'"finishReason":\s*\d', exchange.body):
        return "enums were asked for as numbers, which this client cannot read"
    for pattern, (provider, path, _) in _ASKS.items():
        if re.search(pattern, exchange.url):
            modes = _MODES[provider](exchange, path)
            endpoint = path or exchange.path.rsplit("/", 2)[-1 if provider == "google" else 1] + exchange.path[-9:]
            return Subject(
                provider,
                exchange.name,
                f"{urlsplit(exchange.url).netloc} {endpoint}",
                parts_of(exchange.body, exchange.headers["content-type"]),
                modes,
                exchange.status,
                exchange.headers,
                exchange.streamed or bool(exchange.request.get("stream")),
                _wire(provider, path, exchange.path),
            )
    return "no client of the project asks there"


def _wire(provider: str, path: str, url_path: str) -> str:
    """Return what all bodies of an endpoint are read as; empty where each model has bodies of its own."""
    if provider == "google":
        return url_path.rpartition(":")[2]
    operation = url_path.rpartition("/")[2]
    return path or (operation if operation.startswith("converse") else "")


def _asked(exchange: Exchange) -> dict[str, Any]:
    return {name: value for name, value in exchange.request.items() if name != "stream"}


@cache
def _resource(provider: str, path: str) -> Resource:
    """Return the resource of a client that is made as OpenAI's is."""
    import anthropic
    import httpx
    import openai
    import together
    from http_libraries import anthropic_http, openai_http

    http, sync, later = {
        "openai": (openai_http, openai.OpenAI, openai.AsyncOpenAI),
        "anthropic": (anthropic_http, anthropic.Anthropic, anthropic.AsyncAnthropic),
        "together": (httpx, together.Together, together.AsyncTogether),
    }[provider]
    return Resource(http, sync, later, path, {})


def _stainless(provider: str, exchange: Exchange, path: str) -> tuple[Ask, ...]:
    modes = _resource(provider, path).modes()
    names = ("stream", "async_stream") if exchange.request.get("stream") else ("plain", "async")
    request = _asked(exchange)
    return tuple(partial(_with, modes[name], request) for name in names)


def _with(mode: Any, request: Mapping[str, Any], service: Service, output: Output) -> Any:
    return mode(service, output, request)


def _mistral(exchange: Exchange, _: str) -> tuple[Ask, ...]:
    from enforcement_wire_mistral import CLIENTS

    request = _asked(exchange)

    def sync(service: Service, output: Output) -> None:
        for each in CLIENTS.client(service).chat.stream(**request):
            output.take(each)

    async def later(service: Service, output: Output) -> None:
        async for each in await CLIENTS.client(service, is_async=True).chat.stream_async(**request):
            output.take(each)

    return sync, later


def _ollama(exchange: Exchange, _: str) -> tuple[Ask, ...]:
    from enforcement_wire_ollama import CLIENTS

    request, is_stream = _asked(exchange), bool(exchange.request.get("stream"))

    def sync(service: Service, output: Output) -> None:
        answer: Any = CLIENTS.client(service).chat(**request, stream=is_stream)
        for each in answer if is_stream else (answer,):
            output.take(each)

    async def later(service: Service, output: Output) -> None:
        answer: Any = await CLIENTS.client(service, is_async=True).chat(**request, stream=is_stream)
        if not is_stream:
            output.take(answer)
            return
        async for each in answer:
            output.take(each)

    return sync, later


_BEDROCK = {
    "converse": "converse",
    "converse-stream": "converse_stream",
    "invoke": "invoke_model",
    "invoke-with-response-stream": "invoke_model_with_response_stream",
}


def _bedrock(exchange: Exchange, _: str) -> tuple[Ask, ...]:
    from enforcement_bedrock import client

    _, model, operation = exchange.path.rsplit("/", 2)
    asked = exchange.request if operation.startswith("converse") else {"body": exchange.request_body}

    def sync(service: Service, output: Output) -> None:
        answer = getattr(client(service), _BEDROCK[operation])(modelId=model, **asked)
        if exchange.streamed:
            for event in answer["stream" if operation == "converse-stream" else "body"]:
                output.take(event)
        elif operation == "invoke":
            output.take(answer["body"].read())
        else:
            output.take({name: value for name, value in answer.items() if name != "ResponseMetadata"})

    return (sync,)


@cache
def _google_clients(*, vertex: bool) -> Any:
    import google_wire
    import httpx2
    from enforcement_http import Clients

    return Clients(lambda transport, is_async: google_wire.client(transport, is_async=is_async, vertex=vertex), httpx2)


def _google(exchange: Exchange, _: str) -> tuple[Ask, ...]:
    found = re.search(r"models/([^:/]+):(\w+)$", exchange.path)
    assert found is not None
    sent = exchange.request
    if found[2] == "batchEmbedContents":
        asked = {"model": found[1], "contents": [each["content"] for each in sent["requests"]]}
    else:
        asked = {"model": found[1], "contents": list(map(_known_parts, sent["contents"]))}
    method = "embed_content" if "mbed" in found[2] else "generate_content"
    clients = _google_clients(vertex="aiplatform" in exchange.url)

    def sync(service: Service, output: Output) -> None:
        models = clients.client(service).models
        if exchange.streamed:
            for each in models.generate_content_stream(**asked):
                output.take(each)
        else:
            output.take(getattr(models, method)(**asked))

    async def later(service: Service, output: Output) -> None:
        models = clients.client(service, is_async=True).models
        if exchange.streamed:
            async for each in await models.generate_content_stream(**asked):
                output.take(each)
        else:
            output.take(await getattr(models, method)(**asked))

    return sync, later


def _known_parts(content: dict[str, Any]) -> dict[str, Any]:
    """Return content without the field of an older client's that the newer one does not know."""
    parts = [{name: part[name] for name in part if name != "thoughtSignature"} for part in content["parts"]]
    return {**content, "parts": parts}


_MODES: Mapping[str, Callable[[Exchange, str], tuple[Ask, ...]]] = {
    "openai": partial(_stainless, "openai"),
    "anthropic": partial(_stainless, "anthropic"),
    "together": partial(_stainless, "together"),
    "mistral": _mistral,
    "ollama": _ollama,
    "bedrock": _bedrock,
    "google": _google,
}
