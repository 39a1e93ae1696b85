"""Scope of autonomy in OpenTelemetry's baggage: one signed entry that reaches sub-agents and other services.

Baggage goes wherever OpenTelemetry's propagators carry it, so it must not hold what the other side may not read.
The limits are those of W3C Baggage and of OpenTelemetry's propagator: 8,192 bytes in 180 entries, 4,096 bytes each.
https://www.w3.org/TR/baggage/

The entry's value is a token, ``1.<key id>.<payload>.<signature>``. The payload is JSON in base64url (RFC 4648,
section 5, without padding). The signature is HMAC-SHA256 (RFC 2104) over everything before it. Without a key both the
id and the signature are empty: such a token states a scope and proves nothing. A signature is valid for an hour at
most. It is bound to no audience, so whoever sees a token can repeat it for that long, and gains no more than the scope
in it.

``SPECSPAN_SCOPE_KEY`` holds the keys as ``id:secret``, several of them separated by commas: the first signs, all
verify. To exchange a key without a gap, add the new key behind the old one everywhere, then put it first, then remove
the old one.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
import logging
import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import quote_plus

from opentelemetry import baggage
from opentelemetry.context import Context, get_current

from specspan._support import drop_counts
from specspan._support.guard import guard
from specspan._support.interruption import raise_interruption
from specspan.checks.check import CheckConfigError
from specspan.checks.tool_calls import whole_text_pattern
from specspan.errors import ConfigurationError, Problem
from specspan.scope.narrowing import Budget, Standing, Trust, combine_bounds, combine_standings, intersect_scopes
from specspan.scope.scope import ScopeOfAutonomy
from specspan.scope.text import canonical_json, scope_from_json, scope_to_json

_log = logging.getLogger("specspan")

EffectiveScope: TypeAlias = tuple[ScopeOfAutonomy | None, Standing]
"""A scope and its standing. A scope of None could not be read."""


def local_scope(scope: ScopeOfAutonomy) -> EffectiveScope:
    """Return a scope that this process declares, with nothing spent under it yet."""
    budgets = () if scope.cost_limit is None else (Budget(scope.cost_limit),)
    return scope, Standing(Trust.LOCAL, None, budgets)


def combine_scopes(
    outer: tuple[ScopeOfAutonomy | None, Standing | None], inner: EffectiveScope
) -> tuple[ScopeOfAutonomy | None, Standing]:
    """Return what both scopes allow, with the lower standing of the two.

    Where one scope could not be read, only the standing says so.
    """
    scope = combine_bounds(outer[0], inner[0], intersect_scopes)
    standing = combine_bounds(outer[1], inner[1], combine_standings)
    return scope, standing or inner[1]


def validate_patterns(scope: ScopeOfAutonomy) -> None:
    """Compile every pattern in the limits of a scope.

    Raises:
        ConfigurationError: a pattern cannot be used.
    """
    for tool, limits in scope.limits.items():
        for argument, limit in limits.items():
            for pattern in limit.patterns:
                try:
                    whole_text_pattern(pattern)
                except CheckConfigError as error:
                    problem = Problem(error.message, error.remedy, key=f"limits.{tool}.{argument}.patterns")
                    raise ConfigurationError("context(scope=…)", problem) from None


BAGGAGE_ENTRY = "specspan.scope"
MAX_BAGGAGE_BYTES = 8192
MAX_ENTRY_BYTES = 4096
MAX_ENTRIES = 180

BAGGAGE_KEY = next(iter(baggage.set_baggage(BAGGAGE_ENTRY, "", Context())))
"""Key of the baggage in OpenTelemetry's context. Every call looks it up."""


def context_with_scope(scope: ScopeOfAutonomy, standing: Standing) -> Context:
    """Return the current OpenTelemetry context with ``scope`` in its baggage, in place of any other scope there.

    The scope's entry comes first, so that an application which fills the baggage later does not push it out.
    """
    others = {name: value for name, value in baggage.get_all().items() if name != BAGGAGE_ENTRY}
    max_bytes = _available_bytes(others)
    if max_bytes <= len(BAGGAGE_ENTRY):
        drop_counts.count("scope", "too_large")
        return baggage.remove_baggage(BAGGAGE_ENTRY)
    context = baggage.set_baggage(BAGGAGE_ENTRY, OutgoingScope.of(scope, standing, max_bytes), baggage.clear())
    for name, value in others.items():
        context = baggage.set_baggage(name, value, context)
    return context


