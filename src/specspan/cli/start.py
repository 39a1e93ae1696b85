"""Where the `specspan` command begins: whether what it needs is installed."""

from __future__ import annotations

import sys

_NEEDS = ("click", "rich")


def main() -> None:
    """Run the command line; without its packages, say which extra brings them. Exit code 2."""
    try:
        from specspan.cli.main import main as run
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _NEEDS:
            raise
        sys.stderr.write(f"specspan: the command line needs {missing!r}. Run: pip install 'specspan[cli]'\n")
        sys.exit(2)
    run()
