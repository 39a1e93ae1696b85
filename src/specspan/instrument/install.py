"""``instrument()`` and ``uninstrument()``: which clients and frameworks are met, and when."""

from __future__ import annotations

import sys
from collections.abc import Container, Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import partial
from importlib.metadata import distribution
from importlib.util import find_spec
from operator import attrgetter
from types import ModuleType
from typing import Any, TypeAlias

import wrapt

from specspan._support import plugins
from specspan._support.guard import guard
from specspan._support.process import ForkedLock, Undo
from specspan.errors import ConfigurationError, MissingDependency, Problem
from specspan.instrument.adapter import Adapter
from specspan.instrument.coexistence import share_spans
from specspan.instrument.framework_methods import Activity, wrap_method
from specspan.instrument.gate import lift_after_shutdown
from specspan.instrument.patches import PROCESS_PATCHES, find_method, is_mock, is_replaced, wrap_in_place
from specspan.instrument.reimports import ReimportFinder
from specspan.instrument.replacements import Function, Wrapper
from specspan.instrument.threads import propagate_to_threads
from specspan.instrument.wrapper import wrap_client_method

_PROVIDERS = "specspan.instrument.providers"
_FRAMEWORKS = "specspan.instrument.frameworks"
_PLUGINS = "specspan_providers"
Instrumentation: TypeAlias = "Adapter | Activity"
"""Methods of a client, or of a framework, and what to make of their calls."""
_Method: TypeAlias = "tuple[Instrumentation, Any, str]"
"""What to make of the calls of a method, the class or module that defines it, and its name there."""

_SHARED_SPANS = "shared spans"
_THREADS = "threading"
"""Name for the propagation into threads, which is no client."""

_lock = ForkedLock()  # reentrant, for a signal's handler that imports
"""Held for nothing that may import: another thread may meet a client, and wait for the lock, while it imports."""
_undos: dict[str, list[Undo]] = {}
"""By the name of what is instrumented."""
_wrapped: dict[str, set[tuple[Any, str]]] = {}
"""By the same name, owner and name of every method that is wrapped. A client that is imported again has others."""
_awaited: set[str] = set()
"""Providers whose clients are instrumented whenever the application imports them."""
_parts: dict[str, tuple[Instrumentation, ...]] = {}
"""By provider, what it instruments, as it was registered when `instrument` was called last."""
_packages: dict[str, set[str]] = {}
"""By package, the providers whose clients it has."""
_places: dict[str, dict[tuple[str, Instrumentation, str], bool]] = {}
"""By module, each method to be replaced there, by provider, adapter or activity, and path; and whether it was found."""
_import_hooks: set[tuple[str, str]] = set()
"""Provider and package of every import hook that waits. Hooks are never taken back: they ask `_awaited`."""


def instrument(*names: str) -> None:
    """Do what `specspan.instrument` says."""
    known: dict[str, tuple[Instrumentation, ...]] = {_THREADS: (), **dict(_registered())}
    for name in names:
        _check_name(name, known)
    if names:
        _instrument(names, known)
    else:
        _instrument((_THREADS,), known)
    for name in names or known:
        _instrument_on_import(name, known[name])


def uninstrument() -> None:
    """Do what `specspan.uninstrument` says."""
    with _lock.held:
        for undos in _undos.values():
            for undo in reversed(undos):
                undo()
        _undos.clear()
        _wrapped.clear()
        _awaited.clear()
        _places.clear()
        _finder.forget()
        if _finder in sys.meta_path:
            sys.meta_path.remove(_finder)
    lift_after_shutdown()


def _instrument(names: Iterable[str], known: Mapping[str, tuple[Instrumentation, ...]]) -> None:
    for place in PROCESS_PATCHES:
        find_method(place)
    found = {name: tuple(_find_methods(name, known[name])) for name in names}
    with _lock.held:
        if _SHARED_SPANS not in _undos:
            _undos[_SHARED_SPANS] = [share_spans()]
        for name, methods in found.items():
            if name != _THREADS:
                _undos.setdefault(name, []).extend(_wrap_methods(name, methods))
            elif name not in _undos:
                _undos[name] = [propagate_to_threads()]


def _instrument_on_import(name: str, parts: tuple[Instrumentation, ...]) -> None:
    _awaited.add(name)
    _parts[name] = parts
    for part in parts:
        for method in part.methods:
            _note_place(name, part, method)
    packages = {part.package for part in parts if part.package is not None}
    if parts and not packages:
        _instrument((name,), {name: parts})
    for package in packages:
        _packages.setdefault(package, set()).add(name)
        _hook_import(name, package)
    if packages and _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)  # in front of the finder of `wrapt`, which was put there by the first hook


