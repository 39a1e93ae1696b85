"""Whether a provider records anything: what goes to none is not even made."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

_LOOK_EVERY_S = 0.01


class Liveness:
    """Whether a provider, the one given or else the global one, is more than the API's placeholder.

    The application may set the global provider after it configured us, so a placeholder is looked at again, but not on
    every call: asking the API for the global provider costs a microsecond.
    """

    __slots__ = ("_given", "_live", "_looked_s", "_of_process")

    def __init__(self, given: Any, of_process: Callable[[], Any]) -> None:
        self._given = given
        self._of_process = of_process
        self._live = False
        self._looked_s = -math.inf

    def __bool__(self) -> bool:
        if not self._live:
            now_s = time.monotonic()
            if now_s - self._looked_s >= _LOOK_EVERY_S:
                self._looked_s = now_s
                self._live = self._is_live()
        return self._live

    def _is_live(self) -> bool:
        provider = self._given if self._given is not None else self._of_process()
        return not is_placeholder(provider)


def is_placeholder(provider: Any) -> bool:
    """Whether a provider is the API's own that does nothing, or waits for another; somebody else's proxy is at work."""
    kind = type(provider)  # they have no common base, and some of their names are private
    return kind.__module__.startswith("opentelemetry.") and kind.__name__.lstrip("_").startswith(("NoOp", "Proxy"))
