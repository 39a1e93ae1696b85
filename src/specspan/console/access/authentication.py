"""Protocol of learning who is asking, and roles by the groups that an identity provider names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from starlette.middleware import Middleware
from starlette.requests import HTTPConnection
from starlette.routing import BaseRoute

from specspan.stores.people import Person, Role


class Authentication(Protocol):
    """Means by which a console learns who is asking."""

    @property
    def routes(self) -> list[BaseRoute]:
        """Routes that nobody needs to be known for, such as the one at which a token is handed in."""

    @property
    def middleware(self) -> list[Middleware]:
        """Middleware that its routes need."""

    @property
    def login_path(self) -> str | None:
        """Path at which somebody who is not known begins; None where there is nothing that they can do."""

    @property
    def remedy(self) -> str:
        """Sentence for somebody who is not known."""

    def person(self, connection: HTTPConnection) -> Person | None:
        """Return who is asking; None where they are not known."""


def role_of(groups: Iterable[str], roles: Mapping[str, Role]) -> Role | None:
    """Return the most powerful role that one of the groups has; None without any."""
    found = [roles[group] for group in groups if group in roles]
    return max(found, key=lambda role: role.rank, default=None)


def parse_role(word: str) -> Role:
    """Return a role by its name.

    Raises:
        ValueError: the name is unknown.
    """
    try:
        return Role(word.strip().lower())
    except ValueError:
        known = ", ".join(role.value for role in Role)
        raise ValueError(f"unknown role {word!r}. Roles are {known}") from None
