"""Functions that are model calls: the result decides how a call is watched, not the kind of function (part 6)."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from enforcement_output import Output
from enforcement_policies import MARKER, policy_file
from enforcement_runner import Leak, decisions_of
from enforcement_table import AFTER, BEFORE, WORD, cases

import specspan
from specspan.testing import recorded

model = specspan.observe(model="parrot")
PIECES = (BEFORE, WORD, AFTER)


async def _pieces() -> AsyncIterator[str]:
    for piece in PIECES:
        yield piece


async def _text() -> str:
    return BEFORE + WORD


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a function as a retry or a cache does: the wrapper is of another kind than what it wraps."""

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


class _Iterator:
    """An iterator of the application's own."""

    def __init__(self) -> None:
        self._pieces = iter(PIECES)

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        return next(self._pieces)


class _AsyncIterator:
    """An asynchronous iterator of the application's own."""

    def __init__(self) -> None:
        self._pieces = iter(PIECES)

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        try:
            return next(self._pieces)
        except StopIteration:
            raise StopAsyncIteration from None


class _Awaitable:
    """An awaitable that is no coroutine."""

    def __await__(self) -> Any:
        return _text().__await__()


class _Object:
    async def __call__(self) -> str:
        return BEFORE + WORD


class _Streaming:
    def __call__(self) -> Iterator[str]:
        yield from PIECES


class _Reply:
    """An answer that is read by attributes."""

    def __init__(self, text: str) -> None:
        self.text = text


@dataclass
class _Record:
    text: str


@model
def generator() -> Iterator[str]:
    yield from PIECES


@model
def returned_generator() -> Iterator[str]:
    return (piece for piece in PIECES)


@model
def returned_list_iterator() -> Iterator[str]:
    return iter(list(PIECES))


@model
def returned_map() -> Iterator[str]:
    return map(str, PIECES)


@model
def returned_iterator() -> Iterator[str]:
    return _Iterator()


@model
async def async_generator() -> AsyncIterator[str]:
    for piece in PIECES:
        yield piece


@model
def returned_async_generator() -> AsyncIterator[str]:
    return _pieces()


@model
def returned_async_iterator() -> AsyncIterator[str]:
    return _AsyncIterator()


@model
async def coroutine_of_generator() -> Iterator[str]:
    return (piece for piece in PIECES)


@model
async def coroutine_of_async_generator() -> AsyncIterator[str]:
    return _pieces()


@model
def text() -> str:
    return BEFORE + WORD


@model
async def coroutine() -> str:
    return BEFORE + WORD


@model
def returned_coroutine() -> Awaitable[str]:
    return _text()


@model
def returned_awaitable() -> Awaitable[str]:
    return _Awaitable()


@model
@_plain
async def decorated_coroutine() -> str:
    return BEFORE + WORD


@model
@_plain
async def decorated_async_generator() -> AsyncIterator[str]:
    for piece in PIECES:
        yield piece


@model
@functools.lru_cache
def cached() -> str:
    return BEFORE + WORD


@model
async def returned_future() -> str:
    return await asyncio.ensure_future(_text())


@model
def returned_task() -> Awaitable[str]:
    return asyncio.ensure_future(_text())


STREAMS: dict[str, Callable[..., Any]] = {
    each.__name__: each
    for each in (
        generator,
        returned_generator,
        returned_list_iterator,
        returned_map,
        returned_iterator,
        async_generator,
        returned_async_generator,
        returned_async_iterator,
        coroutine_of_generator,
        coroutine_of_async_generator,
        decorated_async_generator,
    )
} | {"object_that_streams": model(_Streaming())}
TEXTS: dict[str, Callable[..., Any]] = {
    each.__name__: each
    for each in (
        text,
        coroutine,
        returned_coroutine,
        returned_awaitable,
        decorated_coroutine,
        cached,
        returned_future,
        returned_task,
    )
} | {
    "object_with_async_call": model(_Object()),
    "partial_of_coroutine": model(functools.partial(_text)),
    "method_of_object": model(_Object().__call__),
}
VALUES: dict[str, Any] = {
    "dict": {"answer": WORD},
    "nested": {"choices": [{"message": {"content": WORD}}]},
    "list": [BEFORE, WORD],
    "tuple": (BEFORE, WORD),
    "bytes": WORD.encode(),
    "dataclass": _Record(WORD),
    "object": _Reply(WORD),
}


