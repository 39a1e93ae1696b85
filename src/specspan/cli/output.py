"""What commands print with: one console, one form of JSON."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

_PIPED_WIDTH = 160  # columns where nobody looks: lines are for programs then, and stay whole

# C0 and C1 but tab and line feed: a terminal obeys them, wherever the text came from.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def console(*, width: int | None = None) -> Console:
    """A console on standard output, plain where that is no terminal. ``width`` in columns, for tests and files."""
    if width is None and not sys.stdout.isatty() and "COLUMNS" not in os.environ:
        width = _PIPED_WIDTH
    return Console(highlight=False, soft_wrap=False, width=width)


def print_json(value: Any) -> None:
    """Print a value as JSON, two spaces deep, as a program reading standard output expects it."""
    utf8 = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    click.echo(json.dumps(value, indent=2, ensure_ascii=not utf8, default=str))


def printable(text: str) -> str:
    """``text`` from a file or a model, without what a terminal would take for a command."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", text)


def write_new(path: Path, text: str) -> None:
    """Write a file that is not there yet.

    Raises:
        ClickException: there is one, or it cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError:
        raise click.ClickException(f"{path} exists already. Name another file, or remove it first.") from None
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}.") from error
