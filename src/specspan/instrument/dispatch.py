"""Choice by the kind of a function: plain, coroutine, generator or async generator."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


def dispatch(function: Callable[..., Any], *, sync: T, coroutine: T, generator: T, async_generator: T) -> T:
    """Return the value for the kind of ``function``.

    A function counts as what it is itself, and an object as its ``__call__``. To look through decorators, give
    `inspect.unwrap` of it.
    """
    if not inspect.isroutine(function) and not isinstance(function, functools.partial):
        function = getattr(type(function), "__call__", function)  # noqa: B004 - where it is defined, not whether
    if inspect.isasyncgenfunction(function):
        return async_generator
    if inspect.isgeneratorfunction(function):
        return generator
    return coroutine if inspect.iscoroutinefunction(function) else sync


def is_generator_function(function: Callable[..., Any]) -> bool:
    """Return whether ``function`` is a generator function, sync or async."""
    return dispatch(function, sync=False, coroutine=False, generator=True, async_generator=True)
