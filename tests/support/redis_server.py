"""A real Redis on loopback, which keeps nothing."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from backends import READY_S, eventually, free_port, program


@contextmanager
def redis_server() -> Iterator[str]:
    """Run Redis until the block ends; yield its address."""
    port = free_port()
    command = [str(program("redis-server", "redis")), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            eventually(lambda: _listens(port), READY_S, "Redis to listen")
            yield f"redis://127.0.0.1:{port}"
        finally:
            process.kill()


def _listens(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
