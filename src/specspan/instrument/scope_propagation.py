"""The scope of autonomy in OpenTelemetry's baggage: one entry, by which it reaches sub-agents and other services.

Baggage goes wherever OpenTelemetry's propagators carry it, so it must not hold what the other side may not read.
Limits are those of W3C Baggage, and of OpenTelemetry's propagator: 8,192 bytes in 180 entries, 4,096 each.
https://www.w3.org/TR/baggage/
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

from specspan._support import drop_counts as losses
from specspan._support.guard import guard
from specspan.checks.check import CheckConfigError
from specspan.checks.tool_calls import whole
from specspan.errors import ConfigurationError, Problem
from specspan.scope.rules import Budget, Standing, Trust, both, narrow, together
from specspan.scope.scope import ScopeOfAutonomy
from specspan.scope.text import as_json, canonical, of_json

# MERGED scope_keys: The keys that scopes of autonomy are signed with when they leave a process, and believed by
# when they arrive.
#
# ``SPECSPAN_SCOPE_KEY`` is ``id:secret``, or several of them separated by commas: the first signs, all verify. So a key
# is exchanged without a gap: add the new one behind the old everywhere, then put it first, then leave the old one out.


_log = logging.getLogger("specspan")

VARIABLE = "SPECSPAN_SCOPE_KEY"
MIN_SECRET_BYTES = 16
"""Shorter ones are not used: whoever knows a signed scope could find them by trying."""


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one environment."""

    signing: str | None = None
    """Id of the key that signs; None: what is handed on is not signed."""
    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """By id."""


def keys() -> Keys:
    """The keys that the environment gives now. One that cannot be used is logged, once, and left out."""
    return _read(os.environ.get(VARIABLE, ""))


@functools.lru_cache(8)
def _read(listed: str) -> Keys:
    secrets = dict(reversed(list(_usable(listed))))  # of two of one id the first counts
    return Keys(next((key_id for key_id, _ in _usable(listed)), None), secrets)


def _usable(listed: str) -> Iterator[tuple[str, bytes]]:
    for position, entry in enumerate(filter(None, listed.split(",")), 1):
        key_id, colon, secret = entry.strip().partition(":")
        held = secret.encode("utf-8", "surrogateescape")
        if not colon or not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", key_id) or len(held) < MIN_SECRET_BYTES:
            message = "%s: key %d is not used; write id:secret, the secret at least %d bytes long"
            _log.warning(message, VARIABLE, position, MIN_SECRET_BYTES)
        else:
            yield key_id, held


# MERGED scope_token: A scope of autonomy as one line of text that can be believed: ``1.<key
# id>.<payload>.<signature>``.
#
# The payload is JSON in base64url (RFC 4648, section 5, without padding), the signature HMAC-SHA256 (RFC 2104) over all
# that stands before it. Without a key both the id and the signature are empty: such a text says something and proves
# nothing. A signature holds for an hour at most; it is bound to no audience, so whoever sees it can repeat it that
# long,
# and gains by it no more than is in it.


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
    return _read_scope_token(text, tuple(keys.secrets.items()))


_NOTHING = Arrived()


@functools.lru_cache(_KEPT)
def _read_scope_token(text: str, secrets: tuple[tuple[str, bytes], ...]) -> Arrived:
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


ENTRY = "specspan.scope"
MAX_BAGGAGE_BYTES = 8192
MAX_ENTRY_BYTES = 4096
MAX_ENTRIES = 180

_UNSIGNED = Keys()
KEPT_AT = next(iter(baggage.set_baggage(ENTRY, "", Context())))
"""Where OpenTelemetry keeps baggage in its context. Every call looks whether there is any."""


