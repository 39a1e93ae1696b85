"""Choice of a store by its address: ``SPECSPAN_DB`` is a path, or a URL whose scheme names the kind of store."""

from __future__ import annotations

import os
import re
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, cast

from specspan._support import plugins
from specspan.errors import ConfigurationError, MissingDependency, Problem

if TYPE_CHECKING:  # whoever decorates functions does not pay for a store
    from specspan.stores.protocols import StoreKind, StoreReader
    from specspan.stores.transactions import Transactions

DEFAULT = "specspan.db"
"""Address where none is given."""
_URL = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*)://")
_EXTRAS = {"clickhouse": "clickhouse", "postgres": "postgres", "postgresql": "postgres"}
"""Extras that bring the kinds of other distributions, by scheme."""


def store_address(db: str | os.PathLike[str] | None = None) -> str:
    """Return the address of a store: ``db``, else ``SPECSPAN_DB``, else ``specspan.db`` in the current folder."""
    return os.fspath(db) if db is not None else os.environ.get("SPECSPAN_DB", "").strip() or DEFAULT


def keep_address(db: str | os.PathLike[str] | None) -> None:
    """Keep the store that `specspan.configure` was given, for whoever asks for the application's; None for none."""
    _configured[:] = [] if db is None else [absolute_address(os.fspath(db))]


def application_address(db: str | os.PathLike[str] | None = None) -> str:
    """Return the address of the application's store: ``db``, else that of `keep_address`, else `store_address`."""
    return _configured[0] if db is None and _configured else store_address(db)


_configured: list[str] = []


def url_scheme(address: str) -> str | None:
    """Return the scheme of a URL in lower case; None for a path."""
    match = _URL.match(address)
    return match[1].lower() if match else None


def find_kind(address: str) -> StoreKind:
    """Return the kind of store that an address names.

    Raises:
        MissingDependency: the kind comes with an extra that is not installed.
        ConfigurationError: the scheme is unknown.
    """
    scheme = url_scheme(address)
    own = [cast("StoreKind", module) for module in plugins.iter_modules("specspan.stores.kinds")]
    if scheme is None:
        return next(kind for kind in own if kind.NAME == "sqlite")
    for kind in own:
        if scheme in kind.SCHEMES:
            return kind
    for _, kind in plugins.iter_plugins("specspan_stores", scheme):
        return cast("StoreKind", kind)
    source = f"store {scheme}://…"
    if scheme in _EXTRAS:
        raise MissingDependency(source, Problem("is not installed", f"Run: pip install 'specspan[{_EXTRAS[scheme]}]'"))
    remedy = "Set SPECSPAN_DB to a path, to sqlite:///PATH, postgresql://HOST/DATABASE or clickhouse://HOST/DATABASE."
    raise ConfigurationError(source, Problem(f"unknown scheme {scheme!r}", remedy))


def kind_name(address: str) -> str:
    """Return the name of the kind of store that an address names; for a file nothing is imported.

    Raises:
        ConfigurationError: as `find_kind`.
    """
    return "sqlite" if url_scheme(address) in (None, "sqlite") else find_kind(address).NAME


def absolute_address(address: str) -> str:
    """Return an address that means the same in every folder; links in a path stay links."""
    scheme = url_scheme(address)
    if scheme is None:
        return os.path.abspath(address)  # noqa: PTH100 - resolve() would follow links
    start = f"{scheme}:///"
    if scheme != "sqlite" or not address.startswith(start):
        return address
    return start + os.path.abspath(address.removeprefix(start))  # noqa: PTH100


def open_store(db: str | os.PathLike[str] | None = None) -> AbstractContextManager[StoreReader]:
    """Open the store of `store_address` for reading, until the block ends.

    Raises:
        EmptyStore: nothing was ever recorded in it.
        StoreError: it cannot be read; the message says what to do.
        ConfigurationError: the address names no kind of store that is installed.
    """
    address = store_address(db)
    return find_kind(address).open_reader(address)


def open_transactions(db: str | os.PathLike[str] | None = None) -> Transactions:
    """Return the short transactions of the store of `store_address`; the first one opens it.

    Raises:
        ConfigurationError: the address names no kind of store that is installed.
    """
    address = store_address(db)
    return find_kind(address).open_transactions(address)
