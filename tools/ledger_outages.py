"""Outages of a backend under load, and what they do to calls and decisions: python tools/ledger_outages.py [SECONDS].

A process decides 200 times a second into a ledger that feeds an OTLP receiver on the loopback, which refuses, hangs,
trickles, is busy, redirects, rejects in part or flaps for so long. Prints a row for each: what a call took, how long
after the recovery everything was delivered, and how many records came twice. Exit code 1 where one was lost or late.
"""

from __future__ import annotations

import argparse
import gzip
import logging
import sys
import tempfile
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests" / "support")]

from ledgers import decision, find_policy, open_in  # noqa: E402
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (  # noqa: E402
    ExportLogsPartialSuccess,
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)

from specspan._support import drop_counts  # noqa: E402
from specspan.runtime.otlp_decisions import OTLPDecisionExporter  # noqa: E402

KINDS = ("none", "refusing", "hanging", "a byte a second", "503", "429", "307", "rejecting in part", "flapping")
_PAUSE_S = 0.005
_LATE_S = 120.0


class Result(NamedTuple):
    """Facts about one outage."""

    kind: str
    calls: int
    median_us: float
    p99_us: float
    recovered_s: float
    missing: int
    twice: int
    rejected: int
    exit_s: float

    @property
    def is_good(self) -> bool:
        """Return whether nothing was lost or late."""
        return self.missing == 0 and self.recovered_s < _LATE_S and self.exit_s < 5.0


class Receiver:
    """OTLP receiver whose manners change."""

    def __init__(self) -> None:
        self.kind = "none"
        self.came: Counter[str] = Counter()
        self.recovered = threading.Event()
        self._began_s = time.monotonic()
        self._listen(0)
        self.port = self._server.server_address[1]

    def begin(self, kind: str) -> None:
        """Begin an outage of one kind."""
        self.recovered.clear()
        self._began_s, self.kind = time.monotonic(), kind
        if kind == "refusing":
            self._close()

    def recover(self) -> None:
        """End the outage, and answer as before it."""
        was, self.kind = self.kind, "none"
        self.recovered.set()
        if was == "refusing":
            self._listen(self.port)

    def close(self) -> None:
        """Listen no more, and let go of who hangs."""
        self.recovered.set()
        self._close()

    def take(self, body: bytes) -> int:
        """Take the records of a request, and return how many of them are rejected."""
        request = ExportLogsServiceRequest.FromString(gzip.decompress(body))
        records = [each for of in request.resource_logs for scope in of.scope_logs for each in scope.log_records]
        self.came.update(record.attributes[0].value.string_value for record in records)
        return 1 if self.kind == "rejecting in part" else 0

    @property
    def manner(self) -> str:
        """Return what is done to a request now."""
        if self.kind != "flapping":
            return self.kind
        return "503" if int(time.monotonic() - self._began_s) % 2 == 0 else "none"

    def _listen(self, port: int) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            """Handler of one connection."""

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                manner = receiver.manner
                if manner == "hanging":
                    receiver.recovered.wait()
                elif manner == "a byte a second":
                    for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n":
                        if receiver.recovered.wait(1.0):
                            return
                        self.wfile.write(bytes((byte,)))
                elif manner in ("503", "429", "307"):
                    self.send_response(int(manner))
                    for name, value in (("Retry-After", "1"), ("Location", "/elsewhere"), ("Content-Length", "0")):
                        self.send_header(name, value)
                    self.end_headers()
                else:
                    partial = ExportLogsPartialSuccess(rejected_log_records=receiver.take(body))
                    answer = ExportLogsServiceResponse(partial_success=partial).SerializeToString()
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                """Print nothing of each request."""

        class Server(ThreadingHTTPServer):
            """Server whose handlers may be left hanging."""

            daemon_threads, block_on_close, allow_reuse_address = True, False, True

            def handle_error(self, *_: object) -> None:
                """Print nothing of clients that left."""

        self._server = Server(("127.0.0.1", port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def _close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def run(kind: str, seconds: float, folder: Path) -> Result:
    """Decide under load through one outage and its end."""
    receiver = Receiver()
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{receiver.port}", "OTEL_EXPORTER_OTLP_TIMEOUT": "2"}
    ledger = open_in(folder)
    ledger.ship_to("otlp", OTLPDecisionExporter(variables))
    before = drop_counts.totals()
    times: list[float] = []
    receiver.begin(kind)
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        began_s = time.perf_counter()
        ledger.append(decision(len(times)), find_policy)
        times.append(time.perf_counter() - began_s)
        time.sleep(_PAUSE_S)
    receiver.recover()
    recovered_s = time.monotonic()
    wanted = {"sha256:p", *(f"d-{number}" for number in range(len(times)))}
    while wanted - receiver.came.keys() and time.monotonic() - recovered_s < _LATE_S:
        time.sleep(0.05)
    recovery_s = time.monotonic() - recovered_s
    began_s = time.monotonic()
    ledger.shutdown(4.0)
    exit_s = time.monotonic() - began_s
    receiver.close()
    lost = drop_counts.totals()
    times.sort()
    return Result(
        kind=kind,
        calls=len(times),
        median_us=times[len(times) // 2] * 1e6,
        p99_us=times[len(times) * 99 // 100] * 1e6,
        recovered_s=recovery_s,
        missing=len(wanted - receiver.came.keys()),
        twice=sum(count > 1 for count in receiver.came.values()),
        rejected=lost.get(("decision", "rejected"), 0) - before.get(("decision", "rejected"), 0),
        exit_s=exit_s,
    )


def main() -> int:
    """Run each outage, and print its row."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("seconds", type=float, nargs="?", default=60.0)
    seconds = parser.parse_args().seconds
    logging.getLogger("specspan").setLevel(logging.CRITICAL)
    print(
        "| outage | calls | median us | p99 us | delivered after, s | missing | twice | rejected, counted | exit, s |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    is_good = True
    for kind in KINDS:
        with tempfile.TemporaryDirectory() as folder:
            found = run(kind, seconds, Path(folder))
        is_good = is_good and found.is_good
        print(
            f"| {found.kind} | {found.calls} | {found.median_us:.0f} | {found.p99_us:.0f} | {found.recovered_s:.1f} "
            f"| {found.missing} | {found.twice} | {found.rejected} | {found.exit_s:.2f} |",
            flush=True,
        )
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
