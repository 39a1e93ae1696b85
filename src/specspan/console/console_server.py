"""Server of one console: where it listens, by which names it answers, and the address that it prints."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn

from specspan.console.access.local_token import LocalToken
from specspan.console.access.sessions import Sessions
from specspan.console.application import build_application
from specspan.console.console_settings import ConsoleSettings
from specspan.errors import ConfigurationError, Problem

_BACKLOG = 256
_CLOSING_S = 2


class ConsoleServer:
    """Console that listens, until it is interrupted."""

    def __init__(
        self, *, db: str, host: str, port: int, policy: Path | None, specs: tuple[Path, ...], environment: str | None
    ) -> None:
        """Take the settings of a console.

        Raises:
            ConfigurationError: it would be reached from other machines without anybody being asked who they are.
        """
        self._db, self._host, self._port = db, host, port
        self._policy, self._specs, self._environment = policy, specs, environment
        if not is_loopback(host):
            problem = Problem(
                f"{host!r} can be reached from other machines, and nothing says who may look",
                "Listen on 127.0.0.1, or name an authentication: --oidc-issuer or --trusted-proxy.",
            )
            raise ConfigurationError("specspan console", problem)

    def run(self, show: Callable[[str], None]) -> None:
        """Listen until the process is interrupted.

        Args:
            show: shows a line to the person at the terminal.

        Raises:
            ConfigurationError: the port is taken.
        """
        with self._listen() as listener:
            port = listener.getsockname()[1]
            origin = f"http://{_in_address(self._host)}:{port}"
            sessions = Sessions(is_secure=False)
            authentication = LocalToken(sessions, lambda path: show(f"specspan console: {origin}{path}"))
            settings = ConsoleSettings(
                db=self._db,
                authentication=authentication,
                hosts=loopback_hosts(port),
                policy=self._policy,
                environment=self._environment,
                specs=self._specs,
            )
            authentication.show_next()
            config = uvicorn.Config(
                build_application(settings),
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=_CLOSING_S,
            )
            uvicorn.Server(config).run(sockets=[listener])

    def _listen(self) -> socket.socket:
        try:
            family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
            return socket.create_server((self._host, self._port), family=family, backlog=_BACKLOG)
        except OSError as error:
            remedy = "Choose another with --port, or 0 for any that is free."
            problem = Problem(f"cannot listen at {self._host}:{self._port} ({error.strerror})", remedy)
            raise ConfigurationError("specspan console", problem) from error


def is_loopback(host: str) -> bool:
    """Return whether an address can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def loopback_hosts(port: int) -> frozenset[str]:
    """Return the names by which a browser on this machine asks for a port."""
    names = ("127.0.0.1", "localhost", "[::1]")
    return frozenset((*(f"{name}:{port}" for name in names), *(names if port == 80 else ())))


def _in_address(host: str) -> str:
    return f"[{host}]" if ":" in host else host
