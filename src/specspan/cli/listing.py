"""Lists: a table for people, plain columns for pipes, one line when there is nothing to list."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from specspan.cli.output import console
from specspan.cli.stored import NOTHING_YET
from specspan.errors import StoreError
from specspan_exporter_sqlite import Filter, Reader


def table(*columns: str, right: Sequence[str] = (), folding: Sequence[str] = ()) -> Table:
    """An empty table without lines. Columns that fold give way first when the terminal is narrow."""
    made = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim")
    for column in columns:
        folds = column in folding
        made.add_column(column, justify="right" if column in right else "left", no_wrap=not folds, overflow="fold")
    return made


def show(made: Table, what: str, wanted: Filter, reader: Reader) -> None:
    """Print a table, and whether there may be more.

    Raises:
        StoreError: nothing of the kind is in the file at all.
    """
    if made.row_count == 0 and wanted == Filter(limit=wanted.limit):
        raise StoreError(f"{reader.path}: no {what} in it yet. {NOTHING_YET}")
    out = console()
    if made.row_count == 0:
        out.print(Text(f"No {what} match."))
        return
    out.print(made)
    if made.row_count == wanted.limit and out.is_terminal:
        out.print(Text(f"The latest {wanted.limit}; --limit shows more.", "dim"))
