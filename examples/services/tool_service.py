"""Service that runs tools within the scope that comes with each request.

The service prints its port, and ends with the process that started it, when its standard input ends.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry import context, propagate
from telemetry import begin, stop_event

import specspan

TOOLS: dict[str, Callable[..., str]] = {
    "find_order": lambda order: f"{order} is a harbour lamp, 80 EUR, on its way since Tuesday.",
    "find_payment": lambda order: f"{order} was paid with a Visa card, 4111 1111 1111 1111.",
    "issue_refund": lambda order, amount: f"{amount} EUR for {order} are on their way.",
    "delete_account": lambda customer: f"{customer} is gone.",
}


class Tools(BaseHTTPRequestHandler):
    """Handler of ``POST /<tool>``, with arguments as JSON."""

    def do_POST(self) -> None:
        """Run a tool in the trace and the scope that came with the request."""
        arguments = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        context_of_request = propagate.extract({name.lower(): value for name, value in self.headers.items()})
        token = context.attach(context_of_request)
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
        """Log nothing, as each request has a span."""


def run(tool: str, arguments: dict[str, Any]) -> tuple[int, str]:
    """Run a tool and return the HTTP status and the answer."""
    try:
        with specspan.tool_call(tool, arguments):
            return 200, TOOLS[tool](**arguments)
    except specspan.Blocked as stopped:
        return 403, f"{tool}: {stopped.decision.reason}"


if __name__ == "__main__":
    stop = stop_event()
    begin("tools")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Tools)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    print(server.server_port, flush=True)
    stop.wait()
    server.shutdown()
