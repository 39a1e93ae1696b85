"""Access on the same machine: an address with a token that is good for one browser, once."""

from __future__ import annotations

import getpass
import hmac
import secrets
from collections.abc import Callable

from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from specspan.console.access.return_path import local_path
from specspan.console.access.sessions import Sessions
from specspan.stores.people import Person, Role

_TOKEN_BYTES = 32


class LocalToken:
    """Authentication by a token in an address that the terminal shows, and nobody else sees."""

    login_path = None
    remedy = "Open the address that `specspan console` printed; each works once, and the next one is printed then."

    def __init__(self, sessions: Sessions, show_address: Callable[[str], None]) -> None:
        """Begin without an address; `show_next` makes one.

        Args:
            sessions: sessions that a token begins.
            show_address: shows the path of an address to the person at the terminal.
        """
        self._sessions = sessions
        self._show_address = show_address
        self._token: str | None = None
        self._person = Person(_user(), Role.ADMIN)

    @property
    def routes(self) -> list[BaseRoute]:
        """Route at which a token is handed in."""
        return [Route("/enter", self._enter, methods=["GET"])]

    @property
    def middleware(self) -> list[Middleware]:
        """Return nothing: a token is in its address."""
        return []

    def person(self, connection: HTTPConnection) -> Person | None:
        """Return the person at this machine, where their browser handed a token in."""
        session = self._sessions.find(connection)
        return session.person if session else None

    def show_next(self) -> None:
        """Make the next token and show its address."""
        self._token = secrets.token_urlsafe(_TOKEN_BYTES)
        self._show_address(f"/enter?token={self._token}")

    async def _enter(self, request: Request) -> Response:
        token, handed_in = self._token, request.query_params.get("token", "")
        if token is None or not hmac.compare_digest(token.encode(), handed_in.encode()):
            return PlainTextResponse(f"This address was used, or is another's. {self.remedy}\n", 403)
        self._token = None
        response = RedirectResponse(local_path(request.query_params.get("next")), 303)
        self._sessions.begin(self._person, response)
        self.show_next()
        return response


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a number without a name, as in containers
        return "local"
