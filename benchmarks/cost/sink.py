"""Receiver of OTLP over HTTP on loopback, which counts what arrives."""

from __future__ import annotations

import gzip
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@contextmanager
def receive() -> Iterator[tuple[str, Counter[str]]]:
    """Yield the receiver's endpoint, and counts of ``bytes``, ``plain_bytes``, ``spans`` and ``log_records``."""
    counts: Counter[str] = Counter()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
            _count(counts, self.path, body, self.headers.get("Content-Encoding"))

        def log_request(self, code: object = "-", size: object = "-") -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.block_on_close = True, False
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", counts
    finally:
        server.shutdown()
        server.server_close()


def _count(counts: Counter[str], path: str, body: bytes, encoding: str | None) -> None:
    plain = gzip.decompress(body) if encoding == "gzip" else body
    counts["bytes"] += len(body)
    counts["plain_bytes"] += len(plain)
    if path.endswith("/v1/traces"):
        spans = ExportTraceServiceRequest.FromString(plain).resource_spans
        counts["spans"] += sum(len(scope.spans) for each in spans for scope in each.scope_spans)
    elif path.endswith("/v1/logs"):
        records = ExportLogsServiceRequest.FromString(plain).resource_logs
        counts["log_records"] += sum(len(scope.log_records) for each in records for scope in each.scope_logs)
