"""Registries of checks: the kinds a policy file can name, and functions registered with `specspan.check`."""

from __future__ import annotations

import contextlib
import functools
import inspect
import logging
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, TypeVar

from specspan._support import plugins
from specspan.checks.check import CheckFunction, CheckKindModule
from specspan.decision import Stage

F = TypeVar("F", bound=CheckFunction)

_log = logging.getLogger("specspan")
_KINDS = "specspan.checks.kinds"
_functions: dict[str, RegisteredFunction] = {}


@functools.cache
def kinds() -> Mapping[str, CheckKindModule]:
    """Return every kind of check by its key in a policy file.

    They are the modules of `specspan.checks.kinds`, named for their keys and imported when they are asked for, and
    plug-ins behind the entry points ``specspan_checks``. A plug-in does not replace a built-in kind, and a plug-in that
    lacks a member of `CheckKindModule` is left out.
    """
    return _Kinds()


class _Kinds(Mapping[str, CheckKindModule]):
    """Kinds of check: a policy pays for the models and schemas of those that it names."""

    def __init__(self) -> None:
        self._own = plugins.module_names(_KINDS)

    def __getitem__(self, key: str) -> CheckKindModule:
        if key in self._own:
            module: CheckKindModule = import_module(f"{_KINDS}.{key}")
            return module
        return self._plugins[key]

    def __iter__(self) -> Iterator[str]:
        yield from (key for key in self._plugins if key not in self._own)
        yield from self._own

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @functools.cached_property
    def _plugins(self) -> Mapping[str, CheckKindModule]:
        by_key: dict[str, CheckKindModule] = {}
        for name, plugin in plugins.iter_plugins("specspan_checks"):
            if all(hasattr(plugin, attribute) for attribute in ("KIND", "build", "SCHEMA")):
                by_key[plugin.KIND] = plugin
            else:
                _log.warning("plug-in %r of group 'specspan_checks' lacks KIND, build or SCHEMA; it is left out", name)
        return by_key


@dataclass(frozen=True, slots=True)
class RegisteredFunction:
    """Function that decides a clause, with what `check` was told about it."""

    name: str
    function: CheckFunction
    stage: Stage = Stage.OUTPUT
    version: str = "1"
    timeout_s: float | None = 1.0
    """Seconds it may take; None runs it on the caller's thread, without a limit."""


def check(name: str, *, stage: str = "output", version: str = "1", timeout_s: float | None = 1.0) -> Callable[[F], F]:
    """Register a function as the check ``name``, for a policy to name as ``code: <name>``.

    The function is returned as it is, so it can be called and tested by hand. It is called from any thread, several
    at once. A policy takes the function that is registered under the name when the policy is loaded. Registering
    another function under the same name replaces the first, with a warning unless it is the same function defined
    again (a notebook cell, a reload).

    Args:
        name: the name a policy uses.
        stage: when the check runs: ``input``, ``output``, ``tool_call`` or ``stream``.
        version: recorded with every finding; change it when the function decides differently.
        timeout_s: seconds the function may take before its outcome is ``error``. None runs it on the caller's thread,
            without a limit: for quick functions that wait for nothing.

    Raises:
        TypeError: the function is a coroutine function, a generator, or cannot be called.
        ValueError: the stage is unknown, or the time is not positive.
    """
    if callable(name):
        raise TypeError("a check needs a name: write @specspan.check('no_secrets'), not @specspan.check")
    valid_stage, valid_timeout_s = _as_stage(stage), _as_timeout_s(timeout_s)

    def register(function: F) -> F:
        require_plain_function(name, function)
        previous = _functions.get(name)
        if previous is not None and not _is_same_definition(previous.function, function):
            _log.warning(
                "check %r was %s and is now %s", name, _qualified_name(previous.function), _qualified_name(function)
            )
        _functions[name] = RegisteredFunction(name, function, valid_stage, str(version), valid_timeout_s)
        return function

    return register


def registered_functions() -> Mapping[str, RegisteredFunction]:
    """Return every registered function by its name."""
    return dict(_functions)


@contextlib.contextmanager
def isolated_registry() -> Iterator[None]:
    """Empty the registry of functions inside the block and restore it afterwards, for tests."""
    saved = dict(_functions)
    _functions.clear()
    try:
        yield
    finally:
        _functions.clear()
        _functions.update(saved)


def require_plain_function(name: str, function: Any) -> None:
    """Refuse a function whose result could never be a finding: it would be a coroutine or a generator.

    Raises:
        TypeError: the function is asynchronous, a generator function, or cannot be called.
    """
    if not callable(function):
        raise TypeError(f"check {name!r} is {function!r}, which cannot be called; give a function of one ModelCall")
    called = function if inspect.isroutine(function) else type(function).__call__
    if any(is_deferred(each) for is_deferred in _DEFERRED for each in (function, called)):
        raise TypeError(
            f"check {name!r} ({_qualified_name(function)}) is asynchronous or a generator; write a plain function: "
            "specspan runs it in a thread of its own, so it may wait"
        )


_DEFERRED = (inspect.iscoroutinefunction, inspect.isasyncgenfunction, inspect.isgeneratorfunction)


def _as_stage(word: str) -> Stage:
    try:
        return Stage(word)
    except ValueError:
        raise ValueError(f"unknown stage {word!r}; a check runs at one of {', '.join(Stage)}") from None


def _as_timeout_s(seconds: Any) -> float | None:
    if seconds is None:
        return None
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not 0 < seconds < math.inf:
        raise ValueError(f"timeout_s is a positive number of seconds, or None for no limit, not {seconds!r}")
    return float(seconds)


def _is_same_definition(one: CheckFunction, other: CheckFunction) -> bool:
    return one is other or _qualified_name(one) == _qualified_name(other)


def _qualified_name(function: object) -> str:
    return f"{getattr(function, '__module__', '?')}.{getattr(function, '__qualname__', repr(function))}"
