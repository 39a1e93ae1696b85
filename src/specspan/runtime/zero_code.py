"""Start of specspan in a program that knows nothing of it, before its first line runs.

``opentelemetry-instrument`` finds `Instrumentor` by its entry point; ``specspan run`` has every Python process import
``startup/sitecustomize.py``. Both configure specspan by the environment, once in a process.
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
from specspan.stores.opening import absolute_address

STARTUP = Path(__file__).parent / "startup"
"""Folder that, on ``PYTHONPATH``, has a Python process and those it starts call `start` first."""
_PATHS = ("SPECSPAN_POLICY", "SPECSPAN_SPECS")
_STORE = "SPECSPAN_DB"
_log = logging.getLogger("specspan")


def start() -> None:
    """Configure by the environment, and instrument every supported client once it is imported.

    A process that is configured already stays as it is. A refused policy, and any other failure, is logged as an error,
    and the program runs as it would without specspan.
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
    """Return the variables of a program to instrument, which also hold for programs it starts in other folders."""
    variables = {**environ, **changes}
    absolute = {name: _absolute(variables[name]) for name in _PATHS if variables.get(name, "").strip()}
    if variables.get(_STORE, "").strip():
        absolute[_STORE] = absolute_address(variables[_STORE])
    before = [path for path in variables.get("PYTHONPATH", "").split(os.pathsep) if path and path != str(STARTUP)]
    return {**variables, **absolute, "PYTHONPATH": os.pathsep.join((str(STARTUP), *before))}


def _absolute(paths: str) -> str:
    """Return absolute paths, in which links stay links."""
    return os.pathsep.join(os.path.abspath(path) for path in paths.split(os.pathsep))  # noqa: PTH100 - resolve() would follow them


class Instrumentor:
    """Instrumentor that ``opentelemetry-instrument`` calls; of its base class it needs these two methods alone."""

    def instrument(self, **_: Any) -> None:
        """Configure and instrument, by the environment."""
        start()

    def uninstrument(self, **_: Any) -> None:
        """Shut down, and take the instrumentation back: nothing is enforced after it."""
        shutdown()
        uninstrument()


@contextmanager
def _importing_from_here() -> Iterator[None]:
    """Import from the current folder inside the block: the program's own folder is not known yet.

    A policy names checks by module.
    """
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        sys.path.remove(here)
