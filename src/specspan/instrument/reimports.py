"""Modules of clients that are imported again: after they left ``sys.modules``, by a reload, or under another name.

A client may also be copied into another package by a tool that keeps its name, or be loaded from its own files under
another name by a host of plug-ins. Each module that is executed so has new classes, whose methods are not replaced yet.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from specspan._support import drop_counts
from specspan._support.guard import guard

_log = logging.getLogger("specspan")


class ReimportFinder:
    """Finder that finds what the other finders do, and tells of the modules of clients that were executed again."""

    def __init__(
        self, before_import: Callable[[str], None], after_execution: Callable[[str, ModuleType], None]
    ) -> None:
        """Make a finder.

        Args:
            before_import: called with the name of every module that is about to be imported.
            after_execution: called with the name of a known module, and the module that was executed from its source.
        """
        self._before_import = before_import
        self._after_execution = after_execution
        self._known: dict[str, set[str]] = {}
        self._searched: set[tuple[int, str]] = set()
        """What each thread looks for by way of the other finders, which may ask this one again."""
        self._is_logged = False

    def watch(self, module: str) -> None:
        """Tell of executions of a module from now on."""
        self._known.setdefault(module.rpartition(".")[2], set()).add(module)

    def forget(self) -> None:
        """Tell of nothing any more."""
        self._known.clear()
        self._is_logged = False

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return the spec of a known module that is executed again, made by the finder that finds it; else None."""
        self._before_import(name)
        candidates = self._known.get(name.rpartition(".")[2])
        search = threading.get_ident(), name
        if not candidates or search in self._searched:
            return None
        self._searched.add(search)
        try:
            spec = _find_elsewhere(self, name, path, target)
            if spec is not None:
                with guard("instrument.reimports"):
                    self._follow(spec, tuple(candidates))
            return spec
        finally:
            self._searched.discard(search)

    def _follow(self, spec: ModuleSpec, candidates: tuple[str, ...]) -> None:
        known = next((each for each in candidates if _is_copy(spec, each)), None)
        if known is None:
            return
        loader: Any = spec.loader
        try:
            execute = loader.exec_module

            def execute_once(module: ModuleType) -> None:
                del loader.exec_module
                execute(module)
                with guard("instrument.reimports"):
                    self._after_execution(known, module)

            loader.exec_module = execute_once
        except AttributeError:  # a loader that cannot be followed
            self.count_unmet(spec.name)

    def count_unmet(self, name: str) -> None:
        """Count a module of a client whose calls are not met, and log the first one."""
        drop_counts.count("client", "imported_again")
        if not self._is_logged:
            self._is_logged = True
            _log.warning("%s was imported again, and its calls are not met (see docs/instrumentation.md)", name)


def _find_elsewhere(finder: object, name: str, path: Any, target: ModuleType | None) -> ModuleSpec | None:
    for each in sys.meta_path:
        find = None if each is finder else getattr(each, "find_spec", None)
        spec: ModuleSpec | None = None if find is None else find(name, path, target)
        if spec is not None:
            return spec
    return None


def _is_copy(spec: ModuleSpec, known: str) -> bool:
    """Return whether a module is a known one, a copy of it below another package, or made of the same file."""
    if spec.name == known or ("." in known and spec.name.endswith(f".{known}")):
        return True
    origin = getattr(getattr(sys.modules.get(known), "__spec__", None), "origin", None)
    return origin is not None and origin == spec.origin
