"""Entry point of the `specspan` command, which can be installed without the packages it needs."""

from __future__ import annotations

import sys

_REQUIRED_PACKAGES = ("click", "rich")


def main() -> None:
    """Run the command line. Without its packages, name the extra that installs them; the exit code is 2."""
    try:
        from specspan.cli.main import main as run
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _REQUIRED_PACKAGES:
            raise
        sys.stderr.write(f"specspan: the command line needs {missing!r}. Run: pip install 'specspan[cli]'\n")
        sys.exit(2)
    run()
