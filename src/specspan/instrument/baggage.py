"""The scope of autonomy in OpenTelemetry's baggage: one entry, by which it reaches sub-agents and other services.

Baggage goes wherever OpenTelemetry's propagators carry it, so it must not hold what the other side may not read.
Limits are those of W3C Baggage, and of OpenTelemetry's propagator: 8,192 bytes in 180 entries, 4,096 each.
https://www.w3.org/TR/baggage/
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from urllib.parse import quote_plus

from opentelemetry import baggage
from opentelemetry.context import Context, get_current

from specspan import losses
from specspan.guard import guard
from specspan.instrument import scope_token
from specspan.instrument.scope_keys import Keys, keys
from specspan.scope.model import ScopeOfAutonomy
from specspan.scope.narrow import narrow
from specspan.scope.standing import Standing, Trust

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
        return scope_token.token(scope, signing, time.time(), standing.expires_unix_s)


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
            found = scope_token.read(entry, keys())
            return found.scope, found.standing(time.time())
    return None, Standing(Trust.UNTRUSTED)


def _room_beside(others: Mapping[str, object]) -> int:
    if len(others) >= MAX_ENTRIES:
        return 0
    taken = sum(len(quote_plus(name)) + len(quote_plus(str(value))) + 2 for name, value in others.items())
    return min(MAX_ENTRY_BYTES, MAX_BAGGAGE_BYTES - taken)
