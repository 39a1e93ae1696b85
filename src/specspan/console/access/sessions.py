"""Sessions: a random number in a cookie for each person who came in."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field

from starlette.requests import HTTPConnection
from starlette.responses import Response

from specspan._support.process import ForkedLock
from specspan.stores.people import Person

_COOKIE, _SECURE_COOKIE = "specspan-console", "__Host-specspan"
_LIFETIME_S = 12 * 3600
_MOST = 10_000


def session_number(connection: HTTPConnection) -> str:
    """Return the number of a session that a browser sends; empty without one. Other cookies come and go."""
    cookies = connection.cookies
    return cookies.get(_SECURE_COOKIE) or cookies.get(_COOKIE) or ""


def _random() -> str:
    return secrets.token_urlsafe(32)


@dataclass(frozen=True, slots=True)
class Session:
    """Session of one browser."""

    person: Person
    ends_at_s: float
    id: str = field(default_factory=_random)


class Sessions:
    """Sessions of one process. Their numbers are made here alone: one that a browser brings along is never taken up."""

    def __init__(self, *, is_secure: bool) -> None:
        self._is_secure = is_secure
        self._cookie = _SECURE_COOKIE if is_secure else _COOKIE
        self._lock = ForkedLock()
        self._sessions: dict[str, Session] = {}

    def begin(self, person: Person, response: Response) -> Session:
        """Begin a session under a new number, and put that into the cookie of a response."""
        session = Session(person, time.monotonic() + _LIFETIME_S)
        with self._lock.held:
            if len(self._sessions) >= _MOST:
                del self._sessions[next(iter(self._sessions))]
            self._sessions[session.id] = session
        # Lax: the link of an alert must lead to its page; forms name a number of their own
        response.set_cookie(
            self._cookie,
            session.id,
            httponly=True,
            samesite="lax",
            secure=self._is_secure,
            path="/",
            max_age=_LIFETIME_S,
        )
        return session

    def find(self, connection: HTTPConnection) -> Session | None:
        """Return the session of a browser; None where it has none, or it is over."""
        session = self._sessions.get(connection.cookies.get(self._cookie, ""))
        if session is None or session.ends_at_s < time.monotonic():
            return None
        return session

    def end(self, session: Session, response: Response) -> None:
        """End a session: its number is worth nothing from then on."""
        with self._lock.held:
            self._sessions.pop(session.id, None)
        response.delete_cookie(self._cookie, path="/")
