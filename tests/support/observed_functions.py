"""Functions of every kind, decorated where the process is one with specspan and plain where it is one without."""

from __future__ import annotations

import functools
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
WITH = "IDENTITY_WITH_SPECSPAN"
"""Variable that is set in the process with specspan."""


def decorators() -> dict[str, Callable[[Any], Any]]:
    """Return every decorator there is, by name; without specspan, all of them change nothing."""
    names = ("observe", "observe_model", "tool_call", "agent", "workflow", "context", "override", "revoke")
    if WITH not in os.environ:
        return dict.fromkeys(names, lambda function: function)
    import specspan

    made = (
        specspan.observe,
        specspan.observe(model="m"),
        specspan.tool_call("t"),
        specspan.agent("a"),
        specspan.workflow("w"),
        specspan.context(user="u"),
        specspan.override("clause", by="user", reason="test"),
        specspan.revoke("clause", by="user", reason="test"),
    )
    return dict(zip(names, made, strict=True))


def plain(question: str, /, times: int = 1, *, loud: bool = False) -> str:
    """Answer a question."""
    return (question.upper() if loud else question) * times


def attributed(number: int) -> int:
    return number + 1


attributed.short_description = "adds"  # type: ignore[attr-defined]


@functools.wraps(plain)
def wrapping(*args: Any, **kwargs: Any) -> str:
    return plain(*args, **kwargs)


async def coroutine(number: int) -> int:
    return number + 1


def generator(count: int = 2) -> Iterator[str]:
    yield from map(str, range(count))


async def async_generator(count: int = 2) -> AsyncIterator[str]:
    for number in range(count):
        yield str(number)


FUNCTIONS: dict[str, Any] = {
    "plain": plain,
    "attributed": attributed,
    "wrapping": wrapping,
    "coroutine": coroutine,
    "generator": generator,
    "async_generator": async_generator,
    "partial": functools.partial(plain, times=2),
    "cached": functools.lru_cache(attributed),
    "c_function": len,
    "block": contextmanager(generator),
    "async_block": asynccontextmanager(async_generator),
}
"""Functions of every kind, by name."""


def method_owner(decorate: Callable[[Any], Any]) -> type:
    """Return a class whose methods of every kind are decorated."""

    class Desk:
        def __init__(self, name: str = "front") -> None:
            self.name = name

        @decorate
        def answer(self, question: str) -> str:
            return question + self.name

        @decorate
        async def wait(self) -> Desk:
            return self

        @decorate
        @classmethod
        def of(cls, name: str) -> Desk:
            return cls(name)

        @staticmethod
        @decorate
        def sign(text: str) -> str:
            return text + "!"

    Desk.__qualname__ = "Desk"
    return Desk