class Handover(str):
    """The entry's value: a scope in force here, written and signed whenever a propagator asks for its text.

    So a scope that never leaves the process costs no signature, and one that does is signed afresh, with what is left
    of its cost limit. It is a string, because some processors copy baggage into attributes; as such it is empty.
    """

    __slots__ = ("_room_bytes", "scope", "standing")

    scope: ScopeOfAutonomy
    standing: Standing
    _room_bytes: int

    @classmethod
    def of(cls, scope: ScopeOfAutonomy, standing: Standing, room_bytes: int) -> Handover:
        """``room_bytes``: how long name and text may be."""
        made = cls()
        made.scope, made.standing, made._room_bytes = scope, standing, room_bytes
        return made

    def __str__(self) -> str:
        """The text to send; empty, and counted, where it is too long. Whoever requires a scope then has none."""
        with guard("instrument.handover"):
            text = self._text()
            if len(ENTRY) + 1 + len(text) <= self._room_bytes:
                return text
            losses.count("scope", "too_large")
        return ""

    def _text(self) -> str:
        scope, standing = self.scope, self.standing
        for budget in standing.budgets:
            scope = narrow(scope, ScopeOfAutonomy(cost_limit=budget.left))
        # what arrived untrusted is not made trustworthy by passing through here
        signing = keys() if standing.trust.counts else _UNSIGNED
        return token(scope, signing, time.time(), standing.expires_unix_s)


def carrying(scope: ScopeOfAutonomy, standing: Standing) -> Context:
    """The current OpenTelemetry context with a scope in its baggage, in place of another that is there.

    It comes first: an application that later fills the baggage does not push it out.
    """
    others = {name: value for name, value in baggage.get_all().items() if name != ENTRY}
    room_bytes = _room_beside(others)
    if room_bytes <= len(ENTRY):
        losses.count("scope", "too_large")
        return baggage.remove_baggage(ENTRY)
    context = baggage.set_baggage(ENTRY, Handover.of(scope, standing, room_bytes), baggage.clear())
    for name, value in others.items():
        context = baggage.set_baggage(name, value, context)
    return context


def arrived() -> tuple[ScopeOfAutonomy | None, Standing] | None:
    """The scope in the current baggage; None where there is none."""
    held = get_current().get(KEPT_AT)
    entry = held.get(ENTRY) if isinstance(held, dict) else None
    if entry is None:
        return None
    if isinstance(entry, Handover):
        return entry.scope, entry.standing
    if isinstance(entry, str):
        with guard("instrument.arrived"):
            found = read(entry, keys())
            return found.scope, found.standing(time.time())
    return None, Standing(Trust.UNTRUSTED)


def _room_beside(others: Mapping[str, object]) -> int:
    if len(others) >= MAX_ENTRIES:
        return 0
    taken = sum(len(quote_plus(name)) + len(quote_plus(str(value))) + 2 for name, value in others.items())
    return min(MAX_ENTRY_BYTES, MAX_BAGGAGE_BYTES - taken)


# MERGED autonomy: The scope of autonomy that an application declares: checked, given a standing, and put together
# with others'.


InForce: TypeAlias = tuple[ScopeOfAutonomy | None, Standing]


def declared(scope: ScopeOfAutonomy) -> InForce:
    """A scope that this process declares, nothing spent under it yet."""
    budgets = () if scope.cost_limit is None else (Budget(scope.cost_limit),)
    return scope, Standing(Trust.LOCAL, None, budgets)


def merged(outer: tuple[ScopeOfAutonomy | None, Standing | None], inner: InForce) -> InForce:
    """What both allow, and as little as counts in either. Of an unreadable scope nothing but that is left."""
    scope = both(outer[0], inner[0], narrow)
    standing = both(outer[1], inner[1], together)
    return scope, standing or inner[1]


def refuse_unusable(scope: ScopeOfAutonomy) -> None:
    """Look at what could otherwise never match.

    Raises:
        ConfigurationError: a pattern cannot be used.
    """
    for tool, limits in scope.limits.items():
        for argument, limit in limits.items():
            for pattern in limit.patterns:
                try:
                    whole(pattern)
                except CheckConfigError as error:
                    problem = Problem(error.message, error.remedy, key=f"limits.{tool}.{argument}.patterns")
                    raise ConfigurationError("context(scope=…)", problem) from None
