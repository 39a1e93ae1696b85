"""Lines that break only between their facts, never inside one: no name, number or id is torn apart."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.text import Text

_GAP = "  "


class Flow:
    """Facts on one line; on a narrow terminal they go on below, indented."""

    def __init__(self, facts: Iterable[Text], *, gap: str = _GAP) -> None:
        self.facts = tuple(facts)
        self._gap = gap

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        line = _one_line()
        for fact in self.facts:
            gap = self._gap if line else ""
            if line and line.cell_len + len(gap) + fact.cell_len > options.max_width:
                yield line
                line, gap = _one_line(_GAP), ""
            line.append(gap).append(fact)
        yield line

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        whole = sum(fact.cell_len for fact in self.facts) + len(self._gap) * max(0, len(self.facts) - 1)
        return Measurement(max((fact.cell_len for fact in self.facts), default=0), whole)


@dataclass(frozen=True, slots=True)
class FactRow:
    """Facts of one row, and what stands under it."""

    facts: Sequence[Text]
    below: Sequence[Text] = ()
    """What stands under the row, each on lines of its own; prose is broken between words."""


class FactRows:
    """Rows of facts in columns. On a terminal too narrow for all, the last facts of a row go on below."""

    def __init__(self, rows: Iterable[FactRow]) -> None:
        self._rows = tuple(rows)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        widths = self._widths_that_fit(options.max_width)
        for row in self._rows:
            yield _in_columns(row.facts, widths) if widths else Flow(fact for fact in row.facts if fact)
            left = [fact for fact in row.facts[len(widths) :] if fact] if widths else []
            if left:
                yield _below(Flow(left))
            yield from map(_below, row.below)

    def _widths_that_fit(self, most: int) -> list[int]:
        """Return the width of each column that is shown as one; none where not even the first two fit."""
        columns = range(max((len(row.facts) for row in self._rows), default=0))
        widths = [max(row.facts[n].cell_len for row in self._rows if n < len(row.facts)) for n in columns]
        while len(widths) > 1 and sum(widths) + len(_GAP) * (len(widths) - 1) > most:
            widths.pop()
        return widths if len(widths) > 1 else []


def _below(part: RenderableType) -> Padding:
    return Padding(part, (0, 0, 0, len(_GAP)))


def _in_columns(facts: Sequence[Text], widths: Sequence[int]) -> Text:
    line = _one_line()
    for n, (fact, width) in enumerate(zip(facts, widths, strict=False)):
        line.append(_GAP if n else "").append(fact).append(" " * (width - fact.cell_len))
    line.rstrip()
    return line


def _one_line(start: str = "") -> Text:
    return Text(start, overflow="fold")  # a fact wider than the whole terminal is folded rather than cropped
