"""Number that every form of a person names, and that a form of another site cannot know."""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256

from specspan.stores.people import Person


class FormTokens:
    """Numbers of forms: made of a secret of this process, so that nothing is kept for each."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def token(self, person: Person, session: str) -> str:
        """Return the number of a person in one session.

        Args:
            person: who is asking.
            session: the number of their session; empty where a proxy says with each request who is asking.
        """
        text = f"{person.name}\n{person.role.value}\n{session}"
        return hmac.new(self._secret, text.encode(), sha256).hexdigest()

    def is_token(self, token: object, person: Person, session: str) -> bool:
        """Return whether a form names its person's number."""
        return isinstance(token, str) and hmac.compare_digest(token.encode(), self.token(person, session).encode())
