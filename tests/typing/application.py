"""An application that decorates functions of every kind, for type checkers: `tools/type_checkers.py`.

Lines of two come in pairs: the first reveals the type of something plain, the second of the same, decorated.
"""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Generic, ParamSpec, TypeVar, overload

from typing_extensions import reveal_type

import specspan

T = TypeVar("T")
P = ParamSpec("P")


def plain(question: str, /, *more: int, style: str = "short", **rest: bool) -> list[str]:
    raise NotImplementedError


async def plain_async(question: str) -> dict[str, int]:
    raise NotImplementedError


def plain_generator(question: str) -> Iterator[bytes]:
    raise NotImplementedError


async def plain_async_generator(question: str) -> AsyncIterator[bytes]:
    yield b""


def plain_generic(value: T, make: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> tuple[T, T]:
    raise NotImplementedError


@overload
def plain_overloaded(value: int) -> str: ...
@overload
def plain_overloaded(value: str) -> int: ...
def plain_overloaded(value: int | str) -> int | str:
    raise NotImplementedError


observed = specspan.observe(plain)
observed_async = specspan.observe(plain_async)
observed_generator = specspan.observe(plain_generator)
observed_async_generator = specspan.observe(plain_async_generator)
observed_generic = specspan.observe(plain_generic)
observed_overloaded = specspan.observe(plain_overloaded)
named = specspan.observe(model="m", provider="own")(plain)
as_named_tool = specspan.tool_call("ask")(plain)
as_agent = specspan.agent("support")(plain_async)
in_workflow = specspan.workflow("nightly")(plain_generator)
in_context = specspan.context(user="u")(plain)
in_override = specspan.override("clause", by="developer", reason="tests")(plain_async)
in_revoke = specspan.revoke("clause", by="developer", reason="tests")(plain)

reveal_type(plain)
reveal_type(observed)
reveal_type(plain_async)
reveal_type(observed_async)
reveal_type(plain_generator)
reveal_type(observed_generator)
reveal_type(plain_async_generator)
reveal_type(observed_async_generator)
reveal_type(plain_generic)
reveal_type(observed_generic)
reveal_type(plain_overloaded)
reveal_type(observed_overloaded)
reveal_type(plain)
reveal_type(named)
reveal_type(plain)
reveal_type(as_named_tool)
reveal_type(plain_async)
reveal_type(as_agent)
reveal_type(plain_generator)
reveal_type(in_workflow)
reveal_type(plain)
reveal_type(in_context)
reveal_type(plain_async)
reveal_type(in_override)
reveal_type(plain)
reveal_type(in_revoke)


class Plain(Generic[T]):
    def __init__(self, value: T) -> None:
        raise NotImplementedError

    def method(self, question: str, *, limit: int = 3) -> T:
        raise NotImplementedError

    async def async_method(self, question: str) -> T:
        raise NotImplementedError

    def generator(self) -> Iterator[T]:
        raise NotImplementedError

    @classmethod
    def of(cls, value: T) -> Plain[T]:
        raise NotImplementedError

    @staticmethod
    def static(value: int) -> str:
        raise NotImplementedError

    @property
    def name(self) -> str:
        raise NotImplementedError

    @name.setter
    def name(self, value: str) -> None:
        raise NotImplementedError


class Named(Generic[T]):
    def __init__(self, value: T) -> None:
        raise NotImplementedError

    @specspan.observe
    def method(self, question: str, *, limit: int = 3) -> T:
        raise NotImplementedError

    @specspan.observe
    async def async_method(self, question: str) -> T:
        raise NotImplementedError

    @specspan.workflow("w")
    def generator(self) -> Iterator[T]:
        raise NotImplementedError

    @classmethod
    @specspan.observe
    def of(cls, value: T) -> Named[T]:
        raise NotImplementedError

    @staticmethod
    @specspan.tool_call("static")
    def static(value: int) -> str:
        raise NotImplementedError

    @property
    @specspan.observe
    def name(self) -> str:
        raise NotImplementedError

    @name.setter
    @specspan.observe
    def name(self, value: str) -> None:
        raise NotImplementedError


reveal_type(Plain(1).method)
reveal_type(Named(1).method)
reveal_type(Plain(1).async_method)
reveal_type(Named(1).async_method)
reveal_type(Plain(1).generator())
reveal_type(Named(1).generator())
reveal_type(Plain[int].method)
reveal_type(Named[int].method)
reveal_type(Plain[int].of(1))
reveal_type(Named[int].of(1))
reveal_type(Plain[int].static)
reveal_type(Named[int].static)
reveal_type(Plain(1).name)
reveal_type(Named(1).name)
reveal_type(Plain[int].name)
reveal_type(Named[int].name)


@specspan.observe
def observed_hook(value: int) -> str:
    raise NotImplementedError


def plain_hook(value: int) -> str:
    raise NotImplementedError


@dataclasses.dataclass
class PlainFields:
    hook: Callable[[int], str] = plain_hook
    hooks: list[Callable[[int], str]] = dataclasses.field(default_factory=lambda: [plain_hook])


@dataclasses.dataclass
class NamedFields:
    hook: Callable[[int], str] = observed_hook
    hooks: list[Callable[[int], str]] = dataclasses.field(default_factory=lambda: [observed_hook])


reveal_type(PlainFields().hook)
reveal_type(NamedFields().hook)
reveal_type(plain_hook)
reveal_type(observed_hook)
reveal_type(PlainFields)
reveal_type(NamedFields)
