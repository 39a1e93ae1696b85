"""Real servers for tests, on loopback: from the cache that ``make backends`` fills or PATH, stopped with the test.

A server that cannot be had makes its tests skip with a line that says so; one that ``SPECSPAN_REQUIRE_BACKENDS`` names
(``prometheus,alertmanager``; ``all`` or ``1`` for every one) makes them fail.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import pytest

T = TypeVar("T")

READY_S = 20.0
_POLL_S = 0.05
_pause = threading.Event()


def cache() -> Path:
    """The folder of fetched servers."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "specspan-backends"


def program(name: str, backend: str | None = None) -> Path:
    """The program ``name`` of a backend (by default one called like it), or a skip or failure saying so."""
    backend = backend or name
    kept = sorted(cache().glob(f"{backend}-*/bin/{name}"))
    found = str(kept[-1]) if kept else shutil.which(name) or shutil.which(f"prometheus-{name}")
    if found is not None:
        return Path(found)
    message = f"the backend {backend!r} is absent ({name} is neither in {cache()} nor on PATH); run: make backends"
    if required(backend):
        pytest.fail(message)
    pytest.skip(message)


def required(backend: str) -> bool:
    """Whether its absence is a failure."""
    asked = os.environ.get("SPECSPAN_REQUIRE_BACKENDS", "").replace(",", " ").split()
    return backend in asked or "all" in asked or "1" in asked


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@contextmanager
def served(command: Sequence[str | Path], ready: str, log: Path) -> Iterator[None]:
    """Run a server until the block ends; inside, the URL ``ready`` answers."""
    with log.open("wb") as output:
        process = subprocess.Popen([str(each) for each in command], stdout=output, stderr=subprocess.STDOUT)
    try:
        eventually(lambda: _answers(process, ready, log), READY_S, f"{command[0]} to be ready")
        yield
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


def eventually(asked: Callable[[], T], timeout_s: float, what: str) -> T:
    """The first true answer, asked again and again.

    Raises:
        AssertionError: there was none within ``timeout_s``.
    """
    deadline_s = time.monotonic() + timeout_s
    while True:
        answer = asked()
        if answer:
            return answer
        if time.monotonic() > deadline_s:
            raise AssertionError(f"waited {timeout_s} s in vain for {what}; the last answer was {answer!r}")
        _pause.wait(_POLL_S)


def fetch(url: str) -> bytes:
    """The body of an answer.

    Raises:
        OSError: there was none.
    """
    with urllib.request.urlopen(url, timeout=5) as response:
        return bytes(response.read())


def _answers(process: subprocess.Popen[bytes], url: str, log: Path) -> bool:
    if process.poll() is not None:
        raise AssertionError(
            f"{process.args!r} ended with {process.returncode}:\n{log.read_text(errors='replace')[-2000:]}"
        )
    try:
        fetch(url)
    except (urllib.error.URLError, OSError):
        return False
    return True
