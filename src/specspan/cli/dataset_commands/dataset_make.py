"""`specspan dataset make`: a dataset of recorded decisions, or of what reviewers ruled."""

from __future__ import annotations

from pathlib import Path

import click

from specspan.cli.dataset_cases import (
    cases_of_decisions,
    cases_of_incident,
    cases_of_reviews,
    print_made,
    redact_option,
)
from specspan.cli.incident_view import find_incident, open_log
from specspan.cli.storage import db_option, open_reader, since_option
from specspan.cli.terminal import OUTCOMES
from specspan.replay.dataset import write_dataset
from specspan.sqlite.model import Filter


@click.command("make")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--name", metavar="NAME", help="Name of the dataset.  [default: that of FILE]")
@click.option(
    "--from",
    "origin",
    type=click.Choice(("decisions", "reviews")),
    default="decisions",
    show_default=True,
    help="What cases come from.",
)
@click.option("--incident", "incident_id", metavar="ID", help="The violating calls of this incident.")
@click.option("--clause", metavar="ID", help="With a finding about this clause.")
@click.option("--outcome", type=click.Choice(OUTCOMES), help="With a finding of this outcome.")
@click.option("--service", metavar="NAME", help="Of this service.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="At most so many.")
@since_option
@redact_option
@db_option
def command(
    file: Path,
    name: str | None,
    origin: str,
    incident_id: str | None,
    clause: str | None,
    outcome: str | None,
    service: str | None,
    limit: int,
    since: int | None,
    patterns: tuple[str, ...],
    db: str | None,
) -> None:
    """Write the latest recorded calls to FILE, each with the outcomes that were decided, or that reviewers ruled.

    With --incident, write the first violating calls of it, which are expected to violate its clause.

    Only calls whose content was recorded as a whole make cases. Personal data that detectors know are replaced by
    invented ones; names of people are not known to any: read what you commit.
    """
    if file.exists():
        raise click.ClickException(f"{file} exists already. `specspan dataset add` adds to it.")
    if incident_id is not None and (origin, clause, outcome, service, since) != ("decisions", None, None, None, None):
        raise click.UsageError(
            "--incident says which calls; leave out --from, --clause, --outcome, --service, --since."
        )
    wanted = Filter(clause=clause, outcome=outcome, service=service, since_unix_nano=since, limit=limit)
    with open_reader(db) as reader:
        if incident_id is not None:
            with open_log(db) as log:
                incident = find_incident(log, incident_id)
            made = cases_of_incident(reader, incident, limit, patterns)
        elif origin == "reviews":
            made = cases_of_reviews(reader, db, wanted, patterns)
        else:
            made = cases_of_decisions(reader, reader.decisions(wanted), clause, patterns)
    if not made.cases:
        print_made(made, None)
        raise click.exceptions.Exit(1)
    print_made(made, write_dataset(file, made.cases, name or file.stem))