def scope_from_baggage() -> EffectiveScope | None:
    """Return the scope in the current baggage; None where there is no such entry."""
    entries = get_current().get(BAGGAGE_KEY)
    entry = entries.get(BAGGAGE_ENTRY) if isinstance(entries, dict) else None
    if entry is None:
        return None
    if isinstance(entry, OutgoingScope):
        return entry.scope, entry.standing
    if isinstance(entry, str):
        with guard("instrument.arrived"):
            received = decode_token(entry, load_keys())
            return received.scope, received.standing(time.time())
    return None, Standing(Trust.UNTRUSTED)


def _available_bytes(others: Mapping[str, object]) -> int:
    if len(others) >= MAX_ENTRIES:
        return 0
    used = sum(len(quote_plus(name)) + len(quote_plus(str(value))) + 2 for name, value in others.items())
    return min(MAX_ENTRY_BYTES, MAX_BAGGAGE_BYTES - used)


class OutgoingScope(str):
    """Baggage value of a scope in force here, encoded and signed whenever a propagator asks for its text.

    A scope that never leaves the process so costs no signature, and one that does is signed afresh, with what is left
    of its cost limit. It is a string because some processors copy baggage into attributes; as a string it is empty.
    """

    __slots__ = ("_max_bytes", "scope", "standing")

    scope: ScopeOfAutonomy
    standing: Standing
    _max_bytes: int

    @classmethod
    def of(cls, scope: ScopeOfAutonomy, standing: Standing, max_bytes: int) -> OutgoingScope:
        """Return the value for a scope; ``max_bytes`` limits the entry's name and text together."""
        value = cls()
        value.scope, value.standing, value._max_bytes = scope, standing, max_bytes
        return value

    def __str__(self) -> str:
        """Return the token to send. Where it is too long it is counted and empty: the receiver then has no scope."""
        with guard("instrument.handover"):
            text = self._token()
            if len(BAGGAGE_ENTRY) + 1 + len(text) <= self._max_bytes:
                return text
            drop_counts.count("scope", "too_large")
        return ""

    def _token(self) -> str:
        scope, standing = self.scope, self.standing
        for budget in standing.budgets:
            scope = intersect_scopes(scope, ScopeOfAutonomy(cost_limit=budget.remaining))
        # a scope that came in untrusted is not made trustworthy by passing through here
        keys = load_keys() if standing.trust.is_trusted else _NO_KEYS
        return encode_token(scope, keys, time.time(), standing.expires_unix_s)


LIFETIME_S = 3600
"""Validity of a signature."""
MAX_CHARS = 4096
CLOCK_SKEW_S = 60
"""Allowance for another machine's clock that is ahead."""

_VERSION = "1"
_PURPOSE = b"specspan scope of autonomy\n"  # so that no other use of the key signs this
_CACHED_TOKENS = 1024


@dataclass(frozen=True, slots=True)
class ReceivedScope:
    """Content of a token from outside. Equal tokens give one object, as long as the cache remembers them."""

    scope: ScopeOfAutonomy | None = None
    """None: it could not be read."""
    authentic: bool = False
    """True where the signature is that of a key known here."""
    issued_unix_s: int = 0
    expires_unix_s: int = 0
    budgets: tuple[Budget, ...] = ()

    def standing(self, now_s: float) -> Standing:
        """Return the standing of the scope at the Unix time ``now_s``."""
        if not self.authentic or self.issued_unix_s > now_s + CLOCK_SKEW_S:
            return Standing(Trust.UNTRUSTED, None, self.budgets)
        trust = Trust.VERIFIED if now_s < self.expires_unix_s else Trust.EXPIRED
        return Standing(trust, self.expires_unix_s, self.budgets)


