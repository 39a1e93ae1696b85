"""What one framework knows about its own tools and agents: which of its methods runs one, and which one it is.

Like an adapter it is pure functions: what begins and ends, and what decides, is the block's that it names.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from specspan.guard import contain
from specspan.instrument.adapter import Invocation
from specspan.instrument.agents import agent, workflow
from specspan.instrument.pipeline import active
from specspan.instrument.tools import tool_call
from specspan.instrument.wrapper import Called, Wrapper

Block: TypeAlias = tool_call | agent | workflow


@dataclass(frozen=True, slots=True)
class Activity:
    """Methods of a framework that run a tool, or let an agent work."""

    block: Callable[[Invocation], Block | None]
    """What a call of them is inside of; None: it is left alone."""
    methods: tuple[str, ...]
    """``module:Class.method``. Absent ones are skipped, so that other versions work too."""
    package: str
    """The package to be imported."""
    install: str
    """What ``pip install`` takes to provide that package."""


def within(activity: Activity, method: Called) -> Wrapper:
    """A `wrapt` wrapper that makes every call of a method inside its block. Only what awaits exists twice."""

    def call(wrapped: Called, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        block = _block(activity, instance, args, kwargs)
        if block is None:
            return wrapped(*args, **kwargs)
        with block:
            return wrapped(*args, **kwargs)

    async def call_async(wrapped: Called, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        block = _block(activity, instance, args, kwargs)
        if block is None:
            return await wrapped(*args, **kwargs)
        async with block:
            return await wrapped(*args, **kwargs)

    return call_async if inspect.iscoroutinefunction(inspect.unwrap(method)) else call


def _block(activity: Activity, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Block | None:
    if active() is None:
        return None
    try:
        return activity.block(Invocation(instance, args, kwargs))
    except Exception as error:
        contain("instrument.activity", error)
        return None
