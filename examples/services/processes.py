"""Group of processes that are stopped together: at the end of the group, or when one of them is lost."""

from __future__ import annotations

import queue
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, TypeVar, final

T = TypeVar("T")

POLL_S = 0.05
STOP_S = 10.0
_SERVER_SCRIPT = 'exec 3<&0; { cat <&3; kill $$; } >/dev/null 2>&1 & exec "$@" </dev/null 3<&-'
"""Shell script that ends a server when standard input ends, as the server itself does not read it."""


class ProcessLost(Exception):
    """End of a process that was not stopped."""


@final
class ProcessGroup:
    """Processes that the end of the ``with`` block stops, the last started first.

    Each process has a pipe for its standard input. When the process that started the group is gone, the pipe ends, and
    so does the group. Each process is in a session of its own: Ctrl-C reaches the starting process alone.
    """

    def __init__(self) -> None:
        self._running: dict[str, subprocess.Popen[str]] = {}
        self._lines: dict[str, queue.Queue[str]] = {}
        self._logs: dict[str, Path] = {}

    def __enter__(self) -> ProcessGroup:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop(*self._running)

    def start_service(self, name: str, command: Sequence[str | Path], variables: Mapping[str, str]) -> int:
        """Start a service, which ends with its standard input, and return its process id."""
        running = self._start(name, command, variables, None)
        lines: queue.Queue[str] = queue.Queue()
        self._lines[name] = lines
        threading.Thread(target=_read_lines, args=(running, lines), daemon=True).start()
        return running.pid

    def start_server(self, name: str, command: Sequence[str | Path], log: Path) -> None:
        """Start a server of another project, which writes to ``log``."""
        self._logs[name] = log
        with log.open("wb") as output:
            self._start(name, ["sh", "-c", _SERVER_SCRIPT, name, *command], None, output)

    def read_line(self, name: str, timeout_s: float = float("inf")) -> str:
        """Return the next line that a service prints.

        Raises:
            ProcessLost: a process ended before.
            TimeoutError: no line came within ``timeout_s``.
        """
        lines = self._lines[name]
        return self.wait_for(lambda: None if lines.empty() else lines.get(), timeout_s)

    def wait_for(self, poll: Callable[[], T | None], timeout_s: float = float("inf")) -> T:
        """Return the first result of ``poll`` that is not None, calling it again and again.

        Raises:
            ProcessLost: a process ended before.
            TimeoutError: no result came within ``timeout_s``.
        """
        deadline_s = time.monotonic() + timeout_s
        while True:
            answer = poll()
            if answer is not None:
                return answer
            for name, running in self._running.items():
                code = running.poll()
                if code is not None:
                    raise ProcessLost(f"{name} {_describe_end(code)}{self._last_words(name)}")
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"there was no answer within {timeout_s:g} s")
            time.sleep(POLL_S)

    def stop(self, *names: str) -> None:
        """Stop processes one after another, the last of ``names`` first, which may still send to those before it."""
        for name in reversed(names):
            running = self._running.pop(name)
            if running.stdin is not None:
                running.stdin.close()
            _wait_for(running)

    def _last_words(self, name: str) -> str:
        lines = self._logs[name].read_text(errors="replace").splitlines() if name in self._logs else []
        return f" ({lines[-1]})" if lines else ""

    def _start(
        self, name: str, command: Sequence[str | Path], variables: Mapping[str, str] | None, output: IO[bytes] | None
    ) -> subprocess.Popen[str]:
        running = subprocess.Popen(
            [str(each) for each in command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if output is None else output,
            stderr=None if output is None else output,
            env=variables,
            text=True,
            start_new_session=True,
        )
        self._running[name] = running
        return running


def _read_lines(running: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
    for line in running.stdout or ():
        lines.put(line.strip())


def _wait_for(running: subprocess.Popen[str]) -> None:
    """Wait for the end of a process; one that does not end is terminated, then killed."""
    for stop in (running.terminate, running.kill):
        try:
            running.wait(STOP_S)
        except subprocess.TimeoutExpired:
            stop()
    running.wait()


def _describe_end(code: int) -> str:
    return f"ended with {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"
