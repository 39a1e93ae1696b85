"""`specspan prune`: removal of old decisions and spans, with what was removed on record."""

from __future__ import annotations

import getpass
import platform
from collections.abc import Iterator, Mapping
from typing import Any

import click
from rich.text import Text

from specspan.cli.storage import REMEDY, open_reader, parse_when, store_options
from specspan.cli.terminal import clean, console, format_local, format_utc, plural, print_json
from specspan.errors import EmptyStore, StoreError
from specspan.sqlite.model import Pruning
from specspan.stores.opening import find_kind, store_address

_FACTS = (
    *("by", "first_unix_nano", "last_unix_nano", "kept_policies"),
    *("size_before_bytes", "size_after_bytes", "problem"),
)
_KINDS = {"decision": "decision", "finding": "finding", "span": "span", "policy": "policy record", "record": "record"}


@click.command("prune")
@click.option(
    "--older-than", "before", metavar="WHEN", callback=parse_when, help="An age (90d) or a date (2026-11-01)."
)
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option("--history", is_flag=True, help="Only show what was removed before, by whom and when.")
@store_options
def command(before: int | None, db: str | None, *, dry_run: bool, history: bool, as_json: bool) -> None:
    """Remove decisions and spans that are older than WHEN, also while programs write, and give the space back.

    What was removed stays on record: how much of each kind, of which time, by whom and when. Policy records stay as
    long as a decision names them. The ledger is not touched.
    """
    if history:
        _show_history(db, as_json=as_json)
        return
    if before is None:
        raise click.UsageError("Say what goes with --older-than, such as --older-than 90d.")
    address = store_address(db)
    kind = find_kind(address)
    try:
        pruning = (kind.preview_pruning if dry_run else kind.prune)(address, before, _who())
    except EmptyStore as error:
        raise StoreError(f"{error}. {REMEDY}") from error
    if as_json:
        facts = {name: getattr(pruning, name) for name in _FACTS}
        print_json({"dry_run": dry_run, "before": format_utc(before), "removed": dict(pruning.removed), **facts})
        return
    for line in _summary(pruning, dry_run=dry_run):
        console().print(Text(line), soft_wrap=True)


def _who() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user that has no name
        user = "unknown"
    return f"{user}@{platform.node()}"


def _summary(pruning: Pruning, *, dry_run: bool) -> Iterator[str]:
    removed = _counts(pruning.removed)
    limit = format_local(pruning.before_unix_nano)
    if not removed:
        yield f"Nothing is older than {limit}."
    else:
        yield f"{'Would remove' if dry_run else 'Removed'} {removed}, from before {limit}."
    if removed and pruning.first_unix_nano is not None and pruning.last_unix_nano is not None:
        yield f"From {format_local(pruning.first_unix_nano)} to {format_local(pruning.last_unix_nano)}."
    if pruning.kept_policies:
        yield f"{plural(pruning.kept_policies, 'policy record')} kept."
    if not dry_run:
        yield _space(pruning)


def _counts(removed: Mapping[str, int]) -> str:
    return ", ".join(plural(removed[kind], noun) for kind, noun in _KINDS.items() if removed.get(kind))


def _space(pruning: Pruning) -> str:
    if pruning.problem is not None:
        return f"The space was not given back: {clean(pruning.problem)}"
    before, after = (f"{size / 1e6:,.1f} MB" for size in (pruning.size_before_bytes, pruning.size_after_bytes))
    return f"The store takes {after}; before, it was {before}."


def _show_history(db: str | None, *, as_json: bool) -> None:
    with open_reader(db) as reader:
        records = reader.prunings()
    if as_json:
        print_json([dict(record) for record in records])
    elif not records:
        console().print(Text("Nothing was ever removed."))
    else:
        for record in records:
            console().print(Text(_line(record)), soft_wrap=True)


def _line(record: Mapping[str, Any]) -> str:
    removed = _counts(record["removed"])
    when, limit = format_local(record["time_unix_nano"]), format_local(record["before_unix_nano"])
    return f"{when}  {clean(record['by'])}  removed {removed}, from before {limit}"
