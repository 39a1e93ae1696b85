"""The table of the peer suites, for the terminal and for `docs/compatibility.md`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tools.peer_suites.comparison import Difference, Row
from tools.peer_suites.suite import ROOT

PAGE = ROOT / "docs" / "compatibility.md"
BEGIN, END = "<!-- begin: make peer-suites -->\n", "<!-- end -->\n"
_HEAD = (
    "| package | mode | passing without | worse | meant | better | spans | failures of specspan |",
    "|---|---|---:|---:|---:|---:|---:|---:|",
)
_ROW = re.compile(r"^\| (\S+) [^|]+ \| (\w+) \|")
_WORSE = re.compile(r"^- worse in (\S+), ")


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of the table in Markdown."""
    yield from _HEAD
    yield from map(table_row, rows)


def table_row(row: Row) -> str:
    """Return the line of one suite in one mode."""
    cells = (row.passed_without, len(row.worse), len(row.meant), row.better, row.spans, row.failures)
    return f"| {row.suite} {row.version} | {row.mode} | {' | '.join(f'{cell:,}' for cell in cells)} |"


def names(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the tests that are worse, and the modes without a span."""
    for row in rows:
        yield from (f"- worse in {row.suite}, {row.mode}: `{test}`" for test in row.worse)
        if not row.spans:
            yield f"- no span in {row.suite}, {row.mode}"


def write_page(rows: Sequence[Row], differences: Sequence[Difference], order: Sequence[str]) -> None:
    """Put the table into the page, in the order of the suites; what it says of suites that were not run stays."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    section, _, after = rest.partition(END)
    written = "\n".join((*_section(section.splitlines(), rows, order), *_meant(differences)))
    PAGE.write_text(f"{before}{BEGIN}{written}\n{END}{after}", encoding="utf-8")


def _section(old: Sequence[str], rows: Sequence[Row], order: Sequence[str]) -> Iterator[str]:
    new = {row.suite for row in rows}
    kept = [(match[1], line) for line in old if (match := _ROW.match(line)) and match[1] not in new]
    lines = kept + [(row.suite, table_row(row)) for row in rows]
    yield from _HEAD
    yield from (line for _, line in sorted(lines, key=lambda each: order.index(each[0])))
    worse = [line for line in old if (match := _WORSE.match(line)) and match[1] not in new]
    worse += names(rows)
    if worse:
        yield from ("", *worse)


def _meant(differences: Sequence[Difference]) -> Iterator[str]:
    if differences:
        yield ""
    for each in differences:
        yield f"- meant in {each.suite}, {', '.join(each.modes) or 'every mode'}: `{each.test}`: {each.reason}"
