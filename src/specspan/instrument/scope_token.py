"""A scope of autonomy as one line of text that can be believed: ``1.<key id>.<payload>.<signature>``.

The payload is JSON in base64url (RFC 4648, section 5, without padding), the signature HMAC-SHA256 (RFC 2104) over all
that stands before it. Without a key both the id and the signature are empty: such a text says something and proves
nothing. A signature holds for an hour at most; it is bound to no audience, so whoever sees it can repeat it that long,
and gains by it no more than is in it.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

from specspan.instrument.scope_keys import Keys
from specspan.scope.model import ScopeOfAutonomy
from specspan.scope.standing import Budget, Standing, Trust
from specspan.scope.written import as_json, canonical, of_json

LIFETIME_S = 3600
"""How long a signature holds."""
MAX_CHARS = 4096
CLOCK_SKEW_S = 60
"""How far ahead another machine's clock may be."""

_VERSION = "1"
_PURPOSE = b"specspan scope of autonomy\n"  # so that no other use of the key signs this
_KEPT = 1024


@dataclass(frozen=True, slots=True)
class Arrived:
    """What a text that arrived says. The same object whenever the same text arrives, as long as it is remembered."""

    scope: ScopeOfAutonomy | None = None
    """None: it could not be read."""
    authentic: bool = False
    """Whether the signature is that of a key known here."""
    issued_unix_s: int = 0
    expires_unix_s: int = 0
    budgets: tuple[Budget, ...] = ()

    def standing(self, now_s: float) -> Standing:
        """How much it counts now."""
        if not self.authentic or self.issued_unix_s > now_s + CLOCK_SKEW_S:
            return Standing(Trust.UNTRUSTED, None, self.budgets)
        trust = Trust.VERIFIED if now_s < self.expires_unix_s else Trust.EXPIRED
        return Standing(trust, self.expires_unix_s, self.budgets)


def token(scope: ScopeOfAutonomy, keys: Keys, now_s: float, expires_unix_s: float | None = None) -> str:
    """The text of a scope, signed where there is a key; it holds no longer than until ``expires_unix_s``."""
    issued = int(now_s)
    expires = issued + LIFETIME_S if expires_unix_s is None else min(issued + LIFETIME_S, int(expires_unix_s))
    payload = _encoded(canonical({"iat": issued, "exp": expires, "scope": as_json(scope)}).encode())
    signed = f"{_VERSION}.{keys.signing or ''}.{payload}"
    secret = keys.secrets[keys.signing] if keys.signing else None
    return f"{signed}.{'' if secret is None else _encoded(_mac(secret, signed))}"


def read(text: str, keys: Keys) -> Arrived:
    """What a text that arrived says, whatever it is; never raises."""
    if len(text) > MAX_CHARS or not text.isascii():
        return _NOTHING
    return _read(text, tuple(keys.secrets.items()))


_NOTHING = Arrived()


@functools.lru_cache(_KEPT)
def _read(text: str, secrets: tuple[tuple[str, bytes], ...]) -> Arrived:
    parts = text.split(".")
    if len(parts) != 4 or parts[0] != _VERSION:
        return _NOTHING
    _, key_id, payload, signature = parts
    signed = text[: -len(signature) - 1]
    secret = dict(secrets).get(key_id)
    authentic = secret is not None and hmac.compare_digest(_encoded(_mac(secret, signed)), signature)
    try:
        said = json.loads(_decoded(payload))
        return _arrived(said, authentic)
    except (ValueError, RecursionError):
        return _NOTHING


def _arrived(said: Any, authentic: bool) -> Arrived:
    if not isinstance(said, dict) or any(type(said.get(key)) is not int for key in ("iat", "exp")):
        raise ValueError("no times")
    scope = of_json(said.get("scope"))
    budgets = () if scope.cost_limit is None else (Budget(scope.cost_limit),)
    return Arrived(scope, authentic, said["iat"], said["exp"], budgets)


def _mac(secret: bytes, signed: str) -> bytes:
    return hmac.new(secret, _PURPOSE + signed.encode("ascii"), hashlib.sha256).digest()


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
