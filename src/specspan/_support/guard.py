"""The one guard between specspan's own failures and the application.

A failure inside specspan is counted, logged once for each place it happens, and goes no further. Under our own tests
(``SPECSPAN_RAISE_INTERNAL_ERRORS=1``) it is raised again, so that none hides.
"""

from __future__ import annotations

import logging
import os
from types import TracebackType

from specspan._support import drop_counts
from specspan.errors import Blocked

_log = logging.getLogger("specspan")
_logged: set[str] = set()


class guard:
    """Context manager around work that must not harm the application: ``with guard("record.span"): ...``.

    `Blocked` and everything that is not an `Exception` (cancellation, exit) pass through unchanged. What every model
    call passes says the same with ``except Blocked: raise`` and `contain`: a context manager costs what six attributes
    of a span do.
    """

    __slots__ = ("_place",)

    def __init__(self, place: str) -> None:
        self._place = place

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> bool:
        if error is None or isinstance(error, Blocked) or not isinstance(error, Exception):
            return False
        report(self._place, error)
        return not _raises_again()


def contain(place: str, error: Exception) -> None:
    """What `guard` does with an error, for ``except Exception as error`` around work that must not harm."""
    report(place, error)
    if _raises_again():
        raise error


def report(place: str, error: Exception) -> None:
    """Count an internal failure at ``place`` and log it, the first time with its traceback."""
    drop_counts.count("internal", place)
    if place not in _logged:
        _logged.add(place)
        _log.error("specspan failed in %s; the application goes on without it", place, exc_info=error)


def _raises_again() -> bool:
    return bool(os.environ.get("SPECSPAN_RAISE_INTERNAL_ERRORS"))
