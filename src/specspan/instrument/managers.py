"""A provider's ``with`` block that makes the call when it is entered, as the application knows it.

What is wrapped is the making of the block. Entering it is the call: what is sent may be edited, and then the block is
made anew.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any

from specspan.instrument.adapter import Invocation
from specspan.instrument.proxies import ObjectProxy

Make = Callable[..., Any]
"""The provider's method that makes the block."""


class _Manager(ObjectProxy):  # type: ignore[misc]  # see there
    """The provider's block to ``isinstance`` and in every attribute."""

    def __init__(self, manager: Any, make: Make, asked: Invocation, entered: Callable[[Make], Any]) -> None:
        super().__init__(manager)
        self._self_make = make
        self._self_asked = asked
        self._self_entered = entered

    def _self_made(self, kwargs: dict[str, Any]) -> Any:
        """The block that asks for just this."""
        asked = self._self_asked
        if any(value is not asked.kwargs.get(name) for name, value in kwargs.items()):
            _discard(self.__wrapped__)
            ObjectProxy.__init__(self, self._self_make(*asked.args, **kwargs))
        return self.__wrapped__


class SyncManager(_Manager):
    """A block that is entered with ``with``."""

    def __enter__(self) -> Any:
        return self._self_entered(lambda **kwargs: self._self_made(kwargs).__enter__())

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> Any:
        return self.__wrapped__.__exit__(kind, error, tb)


class AsyncManager(_Manager):
    """A block that is entered with ``async with``."""

    async def __aenter__(self) -> Any:
        entered = False

        def enter(**kwargs: Any) -> Awaitable[Any]:
            nonlocal entered
            entered = True
            made: Awaitable[Any] = self._self_made(kwargs).__aenter__()
            return made

        try:
            return await self._self_entered(enter)
        finally:
            if not entered:
                _discard(self.__wrapped__)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> Any:
        return await self.__wrapped__.__aexit__(kind, error, tb)


def _discard(manager: Any) -> None:
    """Close the coroutine of a request that will not be made, so that nobody is warned of it."""
    for value in vars(manager).values():
        if inspect.iscoroutine(value):
            value.close()