def encode_token(scope: ScopeOfAutonomy, keys: ScopeKeys, now_s: float, expires_unix_s: float | None = None) -> str:
    """Return the token of a scope, signed where there is a key, and valid until ``expires_unix_s`` at most."""
    issued = int(now_s)
    expires = issued + LIFETIME_S if expires_unix_s is None else min(issued + LIFETIME_S, int(expires_unix_s))
    payload = _to_base64url(canonical_json({"iat": issued, "exp": expires, "scope": scope_to_json(scope)}).encode())
    signed = f"{_VERSION}.{keys.signing or ''}.{payload}"
    secret = keys.secrets[keys.signing] if keys.signing else None
    return f"{signed}.{'' if secret is None else _to_base64url(_mac(secret, signed))}"


def decode_token(text: str, keys: ScopeKeys) -> ReceivedScope:
    """Return the content of a token from outside. It never raises, whatever the text is."""
    if len(text) > MAX_CHARS or not text.isascii():
        return _UNREADABLE
    return _decode(text, tuple(keys.secrets.items()))


_UNREADABLE = ReceivedScope()


@functools.lru_cache(_CACHED_TOKENS)
def _decode(text: str, secrets: tuple[tuple[str, bytes], ...]) -> ReceivedScope:
    parts = text.split(".")
    if len(parts) != 4 or parts[0] != _VERSION:
        return _UNREADABLE
    _, key_id, payload, signature = parts
    signed = text[: -len(signature) - 1]
    secret = dict(secrets).get(key_id)
    authentic = secret is not None and hmac.compare_digest(_to_base64url(_mac(secret, signed)), signature)
    try:
        return _received_scope(json.loads(_from_base64url(payload)), authentic=authentic)
    except (ValueError, RecursionError) as error:
        raise_interruption(error)
        return _UNREADABLE


def _received_scope(payload: Any, *, authentic: bool) -> ReceivedScope:
    if not isinstance(payload, dict) or any(type(payload.get(key)) is not int for key in ("iat", "exp")):
        raise ValueError("no times")
    scope = scope_from_json(payload.get("scope"))
    budgets = () if scope.cost_limit is None else (Budget(scope.cost_limit),)
    return ReceivedScope(scope, authentic, payload["iat"], payload["exp"], budgets)


def _mac(secret: bytes, signed: str) -> bytes:
    return hmac.new(secret, _PURPOSE + signed.encode("ascii"), hashlib.sha256).digest()


def _to_base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


def _from_base64url(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


VARIABLE = "SPECSPAN_SCOPE_KEY"
MIN_SECRET_BYTES = 16
"""Shorter secrets are not used: whoever knows a signed scope could find them by trying."""


@dataclass(frozen=True, slots=True)
class ScopeKeys:
    """Keys of one environment, by which scopes are signed and verified."""

    signing: str | None = None
    """Id of the key that signs; None: tokens are sent unsigned."""
    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """By id."""


_NO_KEYS = ScopeKeys()


def load_keys() -> ScopeKeys:
    """Return the keys that the environment holds now. An invalid key is logged, once, and left out."""
    return _parse_keys(os.environ.get(VARIABLE, ""))


@functools.lru_cache(8)
def _parse_keys(value: str) -> ScopeKeys:
    usable = list(_usable_keys(value))
    secrets = dict(reversed(usable))  # of two keys with one id the first counts
    return ScopeKeys(next((key_id for key_id, _ in usable), None), secrets)


def _usable_keys(value: str) -> Iterator[tuple[str, bytes]]:
    for position, entry in enumerate(filter(None, value.split(",")), 1):
        key_id, colon, text = entry.strip().partition(":")
        secret = text.encode("utf-8", "surrogateescape")
        if not colon or not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", key_id) or len(secret) < MIN_SECRET_BYTES:
            message = "%s: key %d is not used; write id:secret, the secret at least %d bytes long"
            _log.warning(message, VARIABLE, position, MIN_SECRET_BYTES)
        else:
            yield key_id, secret
