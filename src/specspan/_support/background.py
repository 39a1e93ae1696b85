"""Start of threads, where there may be none to be had: a limit of processes, WebAssembly."""

from __future__ import annotations

import logging
import threading

_log = logging.getLogger("specspan")
_logged: set[str] = set()


def start_thread(thread: threading.Thread, instead: str) -> bool:
    """Start a thread. Return False where there is none to be had, and log once that ``instead`` is done."""
    try:
        thread.start()
    except RuntimeError as error:
        if instead not in _logged:
            _logged.add(instead)
            _log.warning("no thread can be started (%s): %s", error, instead)
        return False
    return True
