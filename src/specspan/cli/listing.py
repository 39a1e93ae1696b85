"""Lists: a table for people, plain columns for pipes, JSON for programs, one line when there is nothing to list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from rich.table import Table
from rich.text import Text

from specspan.cli.output import console, print_json
from specspan.cli.stored import NOTHING_YET, opened, wanted
from specspan.errors import StoreError
from specspan_exporter_sqlite import Filter, Reader

Thing = TypeVar("Thing")


@dataclass(frozen=True, slots=True)
class Kind(Generic[Thing]):
    """What can be listed by the filters that all lists share."""

    plural: str
    """Its name in a sentence, such as ``traces``."""
    read: Callable[[Reader, Filter], Sequence[Thing]]
    json: Callable[[Thing], dict[str, Any]]
    """One of them as JSON."""
    table: Callable[[Sequence[Thing], Reader], Table]
    """All of them, a row each."""


def show_list(kind: Kind[Any], db: Path | None, *, as_json: bool, **options: Any) -> None:
    """Read a list and print it; the options are those of `stored.reading` and `stored.filtering`.

    Raises:
        StoreError: the file cannot be read, or nothing of the kind is in it at all.
    """
    asked = wanted(options)
    with opened(db) as reader:
        things = kind.read(reader, asked)
        if as_json:
            print_json([kind.json(thing) for thing in things])
        elif not things and asked == Filter(limit=asked.limit):
            raise StoreError(f"{reader.path}: no {kind.plural} in it yet. {NOTHING_YET}")
        elif not things:
            console().print(Text(f"No {kind.plural} match."))
        else:
            _show(kind.table(things, reader), asked.limit)


def table(*columns: str, right: Sequence[str] = (), folding: Sequence[str] = ()) -> Table:
    """An empty table without lines. Columns that fold give way first when the terminal is narrow."""
    made = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for column in columns:
        folds = column in folding
        made.add_column(column, justify="right" if column in right else "left", no_wrap=not folds, overflow="fold")
    return made


def _show(made: Table, limit: int) -> None:
    out = console()
    out.print(made)
    if made.row_count == limit and out.is_terminal:
        out.print(Text(f"The latest {limit}; --limit shows more.", "dim"))
