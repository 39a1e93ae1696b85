"""Access through a proxy that knows people: their name and groups in headers that it alone may send."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from starlette.middleware import Middleware
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute

from specspan.console.access.authentication import role_of
from specspan.errors import OversightRefused
from specspan.stores.people import Person, Role

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class TrustedProxy:
    """Authentication by the headers of a proxy. Requests from any other address are nobody's, whatever they say."""

    networks: Sequence[Network]
    user_header: str
    groups_header: str
    roles: Mapping[str, Role]
    default_role: Role | None = None
    """Role of somebody in none of the groups; None: they are refused."""
    login_path: str | None = field(default=None, init=False)
    remedy: str = field(default="Come through the proxy that knows you, in a group that has a role.", init=False)

    @property
    def routes(self) -> list[BaseRoute]:
        """Return nothing: people come in at the proxy."""
        return []

    @property
    def middleware(self) -> list[Middleware]:
        """Return nothing: every request says who it is of."""
        return []

    def person(self, connection: HTTPConnection) -> Person | None:
        """Return the person that the proxy names."""
        if connection.client is None or not self._is_proxy(connection.client.host):
            return None
        names, listed = (connection.headers.getlist(each) for each in (self.user_header, self.groups_header))
        groups = [group.strip() for each in listed for group in each.split(",")]
        role = role_of(groups, self.roles) or self.default_role
        if len(names) != 1 or len(listed) > 1 or role is None:  # two of one header: one of them came through the proxy
            return None
        try:
            return Person(names[0], role)
        except OversightRefused:
            return None

    def _is_proxy(self, host: str) -> bool:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:  # a socket of this machine
            return False
        mapped = getattr(address, "ipv4_mapped", None) or address
        return any(mapped in network for network in self.networks)


def parse_network(text: str) -> Network:
    """Return a network by its address, such as ``10.0.0.5`` or ``10.0.0.0/24``.

    Raises:
        ValueError: the text is none, or all addresses there are.
    """
    network = ipaddress.ip_network(text.strip())
    if network.prefixlen == 0:
        raise ValueError(f"{text!r} would trust every machine: name the proxy's address")
    return network
