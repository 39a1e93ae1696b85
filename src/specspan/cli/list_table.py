"""Lists of records, a row each, laid out so that no name and no id is ever broken over two lines.

On a narrow terminal lists of ids end in ``…`` after as many as fit, texts are cut at an ``…``, and then whole columns
give way, the least telling first. An id is whole or absent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from specspan.cli.terminal import list_width

Cell: TypeAlias = "str | Text | Sequence[str]"
"""Text of one row in one column; a list of ids shows as many as fit."""

_GAP = 2  # columns between two cells
_LEAST_TEXT = 12  # columns that a text keeps, however narrow the terminal


@dataclass(frozen=True, slots=True)
class Column:
    """Column of a list."""

    header: str
    gives_way: int | None = None
    """Place in the order in which columns are left out on a narrow terminal, the lowest first; None: never."""
    is_text: bool = False
    """True for words that may be cut at an ``…``; an id is shown whole."""
    align_right: bool = False
    style: str = ""


class ListTable:
    """Rows of a list, added one at a time."""

    def __init__(self, *columns: Column) -> None:
        self._columns = columns
        self._rows: list[Sequence[Cell]] = []

    @property
    def row_count(self) -> int:
        """Number of rows, without the header."""
        return len(self._rows)

    def add_row(self, *cells: Cell) -> None:
        """Add a row, with a cell for each column."""
        self._rows.append(cells)

    def lines(self, width: int | None) -> Iterator[Text]:
        """Yield the header and each row, without trailing blanks.

        Args:
            width: columns of the terminal; None where lines may be of any length, as in a pipe.
        """
        shown = [n for n, column in enumerate(self._columns) if self._has_content(n) or column.gives_way is None]
        widths = self._fit(shown, width)
        while widths is None and (least := self._least_telling(shown)) is not None:
            shown.remove(least)
            widths = self._fit(shown, width)
        below = widths is None and len(shown) > 1  # the last column then stands on a line of its own
        last = shown.pop() if below else None
        widths = widths or [self._least_width(n) for n in shown]
        headers = [Text(self._columns[n].header, "dim") for n in shown]
        yield self._line(headers, shown, widths)
        for row in self._rows:
            cells = [_to_text(row[n], self._columns[n], size) for n, size in zip(shown, widths, strict=True)]
            yield self._line(cells, shown, widths)
            if last is not None and row[last]:
                yield Text("  ").append(_to_text(row[last], self._columns[last], (width or 0) - _GAP))

    def _has_content(self, column: int) -> bool:
        return any(row[column] for row in self._rows)

    def _least_telling(self, shown: Sequence[int]) -> int | None:
        ranks = [(rank, n) for n in shown if (rank := self._columns[n].gives_way) is not None]
        return min(ranks)[1] if ranks else None

    def _fit(self, shown: Sequence[int], width: int | None) -> list[int] | None:
        """Return the width of each column, or None where they do not fit: lists and texts give way, ids do not."""
        natural = [self._natural_width(n) for n in shown]
        if width is None:
            return natural
        widths = [self._least_width(n) for n in shown]
        slack = width - sum(widths) - _GAP * (len(shown) - 1)
        if slack < 0:
            return None
        for at, size in enumerate(natural):
            more = min(slack, size - widths[at])
            widths[at] += more
            slack -= more
        return widths

    def _natural_width(self, column: int) -> int:
        return self._widest(column, lambda cell: cell_len(_plain(cell)))

    def _least_width(self, column: int) -> int:
        if self._columns[column].is_text:
            return min(self._natural_width(column), max(_LEAST_TEXT, cell_len(self._columns[column].header)))
        return self._widest(column, _least_len)

    def _widest(self, column: int, length: Callable[[Cell], int]) -> int:
        return max([cell_len(self._columns[column].header), *(length(row[column]) for row in self._rows)])

    def _line(self, cells: Sequence[Text], shown: Sequence[int], widths: Sequence[int]) -> Text:
        line = Text(end="")
        for at, (cell, n, size) in enumerate(zip(cells, shown, widths, strict=True)):
            blanks = " " * max(0, size - cell.cell_len)
            line.append(" " * (_GAP if at else 0))
            line.append(blanks if self._columns[n].align_right else "").append(cell)
            line.append("" if self._columns[n].align_right else blanks)
        line.rstrip()
        return line


def print_lines(out: Console, table: ListTable) -> None:
    """Print a list, as wide as the terminal, among other output."""
    for line in table.lines(list_width(out)):
        out.print(line, soft_wrap=True)


def _plain(cell: Cell) -> str:
    if isinstance(cell, Text):
        return cell.plain
    return cell if isinstance(cell, str) else " ".join(cell)


def _least_len(cell: Cell) -> int:
    """Return the width of a cell of which nothing but the ids after the first of a list is left out."""
    if isinstance(cell, (str, Text)):
        return cell_len(_plain(cell))
    return cell_len(_shorten(cell, 1))


def _shorten(ids: Sequence[str], count: int) -> str:
    """Return the first ``count`` ids, and an ``…`` where there are more."""
    return " ".join([*ids[:count], *["…"] * (len(ids) > count)])


def _to_text(cell: Cell, column: Column, size: int) -> Text:
    """Return a cell of at most ``size`` columns, where that can be had without breaking an id."""
    if isinstance(cell, (str, Text)):
        text = cell.copy() if isinstance(cell, Text) else Text(cell, column.style)
        if column.is_text:
            text.truncate(size, overflow="ellipsis")
        return text
    fitting = (_shorten(cell, count) for count in range(len(cell), 1, -1))
    return Text(next((text for text in fitting if cell_len(text) <= size), _shorten(cell, 1)), column.style)
