"""Whether a provider records anything: what goes to none is not even made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Liveness:
    """Whether a provider, the one given or else the global one, is more than the API's placeholder.

    The application may set the global provider after it configured us, so a placeholder is looked at again.
    """

    __slots__ = ("_given", "_live", "_of_process")

    def __init__(self, given: Any, of_process: Callable[[], Any]) -> None:
        self._given = given
        self._of_process = of_process
        self._live = False

    def __bool__(self) -> bool:
        if not self._live:
            provider = self._given if self._given is not None else self._of_process()
            # the API's placeholders have no common base and some of their names are private
            name = type(provider).__name__
            self._live = not name.lstrip("_").startswith(("NoOp", "Proxy"))
        return self._live
