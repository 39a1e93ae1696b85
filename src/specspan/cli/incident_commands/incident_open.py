"""`specspan incident open`: incident about a clause, by hand or from a file of alerts."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import click

from specspan.cli.incident_view import open_log
from specspan.cli.person_option import as_person, person_option
from specspan.cli.storage import since_option, store_options
from specspan.cli.terminal import format_local, parse_since, print_json, printable
from specspan.incidents.alert_groups import AlertGroup, read_alert_group
from specspan.incidents.alert_opening import open_for_alert
from specspan.incidents.incident_log import OpenedIncident
from specspan.incidents.incident_records import incident_record

_DAY_NS = 86_400 * 10**9


@click.command("open")
@click.option("--clause", metavar="ID", help="The clause that was violated.")
@click.option(
    "--alert",
    "alert_file",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A message of Alertmanager's webhook, as JSON: its clause, its start, its labels.",
)
@click.option(
    "--baseline",
    metavar="WHEN",
    default="7d",
    show_default=True,
    help="Compare with calls from so long before, or a date.",
)
@click.option("--reason", metavar="TEXT", default="", help="What was seen.")
@since_option
@person_option
@store_options
def command(
    clause: str | None,
    alert_file: Path | None,
    baseline: str,
    reason: str,
    since: int | None,
    person: str,
    db: str | None,
    *,
    as_json: bool,
) -> None:
    """Open an incident about a clause, with calls since WHEN (a day, if it is not given) as those it is about."""
    if (clause is None) == (alert_file is None):
        raise click.UsageError("Choose one of --clause and --alert.")
    by = as_person(person)
    with open_log(db) as log:
        if alert_file is not None:
            opened = [open_for_alert(log, group, by) for group in _read_groups(alert_file)]
        else:
            start = time.time_ns() - _DAY_NS if since is None else since
            detail: dict[str, Any] = {"text": reason} if reason else {}
            opened = [
                log.open(
                    str(clause),
                    by=by,
                    since_unix_nano=start,
                    baseline_unix_nano=_parse_baseline(baseline, start),
                    detail=detail,
                )
            ]
    _print(opened, as_json=as_json)


def _parse_baseline(text: str, start_unix_nano: int) -> int:
    try:
        return parse_since(text, start_unix_nano)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--baseline") from error


def _read_groups(path: Path) -> list[AlertGroup]:
    try:
        return [read_alert_group(json.loads(path.read_text(encoding="utf-8")))]
    except (ValueError, RecursionError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"no message of Alertmanager's webhook: {error}", param_hint="--alert") from error


def _print(opened: list[OpenedIncident], *, as_json: bool) -> None:
    if as_json:
        print_json([{**incident_record(each.incident), "new": each.is_new} for each in opened])
        return
    for each in opened:
        incident = each.incident
        verb = "Opened" if each.is_new else "Already open:"
        since = format_local(incident.since_unix_nano)
        click.echo(printable(f"{verb} incident {incident.id[:8]} about {incident.clause}, of calls since {since}."))
        click.echo(f"See `specspan incident show {incident.id[:8]}`.")
