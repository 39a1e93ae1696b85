"""Middleware that every request passes: the name it asks for, the headers it gets, who asks, and what forms may do."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from specspan.console.access.authentication import Authentication

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
_STATIC = "/static/"
"""Files that pages load, which tell nothing of the store."""
_MOST_BYTES = 1 << 20
"""Largest body of a form."""
_TOO_LARGE = "This form is too large.\n"

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
    "cache-control": "no-store",
}
"""Headers of every answer. Files that pages load say themselves how long they keep."""


class Guard:
    """ASGI middleware. What it refuses never reaches a page."""

    def __init__(
        self, app: ASGIApp, *, authentication: Authentication, hosts: frozenset[str], open_paths: frozenset[str]
    ) -> None:
        self._app = app
        self._authentication = authentication
        self._hosts = hosts
        self._open_paths = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        refusal = self._refusal(connection) or self._unknown(connection)
        try:
            await (refusal or self._app)(scope, _limited(receive), _with_headers(send))
        except _TooLarge:  # raised while a form was read, before anything was answered
            await PlainTextResponse(_TOO_LARGE, 413)(scope, receive, _with_headers(send))

    def _refusal(self, connection: HTTPConnection) -> Response | None:
        host = connection.headers.get("host", "").lower()
        if host not in self._hosts:  # a name that somebody else made lead here (DNS rebinding)
            return PlainTextResponse("This console does not answer to that name. Add it with --public-url.\n", 421)
        if connection.scope["method"] in _SAFE_METHODS:
            return None
        if not _is_from_here(connection.headers, host):
            return PlainTextResponse("This form was sent from another site.\n", 403)
        length = connection.headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > _MOST_BYTES:
            return PlainTextResponse(_TOO_LARGE, 413)
        return None

    def _unknown(self, connection: HTTPConnection) -> Response | None:
        path = connection.url.path
        if path in self._open_paths or path.startswith(_STATIC):
            return None
        person = self._authentication.person(connection)
        if person is not None:
            connection.scope.setdefault("state", {})["person"] = person
            return None
        login = self._authentication.login_path
        if login is None or connection.scope["method"] not in _SAFE_METHODS:
            return PlainTextResponse(f"Who are you? {self._authentication.remedy}\n", 401)
        query = f"?{connection.url.query}" if connection.url.query else ""
        return RedirectResponse(f"{login}?next={quote(path + query, safe='')}", 303)


def _is_from_here(headers: Headers, host: str) -> bool:
    """Return whether a form was sent by a page of this console, as far as the browser tells."""
    site = headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        return False
    origin = headers.get("origin")
    return origin is None or urlsplit(origin).netloc.lower() == host


class _TooLarge(Exception):
    """Body that is larger than any form, and did not say so."""


def _limited(receive: Receive) -> Receive:
    """Return a reader of a body that ends beyond `_MOST_BYTES`, also where no length was told."""
    read = 0

    async def limited_receive() -> Message:
        nonlocal read
        message = await receive()
        read += len(message.get("body", b""))
        if read > _MOST_BYTES:
            raise _TooLarge
        return message

    return limited_receive


def _with_headers(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return send_with_headers
