"""Processes that live and die together: when one is lost the rest are stopped, and at the end none is left over."""

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
_AS_A_SERVER = 'exec 3<&0; { cat <&3; kill $$; } >/dev/null 2>&1 & exec "$@" </dev/null 3<&-'
"""A server reads no standard input; this ends it, as the services end themselves, when that does."""


class Lost(Exception):
    """A process ended that nobody had asked to."""


@final
class Crew:
    """Processes started and stopped as one; leaving the block stops them, the last started first.

    Each has a pipe for its standard input. When the process that started them is gone, however that came about, the
    pipe ends, and so do they. They are in sessions of their own: Ctrl-C reaches the one that started them alone.
    """

    def __init__(self) -> None:
        self._running: dict[str, subprocess.Popen[str]] = {}
        self._lines: dict[str, queue.Queue[str]] = {}
        self._logs: dict[str, Path] = {}

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.stop(*self._running)

    def service(self, name: str, command: Sequence[str | Path], variables: Mapping[str, str]) -> int:
        """Start a service, which ends when its standard input does; its process id."""
        running = self._start(name, command, variables, None)
        said: queue.Queue[str] = queue.Queue()
        self._lines[name] = said
        threading.Thread(target=_listen, args=(running, said), daemon=True).start()
        return running.pid

    def server(self, name: str, command: Sequence[str | Path], log: Path) -> None:
        """Start somebody else's server, which writes to ``log``."""
        self._logs[name] = log
        with log.open("wb") as output:
            self._start(name, ["sh", "-c", _AS_A_SERVER, name, *command], None, output)

    def said(self, name: str, timeout_s: float = float("inf")) -> str:
        """The next line that a service prints.

        Raises:
            Lost: a process ended before.
            TimeoutError: there was none within ``timeout_s``.
        """
        lines = self._lines[name]
        return self.until(lambda: None if lines.empty() else lines.get(), timeout_s)

    def until(self, asked: Callable[[], T | None], timeout_s: float = float("inf")) -> T:
        """The first answer, asked again and again.

        Raises:
            Lost: a process ended before.
            TimeoutError: there was none within ``timeout_s``.
        """
        deadline_s = time.monotonic() + timeout_s
        while True:
            answer = asked()
            if answer is not None:
                return answer
            for name, running in self._running.items():
                code = running.poll()
                if code is not None:
                    raise Lost(f"{name} {_ended(code)}{self._last_words(name)}")
            if time.monotonic() > deadline_s:
                raise TimeoutError(f"there was no answer within {timeout_s:g} s")
            time.sleep(POLL_S)

    def stop(self, *names: str) -> None:
        """End some of them, one after another, so that the last started can still hand over to those before it."""
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


def _listen(running: subprocess.Popen[str], said: queue.Queue[str]) -> None:
    for line in running.stdout or ():
        said.put(line.strip())


def _wait_for(running: subprocess.Popen[str]) -> None:
    """Until it has ended; one that does not is made to."""
    for insist in (running.terminate, running.kill):
        try:
            running.wait(STOP_S)
        except subprocess.TimeoutExpired:
            insist()
    running.wait()


def _ended(code: int) -> str:
    return f"ended with {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"
