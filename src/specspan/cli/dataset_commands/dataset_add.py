"""`specspan dataset add`: single decisions, with what is expected of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from specspan.cli.dataset_cases import cases_of_one, print_made, redact_option
from specspan.cli.storage import db_option, open_reader, require_one
from specspan.decision import Outcome
from specspan.replay.dataset import Dataset, read_dataset, write_dataset
from specspan.replay.dataset_making import merge_cases

_OUTCOMES = tuple(each.value for each in (Outcome.COMPLIED, Outcome.VIOLATED, Outcome.NOT_APPLICABLE))


def _parse_expected(_context: click.Context, _parameter: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    expected = {}
    for value in values:
        clause, sign, outcome = value.rpartition("=")
        if not sign or outcome not in _OUTCOMES:
            raise click.BadParameter(f"invalid {value!r}. Write CLAUSE=OUTCOME with one of {', '.join(_OUTCOMES)}.")
        expected[clause] = outcome
    return expected


@click.command("add")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("decision")
@click.option(
    "--expect",
    "expected",
    metavar="CLAUSE=OUTCOME",
    multiple=True,
    callback=_parse_expected,
    help="What is right; repeatable.  [default: what was decided]",
)
@click.option("--incident", metavar="ID", help="The incident that the case comes from.")
@click.option("--note", metavar="TEXT", help="Why the case is there.")
@redact_option
@db_option
def command(
    file: Path,
    decision: str,
    expected: dict[str, str],
    incident: str | None,
    note: str | None,
    patterns: tuple[str, ...],
    db: str | None,
) -> None:
    """Add a recorded call to the dataset in FILE, which is made where it does not exist.

    DECISION is an id or the start of one. A call that FILE has from the same origin is replaced.
    """
    source: dict[str, Any] = {"kind": "decision" if incident is None else "incident"}
    source |= {} if incident is None else {"id": incident}
    source |= {} if note is None else {"note": note}
    with open_reader(db) as reader:
        id_ = require_one("decision", decision, reader.decision_ids(decision), "specspan decisions")
        made = cases_of_one(reader, reader.decision(id_), expected, source, patterns)
    if not made.cases:
        print_made(made, None)
        raise click.exceptions.Exit(1)
    known = read_dataset(file) if file.exists() else Dataset(str(file), ())
    print_made(made, write_dataset(file, merge_cases(known.cases, made.cases), file.stem))
