"""Reading of the store: options of commands, one record by the start of its id, and lists of records."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, Generic, TypeVar

import click
from rich.text import Text

from specspan.cli.list_table import ListTable
from specspan.cli.terminal import OUTCOMES, clean, console, json_text, list_width, parse_since, print_json, print_pages
from specspan.decision import Verdict
from specspan.errors import EmptyStore, StoreError
from specspan.sqlite.model import Filter
from specspan.stores.opening import open_store
from specspan.stores.protocols import StoreReader

NEWEST = Filter(limit=1)
"""Filter that finds the newest record alone."""

Command = TypeVar("Command", bound=Callable[..., Any])
Item = TypeVar("Item")
Record = Mapping[str, Any]

_FOLLOWED = 1000
"""Number of the latest records that are looked through for new ones."""
_FOLLOW_INTERVAL_S = 0.5
_FOLLOW_REST = 4.0
"""Number of times that a look took, for which no other follows."""
_FEW = 8
"""Number of names that a hint lists at most."""
REMEDY = "Run `specspan demo` or a program with a policy, or name another store with --db or SPECSPAN_DB"


class ListGroup(click.Group):
    """Command group whose command ``list`` needs no name: ``specspan traces --since 1h``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put ``list`` before anything that is neither another command nor a cry for help."""
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = ["list", *args]
        return super().parse_args(ctx, args)


db_option = click.option(
    "--db", metavar="FILE|URL", help="The SQLite file, or a database's URL.  [default: SPECSPAN_DB, else specspan.db]"
)
"""Option ``db``: the address of the store, or None."""


def store_options(command: Command) -> Command:
    """Add ``--db`` and ``--json``."""
    return db_option(click.option("--json", "as_json", is_flag=True, help="Print JSON.")(command))


def filter_options(command: Command) -> Command:
    """Add the options that `show_list` filters by."""
    for option in reversed(_FILTER_OPTIONS):
        command = option(command)
    return command


def parse_when(_context: click.Context, _parameter: click.Parameter, text: str | None) -> int | None:
    """Return the time that an option names, in nanoseconds since 1970; None where it is not given.

    Raises:
        BadParameter: the text is neither an age nor a date.
    """
    try:
        return None if text is None else parse_since(text, time.time_ns())
    except ValueError as error:
        raise click.BadParameter(str(error)) from error


since_option = click.option(
    "--since", metavar="WHEN", callback=parse_when, help="An age (15m, 2h, 7d) or a date (2026-11-01)."
)
"""Option ``since``: the earliest time, in nanoseconds since 1970, or None."""

follow_option = click.option(
    "--follow", is_flag=True, help="Then print new ones as they come, the newest last, until interrupted."
)
"""Option ``follow`` of a list."""

_FILTER_OPTIONS = (
    click.option("--clause", metavar="ID", help="With a finding about this clause."),
    click.option("--outcome", type=click.Choice(OUTCOMES), help="With a finding of this outcome."),
    click.option("--verdict", type=click.Choice([verdict.value for verdict in Verdict]), help="With this verdict."),
    click.option("--service", metavar="NAME", help="Of this service."),
    since_option,
    click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most so many."),
)


@contextmanager
def open_reader(db: str | None) -> Iterator[StoreReader]:
    """Open the store for reading.

    Raises:
        StoreError: the store is absent or empty, or cannot be read; the message says what to do.
    """
    try:
        with open_store(db) as reader:
            yield reader
    except EmptyStore as error:
        raise StoreError(f"{error}. {REMEDY}") from error


def require_one(noun: str, prefix: str | None, ids: Sequence[str], list_command: str) -> str:
    """Return the only id that begins with a prefix, or the one that is equal to it.

    Args:
        noun: the name of the thing in a message, such as ``trace``.
        prefix: the start of the id, as the user wrote it; None for the newest.
        ids: every id that begins with the prefix.
        list_command: the command that lists all ids.

    Raises:
        ClickException: there is none, or several.
        StoreError: the newest is asked for, and nothing was recorded.
    """
    if len(ids) == 1:
        return ids[0]
    if prefix is None:
        raise StoreError(f"no {noun}s in the file yet. {REMEDY}")
    if prefix in ids:
        return prefix
    if not ids:
        raise click.ClickException(f"no {noun} begins with {prefix!r}; `{list_command}` lists them")
    raise click.ClickException(f"several {noun}s begin with {prefix!r}: {', '.join(ids)}; write more of it")


@dataclass(frozen=True, slots=True)
class Listing(Generic[Item]):
    """Kind of item that `show_list` lists, and how its items are read and shown."""

    plural: str
    """Its name in a sentence, such as ``traces``."""
    read: Callable[[StoreReader, Filter], Sequence[Item]]
    to_json: Callable[[Item], dict[str, Any]]
    to_table: Callable[[Sequence[Item], StoreReader], ListTable]
    """All of them, a row each."""
    id_of: Callable[[Item], str]
    time_of: Callable[[Item], int]
    """Its time in nanoseconds since 1970."""
    grows: bool = False
    """True where an item may be read in parts: it is followed once it stays the same from one look to the next."""
    late_ns: int = 10 * 10**9
    """Time by which an item may come later than another that is of a later time."""


def show_list(listing: Listing[Any], db: str | None, *, as_json: bool, **options: Any) -> None:
    """Read items and print them as a table or as JSON; the options are those of `store_options` and `filter_options`.

    Raises:
        StoreError: the file cannot be read, or has no item of the kind at all.
    """
    filter_ = Filter(since_unix_nano=options.pop("since"), **options)
    with open_reader(db) as reader:
        items = listing.read(reader, filter_)
        hints = [] if items else list(_hints(filter_, reader))
        if as_json:
            print_json([listing.to_json(item) for item in items])
            click.echo("".join(f"{hint}\n" for hint in hints), nl=False, err=True)
        elif not items and filter_ == Filter(limit=filter_.limit):
            raise StoreError(f"{reader.name}: no {listing.plural} in it yet. {REMEDY}")
        elif not items:
            console().print(Text("\n".join((f"No {listing.plural} match.", *hints))), soft_wrap=True)
        else:
            _print_table(listing.to_table(items, reader), filter_.limit)


def follow_list(listing: Listing[Item], db: str | None, *, as_json: bool, **options: Any) -> None:
    """Print items as `show_list` does, the newest last, and go on with new ones; as JSON, a line each.

    Raises:
        StoreError: the file cannot be read.
    """
    filter_ = Filter(since_unix_nano=options.pop("since"), **options)
    with open_reader(db) as reader:
        window = _latest(listing, filter_, listing.read(reader, replace(filter_, limit=1)))
        before = {listing.id_of(item): item for item in listing.read(reader, window)}
        new = listing.read(reader, filter_)
        seen = {*before, *map(listing.id_of, new)}
        has_header, took_s = False, 0.0
        while True:
            ordered = list(reversed(new))
            if as_json:
                click.echo("".join(f"{json_text(listing.to_json(item), None)}\n" for item in ordered), nl=False)
            elif ordered:
                lines = list(listing.to_table(ordered, reader).lines(list_width(console())))
                print_pages(console(), *lines[has_header:], paged=False)
                has_header = True
            time.sleep(max(_FOLLOW_INTERVAL_S, _FOLLOW_REST * took_s))
            start_s = time.monotonic()
            latest = {listing.id_of(item): item for item in listing.read(reader, window)}
            new = [
                item
                for id_, item in latest.items()
                if id_ not in seen and (not listing.grows or before.get(id_) == item)
            ]
            seen = (seen & latest.keys()) | set(map(listing.id_of, new))
            before, took_s = latest, time.monotonic() - start_s
            window = _latest(listing, window, list(latest.values()))


def _latest(listing: Listing[Item], filter_: Filter, items: Sequence[Item]) -> Filter:
    """Return a filter of what is at most a few seconds older than the latest item: some are written late."""
    since = filter_.since_unix_nano or 0
    newest = max((listing.time_of(item) - listing.late_ns for item in items), default=since)
    return replace(filter_, since_unix_nano=max(since, newest), limit=_FOLLOWED)


def _hints(filter_: Filter, reader: StoreReader) -> Iterator[str]:
    """Yield a sentence for each name in a filter that nothing in the file has, with those it may be meant for."""
    for noun, name, read in (("clause", filter_.clause, reader.clauses), ("service", filter_.service, reader.services)):
        if name is not None and name not in (names := read()):
            close = get_close_matches(name, names, cutoff=0.5)
            meant = f"Did you mean {' or '.join(close)}?" if close else f"It has {', '.join(names[:_FEW]) or 'none'}."
            yield clean(f"No {noun} {name!r} is in the file. {meant}")


def _print_table(table: ListTable, limit: int) -> None:
    out = console()
    lines = list(table.lines(list_width(out)))
    if table.row_count == limit and out.is_terminal:
        lines.append(Text(f"The latest {limit}; --limit shows more.", "dim"))
    print_pages(out, *lines)
