"""Assessment of a text by a moderation service, in one form for all services."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from specspan._support.caches import BoundedCache
from specspan._support.process import ForkedLock
from specspan.decision import Stage

_KEPT = 256


class ModerationFailed(RuntimeError):
    """Service that is not set up, or whose answer lacks what was asked for; the message is a low-cardinality code."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """Assessment of one text."""

    scores: Mapping[str, float]
    """By category, how certain or how severe, from 0 to 1; a category that the service did not look at is missing."""
    flagged: frozenset[str] = frozenset()
    """Categories that the service itself objects to."""
    masked: str | None = None
    """The text as the service would pass it on; None where it says nothing."""
    words: tuple[str, ...] = ()
    """Words that it objects to."""


class ModerationService(Protocol):
    """Moderation service, behind its own client."""

    name: str
    """Name and model, such as ``openai/omni-moderation-latest``."""

    def assess(self, text: str, stage: Stage) -> Assessment:
        """Return the assessment of a text. Whatever the client raises is an error of the check."""


@dataclass(slots=True)
class SharedService:
    """Service that several clauses ask. A text is sent once while it is among the latest; its digest alone is kept."""

    make: Callable[[], ModerationService]
    """Makes the client, when it is first needed."""
    name: str
    tells_all: bool = True
    """True where the service tells the score of every category; False where it names only what it found."""
    _service: ModerationService | None = None
    _recent: BoundedCache[tuple[bytes, Stage], Assessment] = field(default_factory=lambda: BoundedCache(_KEPT))
    _lock: ForkedLock = field(default_factory=ForkedLock)

    def assess(self, text: str, stage: Stage) -> Assessment:
        """Return the assessment of a text, asking for it once."""
        key = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest(), stage
        found = self._recent.get(key)
        if found is None:
            found = self._client().assess(text, stage)
            self._recent[key] = found
        return found

    def _client(self) -> ModerationService:
        with self._lock.held:
            if self._service is None:
                self._service = self.make()
            return self._service


_shared: BoundedCache[Any, SharedService] = BoundedCache(64)
_lock = ForkedLock()


def shared_service(key: Any, name: str, make: Callable[[], ModerationService], *, tells_all: bool) -> SharedService:
    """Return this process's service with the settings ``key``."""
    with _lock.held:
        found = _shared.get(key)
        if found is None:
            found = _shared[key] = SharedService(make, name, tells_all)
        return found


def secret_from(variable: str) -> str:
    """Return the value of an environment variable.

    Raises:
        ModerationFailed: it is not set.
    """
    secret = os.environ.get(variable)
    if not secret:
        raise ModerationFailed("moderation_no_credentials")
    return secret


def as_share(value: Any) -> float:
    """Return a score from 0 to 1.

    Raises:
        ModerationFailed: it is not such a number.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= 1:
        raise ModerationFailed("moderation_nonsense")
    return float(value)


CONFIDENCE: Mapping[str, float] = {"NONE": 0.0, "LOW": 0.3, "MEDIUM": 0.6, "HIGH": 0.9}
"""Scores for services that say in words how confident they are."""
