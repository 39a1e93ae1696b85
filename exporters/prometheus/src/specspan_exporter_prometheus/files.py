"""What a command that makes files from a policy reads and writes."""

from __future__ import annotations

from pathlib import Path

import click

from specspan.cli.options import import_modules
from specspan.policy.load import load_policy
from specspan.policy.policy import Policy


def loaded(policy: Path, environment: str | None, modules: tuple[str, ...]) -> Policy:
    """The policy, with the user's own checks."""
    with import_modules(modules):
        return load_policy(policy, environment=environment)


def write(path: Path, text: str) -> None:
    """Write a file, in place of what it holds.

    Raises:
        ClickException: it cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}.") from error
