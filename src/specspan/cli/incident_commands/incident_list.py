"""`specspan incident list`: incidents, the latest first."""

from __future__ import annotations

import time

import click
from rich.text import Text

from specspan.cli.incident_view import open_log
from specspan.cli.list_table import Column, ListTable, print_lines
from specspan.cli.storage import store_options
from specspan.cli.terminal import clean, console, format_short, print_json
from specspan.incidents.incident import Incident, IncidentState
from specspan.incidents.incident_records import incident_record

_STYLES = {IncidentState.OPEN: "red", IncidentState.MITIGATED: "yellow", IncidentState.CLOSED: "green"}


@click.command("list")
@click.option("--state", type=click.Choice([state.value for state in IncidentState]), help="In this state.")
@click.option("--clause", metavar="ID", help="About this clause.")
@store_options
def command(state: str | None, clause: str | None, db: str | None, *, as_json: bool) -> None:
    """List incidents, the one opened last first."""
    with open_log(db) as log:
        found = log.list(state=None if state is None else IncidentState(state), clause=clause)
    if as_json:
        print_json([incident_record(incident) for incident in found])
        return
    if not found:
        console().print(Text("No incidents match."))
        return
    table = ListTable(
        Column("id", style="bold"),
        Column("state"),
        Column("clause", style="bold"),
        Column("opened"),
        Column("since", gives_way=1),
        Column("ended", gives_way=2),
        Column("by", gives_way=3),
    )
    for incident in found:
        table.add_row(*_cells(incident))
    print_lines(console(), table)


def _cells(incident: Incident) -> tuple[str | Text, ...]:
    now_ns = time.time_ns()
    ended = incident.ended_unix_nano
    return (
        incident.id[:8],
        Text(incident.state.value, _STYLES[incident.state]),
        clean(incident.clause),
        format_short(incident.opened_unix_nano, now_ns),
        format_short(incident.since_unix_nano, now_ns),
        "" if ended is None else format_short(ended, now_ns),
        "alert" if incident.alert_key else "person",
    )
