"""What one framework knows about its own tools and agents: which of its methods runs one, and which one it is.

Like an adapter it is pure functions: what begins and ends, and what decides, is the block's that it names.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, TypeAlias

from specspan._support.guard import contain, guard
from specspan.instrument.adapter import Invocation
from specspan.instrument.blocks import agent, tool_call, workflow
from specspan.instrument.pipeline import active
from specspan.instrument.proxies import ObjectProxy
from specspan.instrument.work_span import ABANDONED, COMPLETED, Body, drive, ending_of
from specspan.instrument.wrapper import Called, Wrapper
from specspan.record.call_end import Ending

Block: TypeAlias = tool_call | agent | workflow


@dataclass(frozen=True, slots=True)
class Activity:
    """Methods of a framework that run a tool, or let an agent work."""

    block: Callable[[Invocation], Block | None]
    """What a call of them is inside of; None: it is left alone. Of generators, an `agent` or a `workflow`."""
    methods: tuple[str, ...]
    """``module:Class.method``, or ``module:function``. Absent ones are skipped, so that other versions work too."""
    package: str
    """The package to be imported."""
    install: str
    """What ``pip install`` takes to provide that package."""
    distribution: str | None = None
    """Whose package it is, where applications are likely to have one of that name, too."""
    within: str = "call"
    """What is inside of the block: the ``call``, which of a generator is its body; what is done in the ``with`` block
    that is returned (``entered``); or what is done between ``start()`` and ``finish()`` of it (``started``)."""
    working: Callable[[Any], asyncio.Future[Any] | None] | None = None
    """Of what a call returns at once, what goes on with the work: the block is over when that is."""
    tracer: Callable[[Invocation], Any | None] | None = None
    """What the framework itself traces a call with, if it does: where its spans go where ours go, the call is left
    alone."""


def wrap_method(activity: Activity, method: Called) -> Wrapper:
    """A `wrapt` wrapper that makes every call of ``method`` inside its block. Only what awaits exists twice."""
    handle = _HANDLES.get(activity.within) or _handle(inspect.unwrap(method))
    if activity.working is not None:
        handle = partial(_track_future, activity.working)

    def wrapper(wrapped: Called, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        block = _block(activity, instance, args, kwargs)
        called = partial(wrapped, *args, **kwargs)
        return called() if block is None else handle(block, called)

    return wrapper


def _handle(method: Any) -> Callable[[Any, partial[Any]], Any]:
    if inspect.isgeneratorfunction(method) or inspect.isasyncgenfunction(method):
        return _generate
    return _call_async if inspect.iscoroutinefunction(method) else _call


def _call(block: Block, called: partial[Any]) -> Any:
    with block:
        return called()


async def _call_async(block: Block, called: partial[Any]) -> Any:
    async with block:
        return await called()


def _generate(block: agent | workflow, called: partial[Any]) -> Any:
    pipeline = block.watched()
    if pipeline is None:
        return called()
    return drive(Body(partial(block.begin, pipeline)), called.func, called.args, called.keywords)


def _track_future(
    working: Callable[[Any], asyncio.Future[Any] | None], block: agent | workflow, called: partial[Any]
) -> Any:
    pipeline = block.watched()
    if pipeline is None:
        return called()
    work = block.begin(pipeline)
    with work.begun():
        result = called()
    goes_on = None
    with guard("instrument.activity"):
        goes_on = working(result)
    if goes_on is None:
        work.end(COMPLETED)
    else:
        goes_on.add_done_callback(lambda done: work.end(_ending_of(done)))
        weakref.finalize(goes_on, work.end, ABANDONED)
    return result


def _ending_of(done: asyncio.Future[Any]) -> Ending:
    return ending_of(asyncio.CancelledError() if done.cancelled() else done.exception())


class _Entered(ObjectProxy):  # type: ignore[misc]  # see there
    """A framework's ``with`` block, sync or async, that is inside of ours."""

    def __init__(self, block: Block, called: partial[Any]) -> None:
        super().__init__(called())
        self._self_block = block

    def __enter__(self) -> Any:
        self._self_block.__enter__()
        try:
            return self.__wrapped__.__enter__()
        except BaseException:
            self._self_block.__exit__(*sys.exc_info())
            raise

    async def __aenter__(self) -> Any:
        await self._self_block.__aenter__()
        try:
            return await self.__wrapped__.__aenter__()
        except BaseException:
            await self._self_block.__aexit__(*sys.exc_info())
            raise

    def __exit__(self, *left: object) -> Any:
        with _Left(self._self_block, left):
            return self.__wrapped__.__exit__(*left)

    async def __aexit__(self, *left: object) -> Any:
        with _Left(self._self_block, left):
            return await self.__wrapped__.__aexit__(*left)


class _Left:
    """Around the leaving of what is inside of a block: then the block is left, by what left the one or the other."""

    def __init__(self, block: Block, left: tuple[Any, ...]) -> None:
        self._block = block
        self._left = left

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._block.__exit__(*((kind, error, tb) if error is not None else self._left))


class _Started(ObjectProxy):  # type: ignore[misc]  # see there
    """A framework's own span: from its start to its finish is inside of the block."""

    def __init__(self, block: Block, called: partial[Any]) -> None:
        super().__init__(called())
        self._self_block = block
        self._self_raised: BaseException | None = None
        self._self_started = False

    def start(self, *args: Any, **kwargs: Any) -> Any:
        with guard("instrument.activity"):
            self._self_raised = sys.exc_info()[1]  # whoever calls may be handling one
            self._self_block.__enter__()
            self._self_started = True
        return self.__wrapped__.start(*args, **kwargs)

    def finish(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return self.__wrapped__.finish(*args, **kwargs)
        finally:
            if self._self_started:
                self._self_started = False
                error = sys.exc_info()[1]  # called in a ``finally``
                left = None if error is self._self_raised else error
                self._self_block.__exit__(None if left is None else type(left), left, None)


_HANDLES: dict[str, Callable[[Any, partial[Any]], Any]] = {"entered": _Entered, "started": _Started}


def _block(activity: Activity, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Block | None:
    pipeline = active()
    if pipeline is None:
        return None
    call = Invocation(instance, args, kwargs)
    try:
        tracer = None if activity.tracer is None else activity.tracer(call)
        return None if tracer is not None and pipeline.recorder.has_same_processor(tracer) else activity.block(call)
    except Exception as error:
        contain("instrument.activity", error)
        return None
