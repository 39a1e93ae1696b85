"""Methods of frameworks that run tools or let agents work, each of them inside a block of ours.

Like an adapter, an `Activity` is pure functions: the block that it names starts and ends the span, and decides.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any, Literal

from specspan._support.collected import when_collected
from specspan._support.guard import contain, guard
from specspan.instrument.adapter import Invocation
from specspan.instrument.block_base import Block, BlockUse, UseRunner, runner_for, wrap_inside
from specspan.instrument.gate import active
from specspan.instrument.generators import ABANDONED, COMPLETED, ending_of
from specspan.instrument.proxies import ObjectProxy
from specspan.instrument.replacements import Function, Wrapper
from specspan.instrument.work_span import WorkSpan
from specspan.record.call_end import Ending


@dataclass(frozen=True, slots=True)
class Activity:
    """Methods of a framework that run a tool, or let an agent work."""

    block: Callable[[Invocation], Block | None]
    """The block for a call of one of them; None: the call is left alone. Of generators, an `agent` or a `workflow`."""
    methods: tuple[str, ...]
    """``module:Class.method``, or ``module:function``. Absent ones are skipped, so that other versions work too."""
    package: str
    """The package to be imported."""
    install: str
    """What ``pip install`` takes to provide that package."""
    distribution: str | None = None
    """The distribution of the package, where applications are likely to have another package of its name."""
    extent: Literal["call", "entered", "started"] = "call"
    """Work inside the block: the ``call``, which of a generator is its body; the ``with`` block that is returned
    (``entered``); or from ``start()`` to ``finish()`` of the object that is returned (``started``)."""
    task: Callable[[Any], asyncio.Future[Any] | None] | None = None
    """The task that goes on with the work, by what a call returns at once: the block ends with it."""
    tracer: Callable[[Invocation], Any | None] | None = None
    """The tracer with which the framework itself traces a call, if it does: where its spans go where ours go, the call
    is left alone."""


def wrap_method(activity: Activity, method: Function) -> Wrapper:
    """Return a wrapper that makes every call of a framework's method inside its block."""
    run: UseRunner
    if activity.task is not None:
        run = partial(_track_future, activity.task)
    elif activity.extent == "entered":
        run = partial(_stand_in, _EnteredBlock)
    elif activity.extent == "started":
        run = partial(_stand_in, _StartedSpan)
    else:
        run = runner_for(inspect.unwrap(method))
    return wrap_inside(partial(_use_for_call, activity), run)


def _use_for_call(
    activity: Activity, function: Function, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> BlockUse | None:
    pipeline = active()
    if pipeline is None:
        return None
    invocation = Invocation(instance, args, kwargs)
    try:
        tracer = None if activity.tracer is None else activity.tracer(invocation)
        if tracer is not None and pipeline.recorder.has_same_processor(tracer):
            return None
        block = activity.block(invocation)
        return None if block is None else block.new_use()
    except Exception as error:
        contain("instrument.activity", error)
        return None


def _track_future(
    task_of: Callable[[Any], asyncio.Future[Any] | None],
    span: WorkSpan,
    function: Function,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Make a call that starts a task, and end the span with that task."""
    with span.starting():
        result = function(*args, **kwargs)
    task = None
    with guard("instrument.activity"):
        task = task_of(result)
    if task is None:
        span.end(COMPLETED)
    else:
        task.add_done_callback(lambda done: span.end(_future_ending(done)))
        when_collected(task, span.end, ABANDONED)
    return result


def _future_ending(done: asyncio.Future[Any]) -> Ending:
    return ending_of(asyncio.CancelledError() if done.cancelled() else done.exception())


def _stand_in(
    template: Callable[[Any, BlockUse], Any],
    use: BlockUse,
    function: Function,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    """Make a call, and return what stands in for its result."""
    return template(function(*args, **kwargs), use)


class _EnteredBlock(ObjectProxy):
    """A framework's ``with`` block, sync or async, inside a block of ours."""

    def __init__(self, made: Any, use: BlockUse) -> None:
        ObjectProxy.__init__(self, made)
        self._self_use = use

    def __enter__(self) -> Any:
        self._self_use.__enter__()
        try:
            return self._self_wrapped.__enter__()
        except BaseException:
            self._self_use.__exit__(*sys.exc_info())
            raise

    async def __aenter__(self) -> Any:
        await self._self_use.__aenter__()
        try:
            return await self._self_wrapped.__aenter__()
        except BaseException:
            await self._self_use.__aexit__(*sys.exc_info())
            raise

    def __exit__(self, *error_info: object) -> Any:
        with _Leaving(self._self_use, error_info):
            return self._self_wrapped.__exit__(*error_info)

    async def __aexit__(self, *error_info: object) -> Any:
        with _Leaving(self._self_use, error_info):
            return await self._self_wrapped.__aexit__(*error_info)


class _Leaving:
    """Leaving of a framework's block: ours is left after it, by the error of its exit or else of its body."""

    def __init__(self, use: BlockUse, error_info: tuple[Any, ...]) -> None:
        self._use = use
        self._error_info = error_info

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._use.__exit__(*((kind, error, tb) if error is not None else self._error_info))


class _StartedSpan(ObjectProxy):
    """A framework's own span, with a block of ours from its start to its finish."""

    def __init__(self, made: Any, use: BlockUse) -> None:
        ObjectProxy.__init__(self, made)
        self._self_use = use
        self._self_handled: BaseException | None = None
        self._self_started = False

    def start(self, *args: Any, **kwargs: Any) -> Any:
        with guard("instrument.activity"):
            self._self_handled = sys.exc_info()[1]  # whoever calls may be handling one
            self._self_use.__enter__()
            self._self_started = True
        return self._self_wrapped.start(*args, **kwargs)

    def finish(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return self._self_wrapped.finish(*args, **kwargs)
        finally:
            if self._self_started:
                self._self_started = False
                error = sys.exc_info()[1]  # called in a ``finally``
                raised = None if error is self._self_handled else error
                self._self_use.__exit__(None if raised is None else type(raised), raised, None)
