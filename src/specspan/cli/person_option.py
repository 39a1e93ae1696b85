"""Person who acts, for commands that put what people say on record."""

from __future__ import annotations

import getpass

import click

from specspan.errors import OversightRefused
from specspan.stores.people import Person, Role


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user that has no name
        return "unknown"


person_option = click.option(
    "--as",
    "person",
    metavar="NAME",
    default=_user,
    envvar="SPECSPAN_REVIEWER",
    show_envvar=True,
    help="Who you are.  [default: the user of this machine]",
)
"""Option ``person``: name of the person who acts."""


def as_person(name: str, role: Role = Role.REVIEWER) -> Person:
    """Return the person of a name.

    Raises:
        ClickException: the name is empty or has a control character.
    """
    try:
        return Person(name, role)
    except OversightRefused as refusal:
        raise click.ClickException(str(refusal)) from refusal
