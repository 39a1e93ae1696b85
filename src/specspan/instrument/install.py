"""Putting the wrapper around the methods of providers' clients, and taking it away again."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from importlib.metadata import distribution
from importlib.util import find_spec
from operator import attrgetter
from typing import Any, TypeAlias

import wrapt

from specspan._support import plugins
from specspan._support.guard import guard
from specspan.errors import ConfigurationError, MissingDependency, Problem
from specspan.instrument.adapter import Adapter
from specspan.instrument.block_base import Wrapper
from specspan.instrument.coexistence import share_spans
from specspan.instrument.framework_methods import Activity, wrap_method
from specspan.instrument.threads import propagate_to_threads
from specspan.instrument.wrapper import wrap_client_method

# MERGED patching: Putting a wrapper around a method where it is defined, and taking just that one away again.


Undo: TypeAlias = Callable[[], None]


def find_method(method: str) -> tuple[Any, str]:
    """The class that defines a method, or the module a function; None where this version of the client has none."""
    module, _, path = method.partition(":")
    owner_path, _, attribute = path.rpartition(".")
    try:
        found = import_module(module)
        owner = attrgetter(owner_path)(found) if owner_path else found
    except (ImportError, AttributeError):
        return None, attribute
    return (owner if attribute in vars(owner) else None), attribute


_FunctionWrapper: Any = wrapt.FunctionWrapper
"""Generic to type checkers, and not yet in its oldest version."""


class _MethodWrapper(_FunctionWrapper):  # type: ignore[misc]  # see there
    """A wrapper of ours. Out of use it passes through, wherever somebody still holds it."""

    def __init__(self, wrapped: Any, wrapper: Callable[..., Any]) -> None:
        in_use = [True]
        super().__init__(wrapped, wrapper, enabled=lambda: bool(in_use))
        self._self_in_use = in_use


def wrap(owner: Any, attribute: str, make: Callable[[Any], Callable[..., Any]]) -> Undo:
    """Wrap a method in what ``make`` makes for it. Returns what takes that away again, from under others, too."""
    _drop_unused(owner, attribute)
    outer, original = _innermost(owner, attribute)
    wrapper = _MethodWrapper(original, make(original))
    if outer is None:
        setattr(owner, attribute, wrapper)
    else:
        outer.__wrapped__ = wrapper

    def undo() -> None:
        wrapper._self_in_use.clear()  # somebody may hold it where it cannot be taken away
        if vars(owner).get(attribute) is wrapper:
            setattr(owner, attribute, wrapper.__wrapped__)
        for each in (outer, *_wrappers(owner, attribute)):
            if each is not None and each.__wrapped__ is wrapper:
                each.__wrapped__ = wrapper.__wrapped__

    return undo


def _wrappers(owner: Any, attribute: str) -> Iterator[Any]:
    """Those around a method, from outside."""
    found = vars(owner).get(attribute)
    while isinstance(found, wrapt.FunctionWrapper):
        yield found
        found = found.__wrapped__


def _drop_unused(owner: Any, attribute: str) -> None:
    """Take away what somebody who had kept it has put back after it was taken away."""
    while isinstance(found := vars(owner)[attribute], _MethodWrapper) and not found._self_in_use:
        setattr(owner, attribute, found.__wrapped__)


def _innermost(owner: Any, attribute: str) -> tuple[Any, Any]:
    """The wrapper of somebody else's that holds the client's own method, and that method.

    Below every other wrapper, what passes is what the client made, and a span of theirs around it is current.
    """
    wrappers = list(_wrappers(owner, attribute))
    return (wrappers[-1], wrappers[-1].__wrapped__) if wrappers else (None, vars(owner)[attribute])


_PACKAGE = "specspan.instrument.providers"
_FRAMEWORKS = "specspan.instrument.frameworks"
_PLUGINS = "specspan_providers"
Met: TypeAlias = "Adapter | Activity"

_TRACERS = "OpenTelemetry's own"
_THREADS = "threading"
"""Not a client: what is said of work holds in the threads it starts."""

_lock = threading.Lock()
_installed: dict[str, list[Undo]] = {}
_on_import: set[str] = set()
"""Providers whose clients are to be met when they are imported."""
_hooked: set[tuple[str, str]] = set()
"""Of which imports word is given already, and for which providers: that is never taken back."""


def instrument(*names: str) -> None:
    """Have the calls of model clients met: those named, or every supported one as soon as the application imports it.

    ``"threading"``, which is no client, has what `context` and `override` say hold in threads and thread pools, too.

    A client's methods are wrapped where they are defined, so that clients made before are met too. Instrumenting what
    is instrumented already changes nothing. A client that is named is imported; without names, none is that the
    application does not import.

    Raises:
        MissingDependency: a client that is named is not installed.
        ConfigurationError: a name is no provider's.
    """
    known: dict[str, tuple[Met, ...]] = {_THREADS: (), **dict(_providers())}
    for name in names:
        _refuse_unknown(name, known)
    if names:
        _instrument(names, known)
    else:
        _instrument((_THREADS,), known)
        for name, adapters in known.items():
            _instrument_on_import(name, adapters)


def _instrument(names: Iterable[str], known: Mapping[str, tuple[Met, ...]]) -> None:
    for name in names:
        _import(known[name])  # before the lock is taken: an import in another thread may be waiting for it
    with _lock:
        if _TRACERS not in _installed:
            _installed[_TRACERS] = [share_spans()]
        for name in names:
            missing = [adapter for adapter in known[name] if not _present(adapter)]
            if missing:
                raise _missing(name, missing[0])
            if name not in _installed:
                _installed[name] = [propagate_to_threads()] if name == _THREADS else list(_installing(known[name]))


def _instrument_on_import(name: str, adapters: tuple[Met, ...]) -> None:
    _on_import.add(name)
    packages = {adapter.package for adapter in adapters if adapter.package is not None}
    if adapters and not packages:
        instrument(name)
    for package in packages:
        if package in sys.modules or (name, package) not in _hooked:
            _hooked.add((name, package))
            wrapt.register_post_import_hook(partial(_imported, name), package)


def _imported(name: str, module: object) -> None:
    """Part of an import of the application's, which nothing of ours may break."""
    with guard("instrument.on_import"):
        if name in _on_import and all(map(_present, dict(_providers())[name])):
            instrument(name)


