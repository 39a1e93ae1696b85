"""`specspan spec pull`: download of a published spec, which must have the digest of the catalogue."""

from __future__ import annotations

from pathlib import Path

import click

from specspan._support.messages import did_you_mean
from specspan.errors import Problem, SpecError
from specspan.spec.catalogue import editions, find_edition, pull
from specspan.spec.read import cache_folder, edition_file_name


@click.command("pull")
@click.argument("reference", metavar="NAME@VERSION")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Where to; without it, where policies find it.")
def command(reference: str, output: Path | None) -> None:
    """Download a published spec.

    `specspan spec catalogue` lists them. Other bytes than the catalogue knows are refused, and nothing is written.
    """
    edition = find_edition(reference)
    if edition is None:
        known = [each.pin for each in editions().values()]
        remedy = did_you_mean(reference, known, "'specspan spec catalogue' lists what is.")
        raise SpecError(reference, Problem("this is not in the catalogue", remedy))
    target = cache_folder() / edition_file_name(edition) if output is None else output
    pull(edition, target)
    click.echo(f"Wrote {target}. Policies name it: 'spec: {edition.pin}'.", err=True)
