"""The table of the peer suites, for the terminal and for `docs/compatibility.md`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from tools.peer_suites.comparison import Difference, Row
from tools.peer_suites.run import MODES
from tools.peer_suites.suite import ROOT

PAGE = ROOT / "docs" / "compatibility.md"
BEGIN, END = "<!-- begin: make peer-suites -->\n", "<!-- end -->\n"
_HEAD = (
    "| package | mode | passing without | worse | meant | better | spans | failures of specspan | commit |",
    "|---|---|---:|---:|---:|---:|---:|---:|---|",
)
_ROW = re.compile(r"^\| (\S+) ([^|]+) \| (\w+) \|")
_NAMED = re.compile(r"^- (?:worse|no span) in (\S+) ([^,]+), (\w+)")
_PART = " (part)"


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the lines of the table in Markdown."""
    yield from _HEAD
    yield from map(table_row, rows)


def table_row(row: Row) -> str:
    """Return the line of one suite in one mode."""
    cells = (row.passed_without, len(row.worse), len(row.meant), row.better, row.spans, row.failures)
    return f"| {row.suite} {row.version} | {row.mode} | {' | '.join(f'{cell:,}' for cell in cells)} | {row.commit} |"


def names(rows: Sequence[Row]) -> Iterator[str]:
    """Yield the tests that are worse, and the modes without a span."""
    for row in rows:
        yield from (f"- worse in {row.suite} {row.version}, {row.mode}: `{test}`" for test in row.worse)
        if not row.spans:
            yield f"- no span in {row.suite} {row.version}, {row.mode}"


def write_page(rows: Sequence[Row], differences: Sequence[Difference], order: Sequence[str]) -> None:
    """Put the table into the page, in the order of the suites; what it says of suites and modes not run now stays.

    A run of the whole suite stays beside a later one of a part of it.
    """
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    section, _, after = rest.partition(END)
    written = "\n".join((*_section(section.splitlines(), rows, order), *_meant(differences)))
    PAGE.write_text(f"{before}{BEGIN}{written}\n{END}{after}", encoding="utf-8")


def _section(old: Sequence[str], rows: Sequence[Row], order: Sequence[str]) -> Iterator[str]:
    kept = [(match[1], match[3], line) for line in old if (match := _ROW.match(line)) and not _is_replaced(match, rows)]
    lines = kept + [(row.suite, row.mode, table_row(row)) for row in rows]
    modes = tuple(MODES)
    yield from _HEAD
    yield from (line for *_, line in sorted(lines, key=lambda each: (order.index(each[0]), modes.index(each[1]))))
    named = [line for line in old if (match := _NAMED.match(line)) and not _is_replaced(match, rows)]
    named += names(rows)
    if named:
        yield from ("", *named)


def _is_replaced(match: re.Match[str], rows: Sequence[Row]) -> bool:
    """Return True if one of the rows says what a line said before: the same suite and mode, and no less of it."""
    suite, version, mode = match.groups()
    return any(row.suite == suite and row.mode == mode and row.version != f"{version}{_PART}" for row in rows)


def _meant(differences: Sequence[Difference]) -> Iterator[str]:
    if differences:
        yield ""
    for each in differences:
        yield f"- meant in {each.suite}, {', '.join(each.modes) or 'every mode'}: `{each.test}`: {each.reason}"
