"""Module that Python imports before a program of ``specspan run``; it runs the ``sitecustomize`` that it hides, too.

Nothing else may stand in this folder: it is on the program's path.
"""

import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path


def _run_hidden() -> None:
    here = Path(__file__).parent
    hidden = PathFinder.find_spec(
        "sitecustomize", [path for path in sys.path if Path(path).resolve() != here.resolve()]
    )
    if hidden is not None and hidden.loader is not None:
        hidden.loader.exec_module(module_from_spec(hidden))


def _start() -> None:
    try:
        from specspan.runtime.zero_code import start
    except ImportError as error:  # another Python, or a child with an environment of its own
        sys.stderr.write(f"specspan does not watch this program: {sys.executable} has no specspan ({error})\n")
    else:
        start()


_run_hidden()
_start()
