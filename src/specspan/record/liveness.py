"""Detection of placeholder providers: telemetry that would go to one is not even made."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

_CHECK_INTERVAL_S = 0.01


class Liveness:
    """Truth of whether a provider, the one given or else the global one, is more than the API's placeholder.

    The application may set the global provider after it configured specspan, so a placeholder is checked again, but not
    on every call: asking the API for the global provider costs a microsecond.
    """

    __slots__ = ("_checked_s", "_get_global", "_given", "_is_live")

    def __init__(self, given: Any, get_global: Callable[[], Any]) -> None:
        self._given = given
        self._get_global = get_global
        self._is_live = False
        self._checked_s = -math.inf

    def __bool__(self) -> bool:
        if not self._is_live:
            now_s = time.monotonic()
            if now_s - self._checked_s >= _CHECK_INTERVAL_S:
                self._checked_s = now_s
                provider = self._given if self._given is not None else self._get_global()
                self._is_live = not is_placeholder(provider)
        return self._is_live


def is_placeholder(provider: Any) -> bool:
    """Return whether a provider is the API's own that does nothing, or waits for another.

    A proxy of somebody else's make counts as a real provider.
    """
    kind = type(provider)  # they have no common base, and some of their names are private
    return kind.__module__.startswith("opentelemetry.") and kind.__name__.lstrip("_").startswith(("NoOp", "Proxy"))
