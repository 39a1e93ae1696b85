"""The tool service: runs tools for whoever asks, within the scope that they were given, and no further.

It prints its port, and ends when its standard input does: with whoever started it.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry import context, propagate
from telemetry import begin, told_to_stop

import specspan

TOOLS: dict[str, Callable[..., str]] = {
    "find_order": lambda order: f"{order} is a harbour lamp, 80 EUR, on its way since Tuesday.",
    "find_payment": lambda order: f"{order} was paid with a Visa card, 4111 1111 1111 1111.",
    "issue_refund": lambda order, amount: f"{amount} EUR for {order} are on their way.",
    "delete_account": lambda customer: f"{customer} is gone.",
}


class Tools(BaseHTTPRequestHandler):
    """``POST /<tool>``, its arguments as JSON."""

    def do_POST(self) -> None:
        """Run a tool under what arrived with the request: its trace, and its scope."""
        arguments = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        arrived = propagate.extract({name.lower(): value for name, value in self.headers.items()})
        token = context.attach(arrived)
        try:
            self._answer(*run(self.path.strip("/"), arguments))
        finally:
            context.detach(token)

    def _answer(self, status: int, text: str) -> None:
        body = json.dumps({"text": text}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """The trace says it all."""


def run(tool: str, arguments: dict[str, Any]) -> tuple[int, str]:
    """The status and the answer."""
    try:
        with specspan.tool_call(tool, arguments):
            return 200, TOOLS[tool](**arguments)
    except specspan.Blocked as stopped:
        return 403, f"{tool}: {stopped.decision.reason}"


if __name__ == "__main__":
    stop = told_to_stop()
    begin("tools")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Tools)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    print(server.server_port, flush=True)
    stop.wait()
    server.shutdown()
