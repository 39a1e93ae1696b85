"""Processes that `multiprocessing` starts: they end by ``os._exit``, so nothing that `atexit` has is called in them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import wrapt

_LAST = -100
"""After the finalisers of others, which may yet make calls."""


def at_end_of_child(shutdown: Callable[[], None]) -> None:
    """Have ``shutdown`` called at the end of every process that `multiprocessing` starts, and of this one if it is one.

    Where nobody imports `multiprocessing`, neither does this.
    """
    wrapt.register_post_import_hook(lambda util: _register(util, shutdown), "multiprocessing.util")


def _register(util: Any, shutdown: Callable[[], None]) -> None:
    from multiprocessing.process import parent_process

    def renew(_: object) -> None:
        util.Finalize(None, shutdown, exitpriority=_LAST)

    util.register_after_fork(shutdown, renew)  # every child forgets what was registered before it began
    if parent_process() is not None:
        renew(None)
