"""Putting specspan to work in a program that knows nothing of it, before its first line runs.

``opentelemetry-instrument`` finds `Instrumentor` by its entry point; ``specspan run`` has every Python process import
``startup/sitecustomize.py``. Both do the same, as the environment says, and nothing twice.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from specspan._support.guard import contain
from specspan.errors import SpecspanError
from specspan.instrument.install import instrument, uninstrument
from specspan.runtime.configuration import current_configuration
from specspan.runtime.configure import configure, shutdown

STARTUP = Path(__file__).parent / "startup"
"""On ``PYTHONPATH``, it has a Python process, and those it starts, do `start` first."""
_PATHS = ("SPECSPAN_POLICY", "SPECSPAN_DB", "SPECSPAN_SPECS")
_log = logging.getLogger("specspan")


def start() -> None:
    """Configure as the environment asks, and have every supported client met once it is imported.

    Nothing is done twice: a process that is configured already stays as it is.

    A policy that is refused, or whatever else fails, is logged as an error, and the program runs as it would without.
    """
    if current_configuration() is not None:
        return
    try:
        with _importing_from_here():
            configure()
        instrument()
    except SpecspanError as error:
        _log.error("specspan does not watch this program (pid %d): %s", os.getpid(), error)
    except Exception as error:  # whatever the SDKs of providers do on import
        contain("runtime.zero_code", error)


def environment(environ: Mapping[str, str], changes: Mapping[str, str]) -> dict[str, str]:
    """The variables of a program that is to be watched, and of those it starts, whatever folder they run in."""
    given = {**environ, **changes}
    absolute = {name: _absolute(given[name]) for name in _PATHS if given.get(name, "").strip()}
    before = [path for path in given.get("PYTHONPATH", "").split(os.pathsep) if path and path != str(STARTUP)]
    return {**given, **absolute, "PYTHONPATH": os.pathsep.join((str(STARTUP), *before))}


def _absolute(paths: str) -> str:
    """Links stay links."""
    return os.pathsep.join(os.path.abspath(path) for path in paths.split(os.pathsep))  # noqa: PTH100 - resolve() would follow them


class Instrumentor:
    """What ``opentelemetry-instrument`` calls. Of its base class it needs no more than these two."""

    def instrument(self, **_: Any) -> None:
        """Begin."""
        start()

    def uninstrument(self, **_: Any) -> None:
        """Put everything back."""
        uninstrument()
        shutdown()


@contextmanager
def _importing_from_here() -> Iterator[None]:
    """Checks that a policy names by module are found from the current folder: the program's own is not known yet."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)
