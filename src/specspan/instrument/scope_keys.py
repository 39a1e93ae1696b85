"""The keys that scopes of autonomy are signed with when they leave a process, and believed by when they arrive.

``SPECSPAN_SCOPE_KEY`` is ``id:secret``, or several of them separated by commas: the first signs, all verify. So a key
is exchanged without a gap: add the new one behind the old everywhere, then put it first, then leave the old one out.
"""

from __future__ import annotations

import functools
import logging
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

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
