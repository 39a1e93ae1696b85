"""Containment of specspan's own failures, which must not reach the application.

A failure inside specspan is counted, logged once for each place it happens, and goes no further. Under our own tests
(``SPECSPAN_RAISE_INTERNAL_ERRORS=1``) it is raised again, so that none hides. There are two forms: `guard` for a block,
and `contain` for the ``except`` clause of code that every model call passes, where a context manager costs too much.
"""

from __future__ import annotations

import logging
import os
from types import TracebackType

from specspan._support import drop_counts
from specspan._support.interruption import raise_interruption
from specspan.errors import Blocked

_log = logging.getLogger("specspan")
_logged: set[str] = set()


class guard:
    """Context manager around work that must not harm the application: ``with guard("record.span"): ...``.

    `Blocked`, interruptions and everything that is not an `Exception` (cancellation, exit) pass through unchanged.
    """

    __slots__ = ("_place",)

    def __init__(self, place: str) -> None:
        self._place = place

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> bool:
        if error is None or isinstance(error, Blocked) or not isinstance(error, Exception):
            return False
        raise_interruption(error)
        _report(self._place, error)
        return not _raises_internal_errors()


def contain(place: str, error: Exception) -> None:
    """Count and log an internal failure at ``place``, in an ``except Exception as error`` clause.

    Code that may raise `Blocked` writes ``except Blocked: raise`` before that clause. A `guard` costs as much as six
    attributes of a span, this nothing until there is an error.

    Raises:
        Exception: ``error``, where it interrupted specspan and is the application's own.
    """
    raise_interruption(error)
    _report(place, error)
    if _raises_internal_errors():
        raise error


def _report(place: str, error: Exception) -> None:
    """Count an internal failure, and log the first one at ``place`` with its traceback."""
    drop_counts.count("internal", place)
    if place not in _logged:
        _logged.add(place)
        _log.error("specspan failed in %s; the application goes on without it", place, exc_info=error)


def _raises_internal_errors() -> bool:
    return bool(os.environ.get("SPECSPAN_RAISE_INTERNAL_ERRORS"))
