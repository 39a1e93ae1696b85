"""Runner of the benchmarks: ``make bench``, or ``python -m benchmarks NAME ...`` for some of them."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from rich.console import Console
from rich.table import Table

from benchmarks.measure import Row
from specspan._support import plugins


def main(names: list[str]) -> None:
    """Run ``main()`` of each module that has one, or of those named, and print its rows in one table."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("work")
    for column in ("µs", "compared with", "ratio", "limit"):
        table.add_column(column, justify="right")
    for module in plugins.iter_modules("benchmarks"):
        name = module.__name__.rpartition(".")[2]
        if hasattr(module, "main") and (not names or name in names):
            _add(table, name, module.main())
    Console().print(table)


def _add(table: Table, name: str, rows: Iterable[Row] | None) -> None:
    table.add_row(f"[bold]{name}[/]")
    for row in rows or ():
        limit = "" if row.limit is None else f"{row.limit:.1f}"
        mark = "[red]" if row.limit is not None and row.ratio > row.limit else ""
        figures = (f"{row.median_us:.1f}", f"{row.base_us:.1f}", f"{mark}{row.ratio:.2f}", limit)
        table.add_row(f"  {row.name}", *figures)


if __name__ == "__main__":
    main(sys.argv[1:])