def uninstrument() -> None:
    """Put every wrapped method back as it was."""
    with _lock:
        for undos in _installed.values():
            for undo in reversed(undos):
                undo()
        _installed.clear()
        _on_import.clear()


def _providers() -> Iterator[tuple[str, tuple[Met, ...]]]:
    """Every provider and framework by name: a module here, or what other distributions registered."""
    for module in plugins.iter_modules(_PACKAGE):
        yield module.__name__.rpartition(".")[2], tuple(module.ADAPTERS)
    for module in plugins.iter_modules(_FRAMEWORKS):
        yield module.__name__.rpartition(".")[2], tuple(module.ACTIVITIES)
    for name, plugin in plugins.iter_plugins(_PLUGINS):
        yield name, tuple(plugin.ADAPTERS)


def _refuse_unknown(name: str, known: Iterable[str]) -> None:
    if name not in known:
        names = sorted(known)
        near = get_close_matches(name, names, n=1)
        remedy = f"Did you mean {near[0]!r}?" if near else f"There are: {', '.join(names)}."
        raise ConfigurationError("instrument()", Problem(f"no provider is called {name!r}", remedy))


def _present(adapter: Met) -> bool:
    if adapter.package is None:
        return True
    try:
        if isinstance(adapter, Activity) and adapter.distribution is not None:
            distribution(adapter.distribution)
        return find_spec(adapter.package) is not None
    except ModuleNotFoundError:  # of what it is in, or of the distribution
        return False


def _import(adapters: Iterable[Met]) -> None:
    if all(map(_present, adapters)):
        for method in {method for adapter in adapters for method in adapter.methods}:
            find_method(method)


def _missing(name: str, adapter: Met) -> MissingDependency:
    problem = Problem(f"{name!r} needs the package {adapter.package!r}", f"pip install '{adapter.install}'")
    return MissingDependency("instrument()", problem)


def _installing(adapters: Iterable[Met]) -> Iterator[Undo]:
    """Wrap every method there is."""
    wrapped = set()
    for adapter in adapters:
        for method in adapter.methods:
            owner, attribute = find_method(method)
            if owner is not None and (owner, attribute) not in wrapped:
                wrapped.add((owner, attribute))
                yield wrap(owner, attribute, partial(_around, adapter))


def _around(met: Met, method: Any) -> Wrapper:
    """What is to be around a method."""
    return wrap_method(met, method) if isinstance(met, Activity) else wrap_client_method(met, method)
