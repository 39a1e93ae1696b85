"""An OTLP receiver on loopback, over HTTP and over gRPC: what a collector would have received."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Received:
    """What came in."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.metrics: list[Metric] = []
        self.paths: list[str] = []
        self.resources: list[Resource] = []
        self.encodings: list[str | None] = []

    def take(self, path: str, request: ExportTraceServiceRequest) -> None:
        self.paths.append(path)
        self.resources += [of.resource for of in request.resource_spans]
        self.spans += [span for of in request.resource_spans for scope in of.scope_spans for span in scope.spans]

    def take_metrics(self, path: str, request: ExportMetricsServiceRequest) -> None:
        self.paths.append(path)
        self.metrics += [
            each for of in request.resource_metrics for scope in of.scope_metrics for each in scope.metrics
        ]

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.spans]


@contextmanager
def over_http(port: int = 0) -> Iterator[tuple[str, Received]]:
    """Its endpoint, and what it receives; 0 for any port that is free."""
    received = Received()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.encodings.append(self.headers.get("Content-Encoding"))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            if self.path.endswith("/v1/traces"):
                received.take(self.path, ExportTraceServiceRequest.FromString(body))
            elif self.path.endswith("/v1/metrics"):
                received.take_metrics(self.path, ExportMetricsServiceRequest.FromString(body))
            else:
                received.paths.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_request(self, code: object = "-", size: object = "-") -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", received
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def over_grpc() -> Iterator[tuple[str, Received]]:
    """Its endpoint, and what it receives."""
    received = Received()

    class Service(TraceServiceServicer):
        def Export(self, request: ExportTraceServiceRequest, _: object) -> ExportTraceServiceResponse:  # noqa: N802
            received.take("grpc", request)
            return ExportTraceServiceResponse()

    with ThreadPoolExecutor(1) as pool:
        server = grpc.server(pool)
        add_TraceServiceServicer_to_server(Service(), server)  # type: ignore[no-untyped-call]  # generated
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"http://127.0.0.1:{port}", received
        finally:
            server.stop(None).wait()
