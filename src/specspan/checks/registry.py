"""The kinds of check a policy file can name, found by registration."""

from __future__ import annotations

import contextlib
import functools
import inspect
import logging
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias, TypeVar

from specspan._support import plugins
from specspan.call import ModelCall
from specspan.checks.check import CheckKindModule
from specspan.decision import Finding, Stage

_log = logging.getLogger("specspan")


@functools.cache
def kinds() -> Mapping[str, CheckKindModule]:
    """Every kind by its key in a policy file: the modules of `specspan.checks.kinds`, and plug-ins behind the entry
    points ``specspan_checks``. A plug-in does not replace a kind of our own, and one that is no kind is left out.
    """
    found: dict[str, CheckKindModule] = {}
    for name, plugin in plugins.iter_plugins("specspan_checks"):
        if all(hasattr(plugin, attribute) for attribute in ("KIND", "build", "SCHEMA")):
            found[plugin.KIND] = plugin
        else:
            _log.warning("plug-in %r of group 'specspan_checks' lacks KIND, build or SCHEMA; it is left out", name)
    found.update((module.KIND, module) for module in plugins.iter_modules("specspan.checks.kinds"))
    return MappingProxyType(found)


# MERGED code: Checks written as functions: `specspan.check` registers one, a policy file names it.


CheckFunction: TypeAlias = Callable[[ModelCall], Finding | bool | None]
"""True complied, False violated, None not applicable, or a `Finding` that says more."""
F = TypeVar("F", bound=CheckFunction)

_log_code = logging.getLogger("specspan")
_registered: dict[str, CodeCheck] = {}


@dataclass(frozen=True, slots=True)
class CodeCheck:
    """A function and what was said about it when it was registered."""

    name: str
    function: CheckFunction
    stage: Stage = Stage.OUTPUT
    version: str = "1"
    timeout_s: float | None = 1.0
    """Time it may take; None runs it on the caller's thread, unlimited."""


def check(name: str, *, stage: str = "output", version: str = "1", timeout_s: float | None = 1.0) -> Callable[[F], F]:
    """Register a function as the check ``name``, for a policy to name as ``code: <name>``.

    The function is returned as it is, so it can be called and tested by hand. It is called from any thread, several
    at once. Policies take the function that stands under the name when they are loaded; registering another one under
    the same name replaces it, with a warning unless it is the same function defined again (a notebook cell, a reload).

    Args:
        name: the name a policy uses.
        stage: when it looks: ``input``, ``output``, ``tool_call`` or ``stream``.
        version: recorded with every finding; change it when the function decides differently.
        timeout_s: time it may take before its outcome is ``error``. None runs it on the caller's thread, unlimited:
            for quick functions that wait for nothing.

    Raises:
        TypeError: the function is a coroutine function, a generator, or nothing that can be called.
        ValueError: there is no such stage, or the time is not positive.
    """
    if callable(name):
        raise TypeError("a check needs a name: write @specspan.check('no_secrets'), not @specspan.check")
    looks_at, limit_s = _as_stage(stage), _as_timeout_s(timeout_s)

    def register(function: F) -> F:
        refuse_unusable(name, function)
        known = _registered.get(name)
        if known is not None and not _same_place(known.function, function):
            _log_code.warning("check %r was %s and is now %s", name, _place(known.function), _place(function))
        _registered[name] = CodeCheck(name, function, looks_at, str(version), limit_s)
        return function

    return register


def registered() -> Mapping[str, CodeCheck]:
    """Every registered function by its name."""
    return dict(_registered)


@contextlib.contextmanager
def isolated() -> Iterator[None]:
    """For tests: what is registered inside is forgotten afterwards, and nothing registered before is seen inside."""
    kept = dict(_registered)
    _registered.clear()
    try:
        yield
    finally:
        _registered.clear()
        _registered.update(kept)


def refuse_unusable(name: str, function: Any) -> None:
    """Refuse what could never decide: its result would be a coroutine or a generator, not a finding.

    Raises:
        TypeError: it is asynchronous, a generator function or nothing that can be called.
    """
    if not callable(function):
        raise TypeError(f"check {name!r} is {function!r}, which cannot be called; give a function of one ModelCall")
    called = function if inspect.isroutine(function) else type(function).__call__
    if any(test(each) for test in _DEFERRED for each in (function, called)):
        raise TypeError(
            f"check {name!r} ({_place(function)}) is asynchronous or a generator; write a plain function: "
            "specspan runs it in a thread of its own, so it may wait"
        )


_DEFERRED = (inspect.iscoroutinefunction, inspect.isasyncgenfunction, inspect.isgeneratorfunction)


def _as_stage(word: str) -> Stage:
    try:
        return Stage(word)
    except ValueError:
        raise ValueError(f"{word!r} is no stage; a check looks at one of {', '.join(Stage)}") from None


def _as_timeout_s(seconds: Any) -> float | None:
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds < math.inf:
        raise ValueError(f"timeout_s is a positive number of seconds, or None for no limit, not {seconds!r}")
    return float(seconds)


def _same_place(one: CheckFunction, other: CheckFunction) -> bool:
    return one is other or _place(one) == _place(other)


def _place(function: object) -> str:
    return f"{getattr(function, '__module__', '?')}.{getattr(function, '__qualname__', repr(function))}"
