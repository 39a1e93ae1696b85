"""`specspan dataset show`: the cases of a dataset, and where they come from."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from specspan.cli.list_table import Column, ListTable
from specspan.cli.terminal import clean, console, format_utc, list_width, plural, print_json, print_pages
from specspan.replay.dataset import Dataset, DatasetCase, read_dataset


@click.command("show")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(file: Path, as_json: bool) -> None:
    """Show the cases in FILE: when each call was made, what is expected of it, and where the case comes from."""
    dataset = read_dataset(file)
    if as_json:
        print_json(dataset_json(dataset))
        return
    table = ListTable(
        Column("decision", style="bold"),
        Column("time", gives_way=3),
        Column("from", gives_way=1),
        Column("expected"),
        Column("redacted", gives_way=4),
        Column("note", gives_way=2, is_text=True),
    )
    for case in dataset.cases:
        table.add_row(
            clean(case.decision["id"]),
            format_utc(int(case.decision["time_unix_nano"])),
            " ".join(map(clean, filter(None, (case.source["kind"], case.source.get("id"))))),
            [f"{clean(clause)} {clean(outcome)}" for clause, outcome in sorted(case.expected.items())],
            [f"{clean(label)} {count}" for label, count in (case.source.get("redactions") or {}).items()],
            clean(case.source.get("note")),
        )
    out = console()
    words = f"{plural(len(dataset.cases), 'case')}, {dataset.digest}"
    print_pages(out, *table.lines(list_width(out)), Text(words, "dim"))


def dataset_json(dataset: Dataset) -> dict[str, Any]:
    """Return what a dataset holds, without the texts of its cases."""
    expected = Counter((clause, outcome) for case in dataset.cases for clause, outcome in case.expected.items())
    return {
        "v": 1,
        "type": "dataset",
        "source": dataset.source,
        "digest": dataset.digest,
        "cases": [_case_json(case) for case in dataset.cases],
        "expected": [
            {"clause": clause, "outcome": outcome, "cases": count}
            for (clause, outcome), count in sorted(expected.items())
        ],
    }


def _case_json(case: DatasetCase) -> dict[str, Any]:
    decision = case.decision
    return {
        "id": case.id,
        "decision": decision["id"],
        "time_unix_nano": decision["time_unix_nano"],
        "source": dict(case.source),
        "expected": dict(case.expected),
    }
