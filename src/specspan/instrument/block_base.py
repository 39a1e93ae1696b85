"""Base of every ``with`` block that is a decorator, too, and the running of functions inside such a block.

A block describes; each of its uses is an object of its own. ``with block:`` makes one use, and so does every call of a
function that the block decorates, or that a framework makes.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeAlias, TypeVar, cast

from specspan._support.collected import when_collected
from specspan.instrument.dispatch import dispatch, is_generator_function
from specspan.instrument.generators import ABANDONED, GeneratorBody, drive, name_after, start_async_generator
from specspan.instrument.replacements import Function, Wrapper, replace
from specspan.record.call_end import Ending

F = TypeVar("F", bound=Callable[..., Any])


class BlockUse:
    """One use of a block: entered before the work, left after it."""

    __slots__ = ()

    def __enter__(self) -> None:
        raise NotImplementedError

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        raise NotImplementedError

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, tb)

    def end(self, ending: Ending) -> None:
        """End the use without leaving it: a generator leaves its block wherever its last turn runs."""
        raise NotImplementedError


UseMaker: TypeAlias = Callable[[Function, Any, tuple[Any, ...], dict[str, Any]], "BlockUse | None"]
"""Makes the use for one call; None: the call is left alone."""
UseRunner: TypeAlias = Callable[[Any, Function, tuple[Any, ...], dict[str, Any]], Any]
"""Makes one call inside a use."""


class Block:
    """``with`` block, sync or async, that is a decorator of functions, too."""

    _takes_generators = False

    def new_use(self) -> BlockUse | None:
        """Return a use of the block that starts here; None where the work inside is left alone."""
        raise NotImplementedError

    def _use_for_call(
        self, function: Function, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> BlockUse | None:
        return self.new_use()

    def __enter__(self) -> None:
        self._use = use = self.new_use()
        if use is not None:
            use.__enter__()

    async def __aenter__(self) -> None:
        self._use = use = self.new_use()
        if use is not None:
            await use.__aenter__()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._use is not None:
            self._use.__exit__(kind, error, tb)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._use is not None:
            await self._use.__aexit__(kind, error, tb)

    def __call__(self, function: F) -> F:
        """Return ``function`` with every call of it inside the block.

        Raises:
            TypeError: it is a class or not callable; or a generator function, of a block that has to be entered at one
                moment: use ``with`` in its body.
        """
        plain = plain_function(function)
        if is_generator_function(plain) and not self._takes_generators:
            raise TypeError(f"{plain.__qualname__!r} is a generator function: use 'with' inside its body")
        return decorate(function, wrap_inside(self._use_for_call, runner_for(plain)))


def wrap_inside(use_for_call: UseMaker, run: UseRunner) -> Wrapper:
    """Return a wrapper that makes every call inside a use of its own."""

    def wrapper(wrapped: Function, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        use = use_for_call(wrapped, instance, args, kwargs)
        return wrapped(*args, **kwargs) if use is None else run(use, wrapped, args, kwargs)

    return wrapper


def runner_for(function: Function) -> UseRunner:
    """Return what runs the calls of ``function`` inside a block, by the kind of function."""
    return dispatch(
        function, sync=_run, coroutine=_run_coroutine, generator=_run_generator, async_generator=_run_generator
    )


def _run(use: BlockUse, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    with use:
        return function(*args, **kwargs)


def _run_coroutine(use: BlockUse, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    async def run_inside() -> Any:
        async with use:
            return await function(*args, **kwargs)

    return name_after(function, run_inside())


def _run_generator(use: BlockUse, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return drive(_BlockBody(use), function, args, kwargs)


class _BlockBody(GeneratorBody):
    """Generator body inside a block, which is entered with the first turn and ended with the last."""

    __slots__ = ("_entered", "_use")

    def __init__(self, use: BlockUse) -> None:
        super().__init__()
        self._use = use
        self._entered = False

    def send(self, value: Any) -> Any:
        with self:
            return self.body.send(value)

    def throw(self, error: BaseException) -> Any:
        self.consumer.throws(error)
        with self:
            return self.body.throw(error)

    async def asend(self, value: Any) -> Any:
        first = not self._entered
        with self:
            return await (start_async_generator(self.body) if first else self.body.asend(value))

    async def athrow(self, error: BaseException) -> Any:
        self.consumer.throws(error)
        with self:
            return await self.body.athrow(error)

    def __enter__(self) -> None:
        if not self._entered:
            self._use.__enter__()
            self._entered = True
            # an async generator that outlives its event loop is never closed: its frame just goes, and this with it
            when_collected(self, self._use.end, ABANDONED)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if error is not None:
            self._use.end(self.consumer.ending(error))


def plain_function(function: Any) -> Any:
    """Return the function inside a static or class method, or ``function`` itself.

    Raises:
        TypeError: it is a class, or not callable.
    """
    plain = getattr(function, "__func__", function)
    if isinstance(plain, type) or not callable(plain):
        raise TypeError(f"cannot decorate {plain!r}: decorate functions, or the methods of a class")
    return plain


def decorate(function: F, wrapper: Wrapper) -> F:
    """Return ``function`` with every call of it made by ``wrapper``."""
    return cast(F, replace(function, wrapper))