def _hook_import(name: str, package: str) -> None:
    """Have a client instrumented after the next import of its package, or now where the package is imported."""
    if package in sys.modules or (name, package) not in _import_hooks:
        _import_hooks.add((name, package))
        wrapt.register_post_import_hook(partial(_on_import, name, package), package)


def _on_import(name: str, package: str, module: object) -> None:
    """Instrument a client as part of an import of the application's, which nothing of ours may break."""
    _import_hooks.discard((name, package))
    with guard("instrument.on_import"):
        if name in _awaited and all(map(_is_installed, _parts[name])):
            _instrument((name,), _parts)


def _set_hooks_again(name: str) -> None:
    """Set the hooks of a package that is about to be imported: `wrapt` calls a hook once."""
    if name in _packages and name not in sys.modules:
        for provider in _packages[name] & _awaited:
            _hook_import(provider, name)


def _meet_again(known: str, module: ModuleType) -> None:
    """Replace the methods of a client's module that was executed again, or is a copy of a known one."""
    is_copy = module.__name__ != known
    met: Container[str] = (
        _awaited if is_copy else _undos
    )  # of a client that is imported first, all methods are replaced after that
    for (name, part, path), was_found in tuple(_places.get(known, {}).items()):
        if name not in met:
            continue
        owner_path, _, attribute = path.rpartition(".")
        try:
            owner: Any = attrgetter(owner_path)(module) if owner_path else module
            vars(owner)[attribute]
        except (AttributeError, ImportError, KeyError):
            if was_found and not is_copy:
                _finder.count_unmet(module.__name__)
            continue
        with _lock.held:
            if name in met and not is_replaced(vars(owner)[attribute]):
                _undos.setdefault(name, []).append(_wrap(name, part, owner, attribute))


_finder: Any = ReimportFinder(_set_hooks_again, _meet_again)


def _registered() -> Iterator[tuple[str, tuple[Instrumentation, ...]]]:
    """Yield every provider and framework by name: a module here, or one that other distributions registered."""
    for module in plugins.iter_modules(_PROVIDERS):
        yield module.__name__.rpartition(".")[2], tuple(module.ADAPTERS)
    for module in plugins.iter_modules(_FRAMEWORKS):
        yield module.__name__.rpartition(".")[2], tuple(module.ACTIVITIES)
    for name, plugin in plugins.iter_plugins(_PLUGINS):
        yield name, tuple(plugin.ADAPTERS)


def _check_name(name: str, known: Iterable[str]) -> None:
    if name not in known:
        names = sorted(known)
        near = get_close_matches(name, names, n=1)
        remedy = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(names)}."
        raise ConfigurationError("instrument()", Problem(f"unknown provider {name!r}", remedy))


def _is_installed(part: Instrumentation) -> bool:
    if part.package is None:
        return True
    try:
        if isinstance(part, Activity) and part.distribution is not None:
            distribution(part.distribution)
        return find_spec(part.package) is not None
    except ModuleNotFoundError:  # of what it is in, or of the distribution
        return False


def _find_methods(name: str, parts: tuple[Instrumentation, ...]) -> Iterator[_Method]:
    """Import a client, and yield every method that this version of it has.

    Raises:
        MissingDependency: the client is not installed.
    """
    for part in parts:
        if not _is_installed(part):
            raise _missing_dependency(name, part)
    for part in parts:
        for method in part.methods:
            owner, attribute = find_method(method)
            if owner is not None and not is_mock(vars(owner)[attribute]):
                _note_place(name, part, method, owner)
                yield part, owner, attribute


def _missing_dependency(name: str, part: Instrumentation) -> MissingDependency:
    problem = Problem(f"{name!r} needs the package {part.package!r}", f"pip install '{part.install}'")
    return MissingDependency("instrument()", problem)


def _wrap_methods(name: str, methods: Iterable[_Method]) -> Iterator[Undo]:
    """Wrap every method that is not wrapped yet, and yield what undoes it."""
    for part, owner, attribute in methods:
        if (owner, attribute) not in _wrapped.get(name, ()):
            yield _wrap(name, part, owner, attribute)


def _wrap(name: str, part: Instrumentation, owner: Any, attribute: str) -> Undo:
    _wrapped.setdefault(name, set()).add((owner, attribute))
    return wrap_in_place(owner, attribute, partial(_wrapper_for, part), id(part))


def _note_place(name: str, part: Instrumentation, method: str, owner: Any = None) -> None:
    """Note the modules that a method is found in, for when they are executed again. None: it was not looked for."""
    module, _, path = method.partition(":")
    for each in {module, getattr(owner, "__module__", module)}:
        noted = _places.setdefault(each, {})
        noted[name, part, path] = owner is not None or noted.get((name, part, path), False)
        _finder.watch(each)


def _wrapper_for(part: Instrumentation, method: Function) -> Wrapper:
    return wrap_method(part, method) if isinstance(part, Activity) else wrap_client_method(part, method)
