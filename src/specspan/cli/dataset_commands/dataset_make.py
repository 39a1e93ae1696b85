"""`specspan dataset make`: a dataset of recorded decisions, or of what reviewers ruled."""

from __future__ import annotations

from pathlib import Path

import click

from specspan.cli.dataset_cases import cases_of_decisions, cases_of_reviews, print_made, redact_option
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
    clause: str | None,
    outcome: str | None,
    service: str | None,
    limit: int,
    since: int | None,
    patterns: tuple[str, ...],
    db: str | None,
) -> None:
    """Write the latest recorded calls to FILE, each with the outcomes that were decided, or that reviewers ruled.

    Only calls whose content was recorded as a whole make cases. Personal data that detectors know are replaced by
    invented ones; names of people are not known to any: read what you commit.
    """
    if file.exists():
        raise click.ClickException(f"{file} exists already. `specspan dataset add` adds to it.")
    wanted = Filter(clause=clause, outcome=outcome, service=service, since_unix_nano=since, limit=limit)
    with open_reader(db) as reader:
        made = (
            cases_of_reviews(reader, db, wanted, patterns)
            if origin == "reviews"
            else cases_of_decisions(reader, reader.decisions(wanted), clause, patterns)
        )
    if not made.cases:
        print_made(made, None)
        raise click.exceptions.Exit(1)
    print_made(made, write_dataset(file, made.cases, name or file.stem))