async def _drive(function: Callable[..., Any], output: Output) -> None:
    result = function()
    if inspect.isawaitable(result):
        result = await result
    if hasattr(result, "__aiter__"):
        async for piece in result:
            output.take(piece)
    elif hasattr(result, "__next__"):
        for piece in result:
            output.take(piece)
    else:
        output.take(result)


def _run(function: Callable[..., Any], action: str) -> tuple[Output, Any]:
    output = Output()
    with recorded(policy_file(action, {}, {})) as record:
        try:
            asyncio.run(_drive(function, output))
        except Exception as error:
            output.error = error
        decisions = decisions_of(record)
    if len(decisions) != 1:
        raise Leak(f"{len(decisions)} decisions; came out: {output.chunks}, {output.error!r:.100}")
    return output, decisions[0]


def _check(is_true: bool, output: Output, decision: Any) -> None:
    if not is_true:
        said = {name: decision[name] for name in ("verdict", "action", "reason")}
        raise Leak(f"came out: {output.chunks}, {type(output.error).__name__}; recorded as {said}")


@pytest.mark.parametrize("name", cases("streams", STREAMS, Leak))
def test_a_stream_is_cut_however_it_came_about(name: str) -> None:
    """The text in front of the word is handed over, and `Blocked` is raised in place of the word."""
    output, decision = _run(STREAMS[name], "block")
    is_cut = output.places == {(): BEFORE} and isinstance(output.error, specspan.Blocked)
    _check(is_cut and (decision["verdict"], decision["action"]) == ("violated", "block"), output, decision)


@pytest.mark.parametrize("name", cases("redacted-streams", STREAMS, Leak))
def test_a_stream_is_redacted_however_it_came_about(name: str) -> None:
    """A marker takes the place of the word, and the stream ends."""
    output, decision = _run(STREAMS[name], "redact")
    is_cut = output.places == {(): BEFORE + MARKER} and output.error is None
    _check(is_cut and (decision["verdict"], decision["action"]) == ("violated", "redact"), output, decision)


@pytest.mark.parametrize("name", cases("texts", TEXTS, Leak))
def test_a_text_is_blocked_however_it_came_about(name: str) -> None:
    """`Blocked` is raised in place of the text."""
    output, decision = _run(TEXTS[name], "block")
    is_stopped = output.chunks == [] and isinstance(output.error, specspan.Blocked)
    _check(is_stopped and (decision["verdict"], decision["action"]) == ("violated", "block"), output, decision)


@pytest.mark.parametrize("name", cases("values", VALUES, Leak))
def test_a_result_that_is_no_text_is_not_called_complied(name: str) -> None:
    """The texts in a result are read, or the clause is unassessed and the result is stopped under ``closed``."""
    output, decision = _run(model(lambda: VALUES[name]), "block")
    is_true = decision["verdict"] in ("violated", "unassessed") and isinstance(output.error, specspan.Blocked)
    _check(is_true, output, decision)


@pytest.mark.parametrize("name", cases("values-open", VALUES, Leak))
def test_a_result_that_is_no_text_says_so_in_its_clause(name: str) -> None:
    """Under ``open`` the clause of a result that was not read is unassessed, with a reason."""
    output, decision = _run(model(lambda: VALUES[name]), "openblock")
    findings = [each for each in decision["findings"] if each["stage"] == "output"]
    is_true = all(each["outcome"] in ("violated", "unassessed") and each["reason"] for each in findings)
    _check(bool(findings) and is_true, output, decision)
