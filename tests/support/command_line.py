"""The command line run in this process, where a test is not about the process."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from typing import NamedTuple

import pytest

from specspan.cli.main import main


class Ended(NamedTuple):
    """Exit code and output of a command."""

    returncode: int
    stdout: str
    stderr: str


def run_command(*arguments: object, **environment: str) -> Ended:
    """Run `specspan` with arguments and variables, its output piped; any other end than an exit is raised."""
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()) as out:
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr(sys, "argv", ["specspan", *map(str, arguments)])
        with redirect_stderr(io.StringIO()) as err, pytest.raises(SystemExit) as ended:
            main()
    return Ended(int(ended.value.code or 0), out.getvalue(), err.getvalue())
