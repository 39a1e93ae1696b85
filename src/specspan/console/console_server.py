"""Server of one console: where it listens, by which names it answers, and who may look."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import uvicorn

from specspan.console.access.authentication import Authentication
from specspan.console.access.local_token import LocalToken
from specspan.console.access.sessions import Sessions
from specspan.console.access.trusted_proxy import Network, TrustedProxy
from specspan.console.application import build_application
from specspan.console.console_settings import ConsoleSettings
from specspan.errors import ConfigurationError, Problem
from specspan.stores.people import Role

_BACKLOG = 256
_CLOSING_S = 2


@dataclass(frozen=True, slots=True)
class AccessOptions:
    """Options of the command line that say who may look."""

    public_url: str | None = None
    """Address of the console for browsers, where that is not where it listens."""
    oidc_issuer: str | None = None
    oidc_client_id: str | None = None
    oidc_client_secret: str | None = None
    proxies: Sequence[Network] = ()
    """Addresses of the trusted proxy."""
    user_header: str = "X-Forwarded-User"
    groups_header: str = "X-Forwarded-Groups"
    groups_claim: str = "groups"
    roles: Mapping[str, Role] = field(default_factory=dict)
    """Roles by group."""
    default_role: Role | None = None
    """Role of somebody in none of the groups."""

    @property
    def asks_who(self) -> bool:
        """Return whether people are asked who they are."""
        return bool(self.oidc_issuer or self.proxies)


@dataclass(frozen=True, slots=True)
class ConsoleServer:
    """Console that listens, until it is interrupted."""

    db: str
    host: str
    port: int
    access: AccessOptions = field(default_factory=AccessOptions)
    policy: Path | None = None
    specs: tuple[Path, ...] = ()
    environment: str | None = None

    def run(self, show: Callable[[str], None]) -> None:
        """Listen until the process is interrupted.

        Args:
            show: shows a line to the person at the terminal.

        Raises:
            ConfigurationError: the port is taken, or other machines could reach it and nothing says who may look.
        """
        check_access(self.host, self.access)
        with self._listen() as listener:
            port = listener.getsockname()[1]
            origin = f"http://{_in_address(self.host)}:{port}"
            public_url = self.access.public_url or origin
            is_secure = public_url.startswith("https:")
            sessions = Sessions(is_secure=is_secure)
            authentication = self._authentication(sessions, public_url, show)
            settings = ConsoleSettings(
                db=self.db,
                authentication=authentication,
                hosts=_hosts(port, self.access.public_url),
                policy=self.policy,
                environment=self.environment,
                specs=self.specs,
                is_secure=is_secure,
            )
            if isinstance(authentication, LocalToken):
                authentication.show_next()
            else:
                show(f"specspan console: {public_url}")
            config = uvicorn.Config(
                build_application(settings),
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=_CLOSING_S,
            )
            uvicorn.Server(config).run(sockets=[listener])

    def _authentication(self, sessions: Sessions, public_url: str, show: Callable[[str], None]) -> Authentication:
        access = self.access
        if access.proxies:
            return TrustedProxy(
                access.proxies, access.user_header, access.groups_header, access.roles, access.default_role
            )
        if access.oidc_issuer and access.oidc_client_id:
            from specspan.console.access.openid import OpenId, OpenIdSettings

            secret, claim = access.oidc_client_secret, access.groups_claim
            known = OpenIdSettings(
                access.oidc_issuer, access.oidc_client_id, secret, public_url, claim, access.roles, access.default_role
            )
            return OpenId(known, sessions)
        return LocalToken(sessions, lambda path: show(f"specspan console: {public_url}{path}"))

    def _listen(self) -> socket.socket:
        try:
            family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
            return socket.create_server((self.host, self.port), family=family, backlog=_BACKLOG)
        except OSError as error:
            remedy = "Choose another with --port, or 0 for any that is free."
            raise _refused(f"cannot listen at {self.host}:{self.port} ({error.strerror})", remedy) from error


def check_access(host: str, access: AccessOptions) -> None:
    """Refuse a console that other machines could reach without anybody being asked who they are.

    Raises:
        ConfigurationError: that, or options that do not go together.
    """
    url = urlsplit(access.public_url or "")
    if access.oidc_issuer and access.proxies:
        raise _refused("two authentications are named", "Choose one of --oidc-issuer and --trusted-proxy.")
    if access.oidc_issuer and not access.oidc_client_id:
        raise _refused("--oidc-issuer needs --oidc-client-id", "Register the console with the provider.")
    if access.asks_who and not access.roles and access.default_role is None:
        raise _refused("nobody has a role", "Give groups a role with --role ROLE=GROUP, or all with --default-role.")
    if access.public_url and (url.scheme not in ("http", "https") or not url.hostname or url.path not in ("", "/")):
        raise _refused(f"invalid public URL {access.public_url!r}", "Write https://HOST or https://HOST:PORT.")
    if is_loopback(host) and (not access.public_url or is_loopback(url.hostname or "")):
        return
    if not access.asks_who:
        problem = f"{access.public_url or host!r} can be reached from other machines, and nothing says who may look"
        raise _refused(problem, "Listen on 127.0.0.1, or name an authentication: --oidc-issuer or --trusted-proxy.")
    if url.scheme != "https":
        remedy = "Name the address that browsers use with --public-url https://HOST, and end TLS before it."
        raise _refused("sessions of other machines would go over the network in the clear", remedy)


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


def _hosts(port: int, public_url: str | None) -> frozenset[str]:
    """Return the names that the console answers to: where it is public, that alone."""
    return frozenset((urlsplit(public_url).netloc.lower(),)) if public_url else loopback_hosts(port)


def _in_address(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _refused(problem: str, remedy: str) -> ConfigurationError:
    return ConfigurationError("specspan console", Problem(problem, remedy))
