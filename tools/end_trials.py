"""Trials of the ends of processes: ``python tools/end_trials.py [--runs 20] [--ledger] [CASE ...]``.

Each run starts a real server or worker, lets it answer under load, ends it by SIGTERM, and compares the calls that had
returned with the decisions that are on disk, by their trace ids. Cases whose packages are missing are left out.
Prints a row for each case; exit code 1 where a call was lost or recorded twice.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests" / "support")]

from ledgers import ENVIRONMENT, open_in, records, states  # noqa: E402
from manners import POLICY, SPEC  # noqa: E402
from redis_server import redis_server  # noqa: E402

from specspan.sqlite import Filter, Reader  # noqa: E402

JOBS = 24
CLIENTS = 8
PATIENCE_S = 120.0
FILES = {
    "manners.md": SPEC,
    "policy.yaml": POLICY,
    "app.py": """
import os
import specspan
from opentelemetry import trace

OPTIONS = {"policy": "policy.yaml", "db": "trial.db", "ledger": os.environ.get("TRIAL_LEDGER") or False}

@specspan.observe(model="parrot-1")
def answer(question):
    return format(trace.get_current_span().get_span_context().trace_id, "032x")

def work(_=None):
    line = answer("good morning") + "\\n"
    file = os.open("returned", os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o600)
    os.write(file, line.encode())
    os.close(file)
""",
    "asgi.py": """
from app import OPTIONS, answer
from specspan.web import AsgiMiddleware

async def application(scope, receive, send):
    if scope["type"] == "lifespan":
        raise ValueError("no lifespan")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": answer("good morning").encode()})

app = AsgiMiddleware(application, clients=("openai",), **OPTIONS)
""",
    "wsgi.py": """
from app import OPTIONS, answer
from specspan.web import WsgiMiddleware

def application(environ, start_response):
    start_response("200 OK", [])
    return [answer("good morning").encode()]

app = WsgiMiddleware(application, clients=("openai",), **OPTIONS)
""",
    "celery_app.py": """
import celery
import specspan
from app import OPTIONS, work

app = celery.Celery("trial", broker="filesystem://")
app.conf.broker_transport_options = {"data_folder_in": "queue", "data_folder_out": "queue"}
specspan.configure(**OPTIONS)
chat = app.task(work, name="chat")
""",
    "rq_app.py": """
import specspan
from rq import Worker
from app import OPTIONS

specspan.configure(**OPTIONS)

class RecordingWorker(Worker):
    def perform_job(self, job, *others):
        try:
            return super().perform_job(job, *others)
        finally:
            specspan.force_flush(timeout_s=2)
""",
    "dramatiq_app.py": """
import os
import dramatiq
import specspan
from dramatiq.brokers.redis import RedisBroker
from app import OPTIONS, work

dramatiq.set_broker(RedisBroker(url=os.environ["REDIS"]))
specspan.configure(**OPTIONS)
chat = dramatiq.actor(work, actor_name="chat", max_retries=0)
""",
    "pool.py": """
import multiprocessing, sys
import specspan
from app import OPTIONS, work

specspan.configure(**OPTIONS)
if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[1])
    with multiprocessing.Pool(4, maxtasksperchild=int(sys.argv[2])) as pool:
        pool.map(work, range(int(sys.argv[3])), chunksize=1)
        pool.close()
        pool.join()
""",
    "program.py": """
import signal, sys, threading
import specspan
from app import OPTIONS, work

specspan.configure(**OPTIONS)
signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
ends = threading.Event()
def work_on():
    while not ends.is_set():
        work()
try:
    for _ in range(4):
        threading.Thread(target=work_on).start()
    signal.pause()
finally:
    ends.set()
""",
}


@dataclass(frozen=True, slots=True)
class Case:
    """Situation in which processes end."""

    name: str
    command: str
    """Arguments of Python."""
    needs: str = ""
    """Package without which the case is left out."""
    send: str = ""
    """Program that sends `JOBS` jobs; for a server, none: clients ask until the server ends."""
    is_server: bool = False
    ends_by_itself: bool = False


_SEND_CELERY = "import celery_app; [celery_app.chat.delay() for _ in range({jobs})]"
_SEND_DRAMATIQ = "import dramatiq_app; [dramatiq_app.chat.send() for _ in range({jobs})]"
_SEND_RQ = (
    "import os, redis, rq; queue = rq.Queue(connection=redis.Redis.from_url(os.environ['REDIS']));"
    " [queue.enqueue('app.work') for _ in range({jobs})]"
)
_GUNICORN = "-m gunicorn wsgi:app --workers 2 --bind 127.0.0.1:{port} --log-level error"
_CELERY = "-m celery -A celery_app worker --concurrency 4 --loglevel error --max-tasks-per-child"
CASES = (
    Case("uvicorn", "-m uvicorn asgi:app --port {port} --log-level error", "uvicorn", is_server=True),
    Case(
        "uvicorn, 2 workers",
        "-m uvicorn asgi:app --workers 2 --port {port} --log-level error",
        "uvicorn",
        is_server=True,
    ),
    Case(
        "hypercorn, 2 workers", "-m hypercorn asgi:app --workers 2 --bind 127.0.0.1:{port}", "hypercorn", is_server=True
    ),
    Case("gunicorn", _GUNICORN, "gunicorn", is_server=True),
    Case("gunicorn, preload", f"{_GUNICORN} --preload", "gunicorn", is_server=True),
    Case("gunicorn, gthread", f"{_GUNICORN} --threads 4", "gunicorn", is_server=True),
    Case("gunicorn, gevent", f"{_GUNICORN} --worker-class gevent", "gevent", is_server=True),
    Case("gunicorn, max-requests 10", f"{_GUNICORN} --max-requests 10", "gunicorn", is_server=True),
    Case("Celery, 1 task a child", f"{_CELERY} 1", "celery", _SEND_CELERY),
    Case("Celery, 10 tasks a child", f"{_CELERY} 10", "celery", _SEND_CELERY),
    Case("Celery, 10000 tasks a child", f"{_CELERY} 10000", "celery", _SEND_CELERY),
    Case("RQ", "-m rq.cli worker --url {redis} --worker-class rq_app.RecordingWorker --quiet", "rq", _SEND_RQ),
    Case("dramatiq", "-m dramatiq --processes 2 --threads 2 dramatiq_app", "dramatiq", _SEND_DRAMATIQ),
    Case("Pool, fork, 1 task a child", "-W ignore pool.py fork 1 {jobs}", ends_by_itself=True),
    Case("Pool, spawn, 10 tasks a child", "pool.py spawn 10 {jobs}", ends_by_itself=True),
    Case("program with a handler of SIGTERM", "program.py"),
)


def run(case: Case, redis: str, *, with_ledger: bool) -> tuple[int, int, int]:
    """Run a case once. Return how many calls returned, how many of them are lost, and how many are recorded twice."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "queue").mkdir()
        for path, text in FILES.items():
            (folder / path).write_text(text, encoding="utf-8")
        environ = _environment(folder, redis, with_ledger=with_ledger)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        if case.send:
            _python(["-c", case.send.format(jobs=JOBS)], folder, environ).wait(PATIENCE_S)
        with _python(shlex.split(case.command.format(port=port, redis=redis, jobs=JOBS)), folder, environ) as process:
            try:
                returned = _load(case, process, port, folder)
                process.wait(PATIENCE_S)
            finally:
                process.kill()
        recorded = _recorded_in_ledger(folder) if with_ledger else _recorded(folder)
    return len(returned), len(set(returned) - set(recorded)), len(recorded) - len(set(recorded))


