"""Calls of real clients over HTTP to a server on the loopback, for recorders and mocks to play.

Each call returns what the application read: the text of the answer, or its pieces.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from typing import Any

import anthropic_wire
import bedrock_wire
import cohere_wire
import google_wire
import openai_wire

TURN = [{"role": "user", "content": "hi"}]
_OLLAMA = {"model": "m", "message": {"role": "assistant", "content": "hello"}, "done": True, "done_reason": "stop"}
PLAIN: Mapping[str, Any] = {
    "/chat/completions": openai_wire.completion(),
    "/v1/messages": anthropic_wire.message("hello"),
    "/api/chat": _OLLAMA,
    "/v2/chat": cohere_wire.answer("hello"),
    ":generateContent": google_wire.answer("hello"),
    "/converse": bedrock_wire.answered("hello"),
    "/invoke": {"results": [{"outputText": "hello " * 2000, "completionReason": "FINISH"}], "inputTextTokenCount": 3},
}
"""Bodies by the end of the path."""
STREAMED: Mapping[str, tuple[str, str | bytes]] = {
    "/chat/completions": ("text/event-stream", openai_wire.sse(openai_wire.chunks("hel", "lo"))),
    "/v1/messages": ("text/event-stream", "".join(anthropic_wire.sse(anthropic_wire.events(["hel", "lo"])))),
    "/api/chat": (
        "application/x-ndjson",
        "\n".join(json.dumps({**_OLLAMA, "done": done}) for done in (False, True)) + "\n",
    ),
    "/v2/chat": ("text/event-stream", cohere_wire.sse(*cohere_wire.events("hel", "lo"))),
    ":streamGenerateContent": (
        "text/event-stream",
        google_wire.sse(google_wire.answer("hel", reason=None), google_wire.answer("lo")),
    ),
    "/converse-stream": (
        "application/vnd.amazon.eventstream",
        b"".join(bedrock_wire.events(*bedrock_wire.conversation(["hel", "lo"]))),
    ),
}
"""Kinds and bodies of streams by the end of the path."""


def answer_to(path: str, body: bytes) -> tuple[str, bytes]:
    """Return the content type and the body of the answer to a request."""
    path = path.partition("?")[0]
    streamed = path.endswith(("-stream", ":streamGenerateContent")) or json.loads(body or b"{}").get("stream")
    if streamed:
        kind, said = next(answer for end, answer in STREAMED.items() if path.endswith(end))
        return kind, said if isinstance(said, bytes) else said.encode()
    return "application/json", json.dumps(next(said for end, said in PLAIN.items() if path.endswith(end))).encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer a call."""
        kind, body = answer_to(self.path, self.rfile.read(int(self.headers.get("Content-Length", 0))))
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Keep requests out of the log."""


@contextmanager
def service(port: int = 0) -> Iterator[str]:
    """Serve while the block lasts; yield the address."""
    server = ThreadingHTTPServer(("127.0.0.1", port), _Handler)
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _openai_shaped(package: str, name: str, stream: bool, url: str) -> Any:
    with getattr(import_module(package), name)(api_key="test", base_url=f"{url}/v1", max_retries=0) as client:
        found = client.chat.completions.create(model="m", messages=TURN, stream=stream)
        if stream:
            return [chunk.choices[0].delta.content for chunk in found if chunk.choices]
        return found.choices[0].message.content


def _anthropic(stream: bool, url: str) -> Any:
    with import_module("anthropic").Anthropic(api_key="test", base_url=url, max_retries=0) as client:
        found = client.messages.create(model="m", messages=TURN, max_tokens=9, stream=stream)
        return [event.type for event in found] if stream else found.content[0].text


def _ollama(stream: bool, url: str) -> Any:
    client = import_module("ollama").Client(url)
    with client._client:
        found = client.chat(model="m", messages=TURN, stream=stream)
        return [each.message.content for each in found] if stream else found.message.content


def _mistral(url: str) -> Any:
    with import_module("mistralai.client").Mistral(api_key="test", server_url=url) as client:
        return client.chat.complete(model="m", messages=TURN).choices[0].message.content


def _cohere(stream: bool, url: str) -> Any:
    with import_module("cohere").ClientV2(api_key="test", base_url=url) as client:
        if stream:
            return [event.type for event in client.chat_stream(model="m", messages=TURN)]
        return client.chat(model="m", messages=TURN).message.content[0].text


def _google(stream: bool, url: str) -> Any:
    with import_module("google.genai").Client(api_key="test", http_options={"base_url": url}) as client:
        if stream:
            return [each.text for each in client.models.generate_content_stream(model="m", contents="hi")]
        return client.models.generate_content(model="m", contents="hi").text


def _converse(stream: bool, url: str) -> Any:
    asked: dict[str, Any] = {"modelId": "nova", "messages": [{"role": "user", "content": [{"text": "hi"}]}]}
    client = bedrock_wire.connected(url)
    if stream:
        return [next(iter(event)) for event in client.converse_stream(**asked)["stream"]]
    return client.converse(**asked)["output"]["message"]["content"][0]["text"]


def _invoke(url: str) -> Any:
    answer = bedrock_wire.connected(url).invoke_model(modelId="amazon.titan", body=json.dumps({"inputText": "hi"}))
    return len(answer["body"].read())


Call = Callable[[str], Any]
"""A call of the server at an address."""
CALLS: Mapping[str, Call] = {
    "openai": lambda url: _openai_shaped("openai", "OpenAI", False, url),
    "openai_stream": lambda url: _openai_shaped("openai", "OpenAI", True, url),
    "groq": lambda url: _openai_shaped("groq", "Groq", False, url),
    "groq_stream": lambda url: _openai_shaped("groq", "Groq", True, url),
    "anthropic": lambda url: _anthropic(False, url),
    "anthropic_stream": lambda url: _anthropic(True, url),
    "ollama": lambda url: _ollama(False, url),
    "ollama_stream": lambda url: _ollama(True, url),
    "mistral": _mistral,
    "cohere": lambda url: _cohere(False, url),
    "cohere_stream": lambda url: _cohere(True, url),
    "google": lambda url: _google(False, url),
    "google_stream": lambda url: _google(True, url),
    "converse": lambda url: _converse(False, url),
    "converse_stream": lambda url: _converse(True, url),
    "invoke": _invoke,
}
"""Calls by the name of the client, and of what is called."""
