"""Access by OpenID Connect: people prove who they are to their provider, which says so to the console."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from authlib.integrations.starlette_client import OAuth
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from specspan.console.access.authentication import role_of
from specspan.console.access.return_path import local_path
from specspan.console.access.sessions import Sessions
from specspan.errors import OversightRefused
from specspan.stores.people import Person, Role

_LOGIN, _CALLBACK = "/login", "/login/callback"
_LOGIN_S = 600
"""Seconds that somebody has to come back from the provider."""
_NAME_CLAIMS = ("email", "preferred_username", "sub")
"""Claims that name a person, the first that there is; an address that the provider has not verified names nobody."""
_log = logging.getLogger("specspan")


@dataclass(frozen=True, slots=True)
class OpenIdSettings:
    """Provider, the console's registration there, and roles by group."""

    issuer: str
    client_id: str
    client_secret: str | None
    public_url: str
    """Address of the console for browsers; the provider knows its ``/login/callback``."""
    groups_claim: str
    roles: Mapping[str, Role]
    default_role: Role | None = None
    """Role of somebody in none of the groups; None: they are refused."""


class OpenId:
    """Authentication by OpenID Connect, with the authorization code flow and PKCE."""

    login_path = _LOGIN
    remedy = "Log in at /login."

    def __init__(self, settings: OpenIdSettings, sessions: Sessions, **client: Any) -> None:
        """Take the settings; the provider is asked when somebody logs in.

        Args:
            settings: the provider and the registration.
            sessions: sessions that a login begins.
            client: further arguments of the HTTP client, such as its transport.
        """
        self._settings = settings
        self._sessions = sessions
        self._is_secure = settings.public_url.startswith("https:")
        self._provider = OAuth().register(
            "provider",
            client_id=settings.client_id,
            client_secret=settings.client_secret,
            server_metadata_url=f"{settings.issuer.rstrip('/')}/.well-known/openid-configuration",
            client_kwargs={"scope": "openid email profile", "code_challenge_method": "S256", **client},
        )

    @property
    def routes(self) -> list[BaseRoute]:
        """Return the routes of a login."""
        return [Route(_LOGIN, self._login, methods=["GET"]), Route(_CALLBACK, self._come_back, methods=["GET"])]

    @property
    def middleware(self) -> list[Middleware]:
        """Return the cookie that ties an answer of the provider to the browser that asked."""
        return [
            Middleware(
                SessionMiddleware,
                secret_key=secrets.token_urlsafe(32),
                session_cookie="specspan-login",
                max_age=_LOGIN_S,
                same_site="lax",
                https_only=self._is_secure,
                path=_LOGIN,
            )
        ]

    def person(self, connection: HTTPConnection) -> Person | None:
        """Return the person who logged in."""
        session = self._sessions.find(connection)
        return session.person if session else None

    async def _login(self, request: Request) -> Response:
        request.session.clear()
        request.session["next"] = local_path(request.query_params.get("next"))
        try:
            response: Response = await self._provider.authorize_redirect(
                request, f"{self._settings.public_url.rstrip('/')}{_CALLBACK}"
            )
        except Exception as error:  # whatever the client of HTTP raises, of which there are several
            _log.error("the identity provider %s cannot be asked: %s", self._settings.issuer, error)
            return PlainTextResponse("The identity provider cannot be reached; the console's log says more.\n", 502)
        return response

    async def _come_back(self, request: Request) -> Response:
        target = local_path(request.session.get("next"))
        try:
            token = await self._provider.authorize_access_token(request)
            person = self._person_of(token.get("userinfo") or {})
        except Exception as error:  # and whatever the provider or somebody in between answered
            _log.warning("a login was refused: %s: %s", type(error).__name__, error)
            return PlainTextResponse("The login was refused. Begin again at /login.\n", 403)
        request.session.clear()
        if person is None:
            return PlainTextResponse("You are known, and none of your groups has a role here.\n", 403)
        response = RedirectResponse(target, 303)
        self._sessions.begin(person, response)
        return response

    def _person_of(self, claims: Mapping[str, Any]) -> Person | None:
        groups = claims.get(self._settings.groups_claim) or ()
        listed = [groups] if isinstance(groups, str) else [str(group) for group in groups]
        role = role_of(listed, self._settings.roles) or self._settings.default_role
        names = [claim for claim in _NAME_CLAIMS if claim != "email" or claims.get("email_verified", True) is True]
        name = next((str(claims[claim]) for claim in names if claims.get(claim)), "")
        if role is None:
            return None
        try:
            return Person(name, role)
        except OversightRefused as refusal:
            raise ValueError(str(refusal)) from refusal
