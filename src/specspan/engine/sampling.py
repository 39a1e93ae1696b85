"""Which calls a check looks at that is asked for a share of them only.

One number is drawn for each decision, told by its id alone: so the record says again who was drawn, and a check with a
small share looks at no call that one with a larger share does not look at.
"""

from __future__ import annotations

from hashlib import sha256

NOT_SAMPLED = "not_sampled"
"""Unassessed: the check looks at a share of the calls, and this is none of them."""

_WHOLE = 1 << 64


def chance(decision_id: str) -> float:
    """The number of a decision, from 0 up to 1: a check looks where it is below its share.

    The first 8 bytes of the SHA-256 of the id, as a fraction of what 8 bytes can hold.
    """
    return int.from_bytes(sha256(decision_id.encode()).digest()[:8], "big") / _WHOLE
