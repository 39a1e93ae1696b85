"""Discovery of parts by registration: modules of one package, and entry points of other distributions.

Adding a provider, a reader, a kind of check or a command is adding one module; no list names it.
"""

from __future__ import annotations

import logging
import pkgutil
import sys
from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

_log = logging.getLogger("specspan")


def iter_modules(package: str, word: str = "") -> Iterator[Any]:
    """Yield every public module directly inside ``package``, imported, in the order of names.

    Args:
        package: the dotted name of the package.
        word: only modules with this among the words of their names, as ``spec_show`` has ``show``; empty: all.
    """
    for name in module_names(package):
        if not word or f"_{word}_" in f"_{name}_":
            yield import_module(f"{package}.{name}")


def module_names(package: str) -> list[str]:
    """Return the names of the public modules directly inside ``package``, sorted; none of them is imported."""
    names = sorted(info.name for info in pkgutil.iter_modules(import_module(package).__path__))
    return [name for name in names if not name.startswith("_")]


def entry_points(group: str) -> metadata.EntryPoints:
    """Return the entry points of a group; a file of each distribution is read anew only if the import path changed."""
    return _read_entry_points(group, tuple(map(_changed_at, sys.path)))


def iter_plugins(group: str, name: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every object that other distributions registered under an entry-point ``group``, with its name.

    A plug-in that cannot be imported is logged and left out, so that it harms no other.

    Args:
        group: the name of the group.
        name: only objects of this name; empty: all.
    """
    registered = entry_points(group)
    for entry_point in registered.select(name=name) if name else registered:
        try:
            yield entry_point.name, entry_point.load()
        except Exception as error:  # whatever somebody else's module does on import
            _log.warning("plug-in %r of group %r could not be loaded: %s", entry_point.name, group, error)


@lru_cache(maxsize=64)
def _read_entry_points(group: str, _path: tuple[tuple[str, int], ...]) -> metadata.EntryPoints:
    return metadata.entry_points(group=group)


def _changed_at(folder: str) -> tuple[str, int]:
    """Return a folder of the import path, and when something was added to it or removed, in ns; 0 if nobody knows."""
    try:
        return folder, Path(folder).stat().st_mtime_ns
    except OSError:
        return folder, 0
