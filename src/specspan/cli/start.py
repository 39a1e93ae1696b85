"""Entry point of the `specspan` command, which can be installed without the packages it needs."""

from __future__ import annotations

import sys
from importlib.util import find_spec

_REQUIRED_PACKAGES = ("click", "rich")


def main() -> None:
    """Run the command line. Without its packages, name the extra that installs them; the exit code is 2."""
    for package in _REQUIRED_PACKAGES:
        if find_spec(package) is None:  # not imported: a list of commands needs no Rich
            sys.stderr.write(f"specspan: the command line needs {package!r}. Run: pip install 'specspan[cli]'\n")
            sys.exit(2)
    from specspan.cli.main import main as run

    run()
