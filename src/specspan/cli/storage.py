"""What the commands that read the SQLite file share: options, opening it, finding one thing by the start of its id."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import click
from rich.table import Table
from rich.text import Text

from specspan.cli.terminal import OUTCOMES, console, print_json, since
from specspan.decision import Verdict
from specspan.errors import StoreError
from specspan_exporter_sqlite import Filter, Reader, SQLiteStoreError
from specspan_exporter_sqlite.errors import MissingFile

Command = TypeVar("Command", bound=Callable[..., Any])

NOTHING_YET = "Run `specspan demo` or a program with a policy, or name another file with --db or SPECSPAN_DB"


class Listing(click.Group):
    """A group whose command ``list`` needs no name: ``specspan traces --since 1h``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``list`` before anything that is neither another command nor a cry for help."""
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


def reading(command: Command) -> Command:
    """Add ``--db`` and ``--json``."""
    path = click.Path(path_type=Path, dir_okay=False)
    where = "The SQLite file.  [default: SPECSPAN_DB, else specspan.db]"
    command = click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command)
    return click.option("--db", type=path, help=where)(command)


def filtering(command: Command) -> Command:
    """Add the options that `wanted` turns into a filter."""
    for option in reversed(_FILTERS):
        command = option(command)
    return command


def wanted(options: dict[str, Any]) -> Filter:
    """The filter that the options of `filtering` name."""
    return Filter(since_unix_nano=options.pop("since"), **options)


@contextmanager
def opened(db: Path | None) -> Iterator[Reader]:
    """The file, open for reading.

    Raises:
        StoreError: there is none, nothing is in it, or it cannot be read; the message says what to do.
    """
    try:
        with Reader(db) as reader:
            yield reader
    except MissingFile as error:
        raise StoreError(f"{error.path}: {error.problem}. {NOTHING_YET}") from error
    except SQLiteStoreError as error:
        raise StoreError(str(error)) from error


def one(kind: str, prefix: str, found: Sequence[str], listing: str) -> str:
    """The only id of those found by its beginning.

    Raises:
        ClickException: there is none, or several.
    """
    if len(found) == 1:
        return found[0]
    if prefix in found:
        return prefix
    if not found:
        raise click.ClickException(f"no {kind} begins with {prefix!r}; `{listing}` lists them")
    raise click.ClickException(f"several {kind}s begin with {prefix!r}: {', '.join(found)}; write more of it")


def _since(_context: click.Context, _parameter: click.Parameter, text: str | None) -> int | None:
    try:
        return None if text is None else since(text, time.time_ns())
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


_FILTERS = (
    click.option("--clause", metavar="ID", help="With a finding about this clause."),
    click.option("--outcome", type=click.Choice(OUTCOMES), help="With a finding of this outcome."),
    click.option("--verdict", type=click.Choice([verdict.value for verdict in Verdict]), help="With this verdict."),
    click.option("--service", metavar="NAME", help="Of this service."),
    click.option("--since", metavar="WHEN", callback=_since, help="An age (15m, 2h, 7d) or a date (2026-11-01)."),
    click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many."),
)


# MERGED listing: Lists: a table for people, plain columns for pipes, JSON for programs, one line when there is
# nothing to list.


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
