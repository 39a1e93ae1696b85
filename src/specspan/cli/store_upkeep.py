"""Upkeep of a store by the functions that its kind has for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from specspan.cli.terminal import printable
from specspan.errors import EmptyStore, StoreError
from specspan.stores.opening import find_kind, open_store, store_address


def make_or_upgrade(url: str | None, keep_days: int | None) -> None:
    """Make the tables of a store or bring them to the newest version, and print what was done.

    Raises:
        StoreError: the store cannot be reached or changed.
        ConfigurationError: the address names no kind of store that is installed.
    """
    address = store_address(url)
    make: Callable[..., Any] | None = getattr(find_kind(address), "init_store", None)
    if make is None:
        if keep_days is not None:
            raise click.UsageError("Only ClickHouse removes by age itself; run `specspan prune` for this store.")
        click.echo("Nothing to do: this kind of store makes and upgrades its tables with the first record.")
        return
    _print(make(address, keep_days))


def check(url: str | None) -> None:
    """Read a store, and print what it holds.

    Raises:
        StoreError: the store has no tables, cannot be read, or is of a newer version.
        ConfigurationError: the address names no kind of store that is installed.
    """
    address = store_address(url)
    look: Callable[..., Any] | None = getattr(find_kind(address), "check_store", None)
    try:
        if look is not None:
            _print(look(address))
            return
        with open_store(address) as reader:
            decisions = sum(group.calls for group in reader.statistics())
            _print([f"{reader.name}: can be read; {decisions} decisions."])
    except EmptyStore as error:
        raise StoreError(f"{error}".rstrip(". ") + ".") from error


def _print(lines: list[str]) -> None:
    for line in lines:
        click.echo(printable(line))
