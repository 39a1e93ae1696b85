"""Scripted model behind an OpenAI-compatible service on loopback: real clients, real HTTP, no model.

The service names itself wherever the protocol has room: in the ``Server`` header, the model's name and the
system fingerprint.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, final

from specspan.testing import wire
from specspan.testing.script import Prompt, Reply, Script, reply_to

MODEL = "scripted-1"
_LARGEST_REQUEST_BYTES = 64 * 1024 * 1024
_NO_HEADERS: Mapping[str, str] = {}


@final
class ScriptedModel:
    """Service that answers by its script while the ``with`` block lasts.

    The system chooses the port. Several clients may call at once.

    ::

        with ScriptedModel({"refund": "It is on its way."}) as model:
            client = openai.OpenAI(base_url=model.base_url, api_key=model.api_key)
    """

    model = MODEL
    """Name of the model; other names are returned with ``scripted-`` before them."""
    api_key = "scripted"
    """API key for clients; any key is accepted."""

    def __init__(self, script: Script) -> None:
        self._server = _Server(script)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def base_url(self) -> str:
        """Address that clients take as ``base_url``."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    @property
    def requests(self) -> tuple[Mapping[str, Any], ...]:
        """Bodies of all chat requests so far, as they went over the wire, in order of arrival."""
        return tuple(self._server.requests)

    def __enter__(self) -> ScriptedModel:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._server.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # clients that connect at once
    block_on_close = False  # a client may keep an idle connection for longer than the test

    def __init__(self, script: Script) -> None:
        self.script = script
        self.requests: list[Mapping[str, Any]] = []
        self.stopping = threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that hangs up in the middle of an answer, as one does that cuts a stream."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "specspan-scripted-model"
    sys_version = ""
    disable_nagle_algorithm = True  # small chunks go out as they come

    def do_GET(self) -> None:
        if self.path == "/v1/models":
            model = {"id": MODEL, "object": "model", "created": 0, "owned_by": "specspan"}
            self._send(200, {"object": "list", "data": [model]})
        else:
            self._send(404, wire.error(404, f"unknown path {self.path!r} of a scripted model"))

    def do_POST(self) -> None:
        body = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), _LARGEST_REQUEST_BYTES))
        if self.path != "/v1/chat/completions":
            self._send(404, wire.error(404, f"unknown path {self.path!r} of a scripted model"))
            return
        try:
            request = json.loads(body)
            prompt = _prompt(request)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self._send(400, wire.error(400, f"invalid chat request: {error!r}"))
            return
        self.server.requests.append(request)
        self._answer(f"scripted-{len(self.server.requests)}", prompt, request)

    def _answer(self, id_: str, prompt: Prompt, request: Mapping[str, Any]) -> None:
        reply = self._scripted(prompt)
        if reply.delay_s:
            self.server.stopping.wait(reply.delay_s)
        if reply.hangs_up:
            self.close_connection = True
        elif reply.status != 200:
            self._send(reply.status, wire.error(reply.status, reply.text), reply.headers)
        elif prompt.streaming:
            options = request.get("stream_options") or {}
            self._stream(id_, prompt, reply, include_usage=bool(options.get("include_usage")))
        else:
            self._send(200, wire.completion(id_, prompt, reply), reply.headers)

    def _scripted(self, prompt: Prompt) -> Reply:
        try:
            return reply_to(self.server.script, prompt)
        except Exception as error:  # a script is somebody's test code; its failure belongs in the client's traceback
            return Reply(f"the script failed: {error!r}", status=500)

    def _send(self, status: int, body: Mapping[str, Any], headers: Mapping[str, str] = _NO_HEADERS) -> None:
        payload = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("x-should-retry", "false")  # an error that was scripted stays one on the second attempt
        self.end_headers()
        self.wfile.write(payload)

    def _stream(self, id_: str, prompt: Prompt, reply: Reply, *, include_usage: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for chunk in wire.chunks(id_, prompt, reply, include_usage=include_usage):
            self._event(json.dumps(chunk))
        self._event("[DONE]")
        self.wfile.write(b"0\r\n\r\n")

    def _event(self, data: str) -> None:
        event = f"data: {data}\n\n".encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
        self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the standard library's name
        """Log nothing: requests are kept in `ScriptedModel.requests`."""


def _prompt(request: Mapping[str, Any]) -> Prompt:
    model = str(request["model"])
    return Prompt(
        model=model if model.startswith("scripted-") else f"scripted-{model}",
        messages=tuple(dict(message) for message in request["messages"]),
        tools=tuple(request.get("tools") or ()),
        streaming=bool(request.get("stream")),
    )
