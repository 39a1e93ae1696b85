"""Loopback server that stands in for the providers whose clients' tests call one.

The authors run those tests against a mock of their interface description, which is not released with the sources.
This one answers the operations that specspan instruments, as JSON or as a stream of events; it refuses every other.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
_CHAT = {"id": "c", "created": 1, "model": "m", "object": "chat.completion", "usage": _USAGE}
_MESSAGE = {"role": "assistant", "content": "Hello.", "refusal": None}
_CHOICE = {"index": 0, "finish_reason": "stop", "logprobs": None}
_RESPONSE = {
    "id": "r",
    "created_at": 1,
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "metadata": {},
    "model": "m",
    "object": "response",
    "output": [
        {
            "id": "o",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "Hello.", "annotations": [], "logprobs": []}],
        }
    ],
    "parallel_tool_calls": True,
    "temperature": 1,
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1,
    "status": "completed",
}
_ANTHROPIC = {
    "id": "m",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "content": [{"type": "text", "text": "Hello.", "citations": None}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
ANSWERS: Mapping[str, Mapping[str, Any]] = {
    "/chat/completions": {**_CHAT, "choices": [{**_CHOICE, "message": _MESSAGE}]},
    "/completions": {**_CHAT, "object": "text_completion", "choices": [{**_CHOICE, "text": "Hello."}]},
    "/embeddings": {
        "object": "list",
        "model": "m",
        "data": [{"index": 0, "object": "embedding", "embedding": [0.5, 0.25]}],
        "usage": {"prompt_tokens": 1, "total_tokens": 1},
    },
    "/responses": _RESPONSE,
    "/responses/compact": {
        "id": "r",
        "created_at": 1,
        "object": "response.compaction",
        "output": [],
        "usage": {
            "input_tokens": 1,
            "output_tokens": 1,
            "total_tokens": 2,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        },
    },
    "/v1/messages": _ANTHROPIC,
    "/v1/messages/count_tokens": {"input_tokens": 1},
}
"""Answers by the end of the path that is posted to."""
EVENTS: Mapping[str, tuple[tuple[str | None, Mapping[str, Any] | str], ...]] = {
    "/chat/completions": (
        (
            None,
            {
                **_CHAT,
                "object": "chat.completion.chunk",
                "choices": [{**_CHOICE, "delta": {"role": "assistant", "content": "Hello."}}],
            },
        ),
        (None, "[DONE]"),
    ),
    "/completions": (
        (None, {**_CHAT, "object": "text_completion", "choices": [{**_CHOICE, "text": "Hello."}]}),
        (None, "[DONE]"),
    ),
    "/responses": (
        ("response.completed", {"type": "response.completed", "sequence_number": 0, "response": _RESPONSE}),
    ),
    "/v1/messages": (
        ("message_start", {"type": "message_start", "message": {**_ANTHROPIC, "content": []}}),
        (
            "content_block_start",
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        ),
        (
            "content_block_delta",
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello."}},
        ),
        ("content_block_stop", {"type": "content_block_stop", "index": 0}),
        (
            "message_delta",
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}},
        ),
        ("message_stop", {"type": "message_stop"}),
    ),
}
"""Events by the end of the path, where a stream is asked for."""


@contextmanager
def loopback_server() -> Iterator[str]:
    """Serve while the block lasts; yield the address."""
    server = _Server(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that hang up."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Answer a call of a model."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.partition("?")[0]
        end = max((each for each in ANSWERS if path.endswith(each)), key=len, default="")
        if not end:
            self._send(404, "application/json", b'{"error": {"message": "not served here"}}')
        elif self._is_stream(body) and end in EVENTS:
            self._send(200, "text/event-stream", b"".join(map(_event, EVENTS[end])))
        else:
            self._send(200, "application/json", json.dumps(ANSWERS[end]).encode())

    def do_GET(self) -> None:
        """Refuse: no call of a model is a GET."""
        self._send(404, "application/json", b'{"error": {"message": "not served here"}}')

    def do_DELETE(self) -> None:
        """Refuse this as well."""
        self.do_GET()

    @staticmethod
    def _is_stream(body: bytes) -> bool:
        try:
            return bool(json.loads(body).get("stream"))
        except ValueError:
            return False

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Keep requests out of the log."""


def _event(event: tuple[str | None, Mapping[str, Any] | str]) -> bytes:
    name, data = event
    text = data if isinstance(data, str) else json.dumps(data)
    return (f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode()