def _load(case: Case, process: subprocess.Popen[bytes], port: int, folder: Path) -> Sequence[str]:
    """Have the process work, end it, and return the trace ids of the calls that returned."""
    if case.is_server:
        return _ask(process, port)
    file = folder / "returned"
    if not case.ends_by_itself:
        deadline_s = time.monotonic() + PATIENCE_S
        while not file.exists() or file.read_text().count("\n") < JOBS:
            if process.poll() is not None or time.monotonic() > deadline_s:
                raise RuntimeError(f"{case.name}: the worker did not do its jobs")
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
    process.wait(PATIENCE_S)
    return file.read_text().split()


def _ask(process: subprocess.Popen[bytes], port: int) -> Sequence[str]:
    """Ask the server from several threads; end it after some answers, and return all of them."""
    returned = list[str]()
    enough = threading.Event()

    def client() -> None:
        while process.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
                    returned.append(answer.read().decode())
                if len(returned) >= 10 * CLIENTS:
                    enough.set()
            except (OSError, HTTPException):  # it does not listen yet, or no longer
                time.sleep(0.05)

    clients = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for each in clients:
        each.start()
    enough.wait(PATIENCE_S)
    process.send_signal(signal.SIGTERM)
    for each in clients:
        each.join()
    return [each for each in returned if len(each) == 32]


def _recorded(folder: Path) -> list[str]:
    with Reader(folder / "trial.db") as reader:
        return [str(record["trace_id"]) for record in reader.decisions(Filter(limit=1_000_000))]


def _recorded_in_ledger(folder: Path) -> list[str]:
    """Return the trace ids in the ledger after the next start, whose chains must all be whole."""
    open_in(folder / "ledger").shutdown(5.0)
    if any(state.problem is not None for state in states(folder / "ledger")):
        raise RuntimeError("a chain is broken")
    return [str(each.body["trace_id"]) for each in records(folder / "ledger") if each.type == "decision"]


def _environment(folder: Path, redis: str, *, with_ledger: bool) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "SPECSPAN_"))}
    path = os.pathsep.join((str(folder), *(each for each in sys.path if each)))
    trial = {"PYTHONPATH": path, "REDIS": redis, "C_FORCE_ROOT": "1", "OTEL_TRACES_EXPORTER": "none"}
    return kept | trial | (ENVIRONMENT | {"TRIAL_LEDGER": str(folder / "ledger")} if with_ledger else {})


def _python(arguments: Sequence[str], folder: Path, environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - our own programs
        [sys.executable, *arguments],
        cwd=folder,
        env=dict(environ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def main(names: Sequence[str], runs: int, *, with_ledger: bool) -> int:
    """Print a row for each case. Return 1 where a call was lost or recorded twice."""
    print(f"| {'with' if with_ledger else 'without'} a ledger | runs | calls that returned | lost | recorded twice |")
    print("|---|---|---|---|---|")
    failed = False
    for case in CASES:
        if names and case.name not in names:
            continue
        if case.needs and importlib.util.find_spec(case.needs) is None:
            print(f"| {case.name} | left out: {case.needs} is not installed | | | |")
            continue
        with redis_server() if case.needs in ("rq", "dramatiq") else nullcontext("") as redis:
            results = [run(case, redis, with_ledger=with_ledger) for _ in range(runs)]
        totals = [sum(each) for each in zip(*results, strict=True)]
        failed |= any(totals[1:])
        print(f"| {case.name} | {runs} | {totals[0]:,} | {totals[1]:,} | {totals[2]:,} |", flush=True)
    return int(failed)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("cases", nargs="*", metavar="CASE", help=", ".join(case.name for case in CASES))
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--ledger", action="store_true", help="count the decisions in a ledger")
    given = parser.parse_args()
    sys.exit(main(given.cases, given.runs, with_ledger=given.ledger))
