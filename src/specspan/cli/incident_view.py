"""Incidents for commands: options that several share, one incident by the start of its id, and its facts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click
from rich.text import Text

from specspan.cli.list_table import Column, ListTable
from specspan.cli.person_option import as_person, person_option
from specspan.cli.post_mortem import lift_words
from specspan.cli.storage import open_reader, require_one, store_options
from specspan.cli.terminal import clean, print_json
from specspan.errors import OversightRefused
from specspan.incidents.incident import Incident
from specspan.incidents.incident_facts import IncidentFacts, gather_facts
from specspan.incidents.incident_log import IncidentLog
from specspan.incidents.incident_records import incident_record
from specspan.stores.people import Person


@contextmanager
def open_log(db: str | None) -> Iterator[IncidentLog]:
    """Open the incidents of a store; what is refused ends the command with exit code 1."""
    log = IncidentLog(db)
    try:
        yield log
    except OversightRefused as refusal:
        raise click.ClickException(str(refusal)) from refusal
    finally:
        log.close()


def find_incident(log: IncidentLog, prefix: str) -> Incident:
    """Return the incident whose id begins with ``prefix``.

    Raises:
        ClickException: there is none, or several.
    """
    return log.incident(require_one("incident", prefix, log.ids(prefix), "specspan incident list"))


def sentence_command(
    name: str, help_: str, change: Callable[[IncidentLog, str, Person, str], Incident]
) -> click.Command:
    """Return a command that adds a sentence to the history of an incident, and prints the state that follows."""

    @click.command(name, help=help_)
    @click.argument("incident_id", metavar="INCIDENT")
    @click.argument("text")
    @person_option
    @store_options
    def command(incident_id: str, text: str, person: str, db: str | None, *, as_json: bool) -> None:
        with open_log(db) as log:
            incident = change(log, find_incident(log, incident_id).id, as_person(person), text)
        if as_json:
            print_json(incident_record(incident))
        else:
            click.echo(f"Incident {incident.id[:8]} is {incident.state.value}.")

    return command


def read_facts(db: str | None, incident: Incident) -> IncidentFacts:
    """Return the facts about an incident from its store.

    Raises:
        StoreError: the store cannot be read.
    """
    with open_reader(db) as reader:
        return gather_facts(reader, incident, time.time_ns())


def change_table(changes: list[dict[str, Any]]) -> ListTable:
    """Return the table of changes, the one that separates best first."""
    table = ListTable(
        Column("first seen", gives_way=2),
        Column("change", style="bold"),
        Column("after", gives_way=1, is_text=True),
        Column("with it", align_right=True),
        Column("without it", align_right=True),
        Column("lift", align_right=True),
    )
    for change in changes:
        with_it, without_it = change["with"], change["without"]
        table.add_row(
            change["first_seen"],
            Text(f"{change['factor']} {clean(change['version'])}"),
            clean(", ".join(change["replaced"])),
            f"{with_it['violated']} of {with_it['of']}",
            f"{without_it['violated']} of {without_it['of']}",
            lift_words(change["lift"]),
        )
    return table
