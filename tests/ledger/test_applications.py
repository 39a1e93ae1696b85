"""Real applications with a ledger: calls that returned = distinct decisions, and no chain with two ends."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ledgers import decision_ids, environment, open_in, records, states
from manners import POLICY, SPEC

PROGRAM = Path(__file__).resolve().parents[1] / "support" / "ledger_processes.py"
WSGI = """
import sys
from pathlib import Path
sys.argv[1:] = [{folder!r}]
import ledger_processes
if {preload}:
    ledger_processes.configure()

def application(environ, start_response):
    if not {preload} and not ledger_processes.specspan_is_configured:
        ledger_processes.configure()
        ledger_processes.specspan_is_configured = True
    ledger_processes.answer("question")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"done"]

ledger_processes.specspan_is_configured = False
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a policy."""
    (tmp_path / "manners.md").write_text(SPEC)
    (tmp_path / "policy.yaml").write_text(POLICY)
    return tmp_path


def variables() -> dict[str, str]:
    """Return the variables of the applications: nothing of telemetry but the key."""
    kept = {name: value for name, value in environment().items() if not name.startswith("OTEL_")}
    return {**kept, "OTEL_TRACES_EXPORTER": "none"}


def start(folder: Path, *arguments: object) -> subprocess.Popen[str]:
    """Start the program."""
    command = [sys.executable, str(PROGRAM), str(folder), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=variables())


def check_count(ledger: Path, least: int, most: int) -> None:
    """Check that after the next start so many distinct decisions are there, in streams that are whole."""
    open_in(ledger).shutdown(5.0)
    found = decision_ids(ledger)
    assert len(found) == len(set(found))
    assert least <= len(found) <= most


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.table(every=2)
def test_calls_of_a_killed_application_are_in_the_ledger(folder: Path, number: int) -> None:
    """Killed while eight threads make calls: every call that returned is there, and at most those under way."""
    with start(folder, "threads") as process:
        assert process.stdout is not None
        returned = [process.stdout.readline() for _ in range(100)]
        process.send_signal(number)
        returned += [line for line in process.stdout if line.endswith("\n")]
    assert process.returncode == -number
    check_count(folder / "ledger", len(returned), len(returned) + 8)


@pytest.mark.parametrize(("way", "calls"), [("fork", 10), ("forkserver", 3), ("spawn", 3), ("exit", 10)])
@pytest.mark.table(every=4)
def test_processes_that_make_one_call_each_lose_none(folder: Path, way: str, calls: int) -> None:
    """Processes with one call each, started and ended in every way that there is."""
    with start(folder, way, calls) as process:
        assert process.stdout is not None
        assert process.stdout.read() == "done\n" * calls
    assert process.returncode == 0
    check_count(folder / "ledger", calls, calls)
    starts = [record.body for record in records(folder / "ledger") if record.type == "start"]
    assert sum("parent" in body for body in starts) == (calls if way in ("fork", "exit") else 0)


@contextmanager
def gunicorn(folder: Path, *arguments: str, preload: bool) -> Iterator[str]:
    """Run the application under gunicorn; yield its address."""
    (folder / "wsgi.py").write_text(WSGI.format(folder=str(folder), preload=preload))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        listener.set_inheritable(True)
        path = os.pathsep.join([str(folder), str(PROGRAM.parent), variables()["PYTHONPATH"]])
        with subprocess.Popen(
            [
                sys.executable,
                "-m",
                "gunicorn",
                "wsgi:application",
                "--workers",
                "2",
                "--bind",
                f"fd://{listener.fileno()}",
                *arguments,
            ],
            cwd=folder,
            env={**variables(), "PYTHONPATH": path},
            pass_fds=[listener.fileno()],
            stderr=subprocess.DEVNULL,
        ) as process:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
            process.terminate()
            assert process.wait(60) == 0


@pytest.mark.parametrize(
    ("arguments", "preload"),
    [(("--preload",), True), ((), False), (("--max-requests", "12"), False)],
    ids=["preload", "plain", "max requests"],
)
@pytest.mark.thorough
def test_gunicorn_loses_none(folder: Path, arguments: tuple[str, ...], *, preload: bool) -> None:
    """Workers that are forked, ended in order and replaced: every request that was answered is a decision."""
    pytest.importorskip("gunicorn")
    with gunicorn(folder, *arguments, preload=preload) as address:
        answered = threading.Semaphore(0)

        def ask() -> None:
            for _ in range(10):
                with urllib.request.urlopen(address, timeout=60) as response:
                    assert response.read() == b"done"
                answered.release()

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
    count = 0
    while answered.acquire(blocking=False):
        count += 1
    assert count == 40
    check_count(folder / "ledger", 40, 40)
    assert all(state.chain.last_type in ("end", "recovery") for state in states(folder / "ledger"))
