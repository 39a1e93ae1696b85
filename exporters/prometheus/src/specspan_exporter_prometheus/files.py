"""Files that a command reads and writes: the policy, and what is made from it."""

from __future__ import annotations

from pathlib import Path

import click

from specspan.cli.options import import_modules
from specspan.policy.load import load_policy
from specspan.policy.policy import Policy


def load_with_checks(policy: Path, environment: str | None, modules: tuple[str, ...]) -> Policy:
    """Return the policy, with the user's own checks imported."""
    with import_modules(modules):
        return load_policy(policy, environment=environment)


def write_file(path: Path, text: str) -> None:
    """Write a file, in place of what it holds.

    Raises:
        ClickException: the file cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}.") from error
