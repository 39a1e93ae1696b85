"""Provider streams that look like what they were, with their chunks read through a `StreamedCall`, sync or async.

Only `pull` and the protocol methods that await exist twice.
"""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial
from types import TracebackType
from typing import Any, TypeVar

from specspan._support.collected import when_collected
from specspan.engine.waiting import run_async, run_sync
from specspan.errors import ConfigurationError, Problem
from specspan.instrument.generators import start_async_generator
from specspan.instrument.proxies import ObjectProxy
from specspan.instrument.seen_answer import END
from specspan.instrument.stream_release import Close
from specspan.instrument.streamed_call import StreamedCall

F = TypeVar("F", bound=Callable[..., Any])


def pull(call: StreamedCall, close: Close | None, step: Callable[..., Any], *args: Any) -> Any:
    """Return the next chunk to hand over, of those that ``step`` gives; ``close`` closes where they come from.

    Raises:
        StopIteration: there is none, or the policy cut the stream.
        Blocked: the policy stopped it.
    """
    if call.remains is not None and call.remains.goes_before(args):
        return call.remains.give(StopIteration())
    unread: Any = None
    carrier: Any = None
    while True:
        try:
            try:
                chunk = step(*args)
            except StopIteration as end:
                return _at_end(call, close, end)
            if call.accept(chunk):
                return chunk
            release = run_sync(call.decide(chunk, close))
            if release.is_last or release.has_more:
                return call.hand_over(release, StopIteration())
            step, args = next_step(step, args), ()  # the chunk is held back
        except BaseException as error:
            unread = call.chunk_in(error)
            if unread is None:
                if (rest := call.end_with(error)) is not None:
                    return rest.give(StopIteration())
                raise
            carrier = error
            break
    try:  # outside of the clause, so that what blocks the stream does not lead to the chunk
        run_sync(call.decide_error(unread, carrier))
        raise carrier
    finally:
        del carrier


def _at_end(call: StreamedCall, close: Close | None, end: StopIteration) -> Any:
    if end.value is not None:  # what a generator returned is part of the answer
        call.accept_returned(end.value)
        returned = run_sync(call.decide(end.value, close))
        if returned.is_last:
            return returned.give(StopIteration())
    release = run_sync(call.decide(END, close))
    return call.hand_over(release, end if end.value is None else call.end_of(end), is_end=True)


async def pull_async(call: StreamedCall, close: Close | None, step: Callable[..., Awaitable[Any]], *args: Any) -> Any:
    """Return the next chunk of a stream that is awaited. It ends with ``StopAsyncIteration``."""
    if call.remains is not None and call.remains.goes_before(args):
        return call.remains.give(StopAsyncIteration())
    unread: Any = None
    carrier: Any = None
    while True:
        try:
            try:
                chunk = await step(*args)
            except StopAsyncIteration as end:
                return call.hand_over(await run_async(call.decide(END, close)), end, is_end=True)
            if call.accept(chunk):
                return chunk
            release = await run_async(call.decide(chunk, close))
            if release.is_last or release.has_more:
                return call.hand_over(release, StopAsyncIteration())
            step, args = next_step(step, args), ()  # the chunk is held back
        except BaseException as error:
            unread = call.chunk_in(error)
            if unread is None:
                if (rest := call.end_with(error)) is not None:
                    return rest.give(StopAsyncIteration())
                raise
            carrier = error
            break
    try:  # outside of the clause, so that what blocks the stream does not lead to the chunk
        await run_async(call.decide_error(unread, carrier))
        raise carrier
    finally:
        del carrier


def next_step(step: Any, args: Sequence[Any]) -> Callable[[], Any]:
    """Return how to read on after a chunk that a step with ``args`` gave: what a generator is sent, it is sent once."""
    if isinstance(step, partial) and step.func is start_async_generator:
        return step.args[0].__anext__  # type: ignore[no-any-return]
    if not args:
        return step  # type: ignore[no-any-return]
    generator: Any = args[0] if step is start_async_generator else step.__self__
    return generator.__anext__ if hasattr(generator, "__anext__") else generator.__next__  # type: ignore[no-any-return]


_INNER_STREAMS = frozenset(
    ("completion_stream", "generator", "_event_generator", "_iterator", "_raw_stream", "_stream_iterator")
)
"""Attributes of clients' streams that hold the same chunks, unwatched."""
_BODIES = frozenset(
    f"{prefix}{name}" for name in ("iter_bytes", "iter_lines", "iter_raw", "iter_text", "read") for prefix in ("", "a")
) | {"content", "json", "stream", "text"}
"""Attributes of HTTP responses that give the body."""


_PULLS = {pull.__code__, pull_async.__code__}


def pulls(function: F) -> F:
    """Mark a function that pulls chunks of the call in its variable ``call``.

    What is thrown into an awaited pull, as a cancellation is, runs the client's clean-up without the frame of the pull.
    """
    _PULLS.add(function.__code__)
    return function


def is_pulled(call: StreamedCall) -> bool:
    """Return whether the caller is called by a pull of the next chunk: then it is the client that reads, or closes."""
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_code in _PULLS and frame.f_locals["call"] is call:
            return True
        frame = frame.f_back
    return False


def refuse_unwatched(call: StreamedCall, name: str) -> None:
    """Let nobody read around a stream on which a policy is enforced: the call ends there.

    Raises:
        ConfigurationError: the policy is in enforce mode.
    """
    if call.is_enforced:
        problem = Problem(
            "a policy is enforced on this stream, and what is read here is not watched",
            "Iterate over the stream itself, or read the bytes of 'with_streaming_response' where the client has it.",
        )
        error = ConfigurationError(f"{name!r} of a streamed answer", problem)
        call.refuse(error)
        raise error


def _doors(names: Iterable[str]) -> Any:
    """Return a class decorator that has a stand-in refuse attributes where a policy is enforced."""

    def with_doors(template: type) -> type:
        for name in names:
            setattr(template, name, _door(name))
        return template

    return with_doors


def _door(name: str) -> property:
    def read(stand_in: Any) -> Any:
        value = getattr(stand_in._self_wrapped, name)
        refuse_unwatched(stand_in._self_call, name)
        return value

    return property(read)


_FILE_METHODS = frozenset(
    ("getbuffer", "getvalue", "peek", "read", "read1", "readall", "readinto", "readinto1", "readline", "readlines")
)
"""Methods that read a file, or what is like one, other than by iterating over it."""


def _with_file_doors(template: type) -> type:
    """Have a stand-in refuse the calls of a file's methods where a policy is enforced: code may ask for them before."""
    for name in _FILE_METHODS:
        setattr(template, name, _file_door(name))
    return template


def _file_door(name: str) -> property:
    def method(stand_in: Any) -> Any:
        read = getattr(stand_in._self_wrapped, name)

        def refused_or_read(*args: Any, **kwargs: Any) -> Any:
            refuse_unwatched(stand_in._self_call, name)
            return read(*args, **kwargs)

        return refused_or_read

    return property(method)


@_with_file_doors
@_doors(_INNER_STREAMS)
class _Stream(ObjectProxy):
    """A provider's stream to ``isinstance`` and in every attribute, with its chunks read through a `StreamedCall`."""

    def __init__(self, stream: Any, call: StreamedCall) -> None:
        ObjectProxy.__init__(self, stream)
        self._self_call = call
        when_collected(self, call.abandoned)

    def __copy__(self) -> Any:
        return self._self_unwatched("__copy__")()

    def __deepcopy__(self, memo: Any) -> Any:
        return self._self_unwatched("__deepcopy__")(memo)

    def __reduce__(self) -> Any:
        return self._self_unwatched("__reduce__")()

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self._self_unwatched("__reduce_ex__")(protocol)

    def _self_unwatched(self, name: str) -> Any:
        """Return a method that makes another stream of the same chunks, or refuse it."""
        refuse_unwatched(self._self_call, name)
        return getattr(self._self_wrapped, name)

    @property
    def response(self) -> Any:
        """The HTTP response behind it: helpers of the provider close this one instead of the stream."""
        return _Response(self._self_wrapped.response, self._self_call)


class SyncStream(_Stream):
    """A stream that is read with ``for``."""

    def __init__(self, stream: Any, call: StreamedCall) -> None:
        _Stream.__init__(self, stream, call)
        self._self_pull = partial(pull, call, close_of(call.source(stream)), call.during(stream, iter(stream).__next__))

    def __iter__(self) -> Any:
        return self if hasattr(type(self), "__next__") else self._self_iterate()

    def _self_iterate(self) -> Iterator[Any]:
        next_chunk = self._self_pull
        while True:
            try:
                chunk = next_chunk()
            except StopIteration:
                return
            yield chunk

    def __next__(self) -> Any:
        return self._self_pull()

    def __enter__(self) -> Any:
        self._self_wrapped.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> Any:
        try:
            return self._self_wrapped.__exit__(kind, error, tb)
        finally:
            run_sync(self._self_call.closed())

    def close(self) -> Any:
        try:
            return self._self_wrapped.close()
        finally:
            run_sync(self._self_call.closed())


class AsyncStream(_Stream):
    """A stream that is read with ``async for``."""

    def __init__(self, stream: Any, call: StreamedCall) -> None:
        _Stream.__init__(self, stream, call)
        step = (stream if hasattr(stream, "__anext__") else aiter(stream)).__anext__
        step = call.during(stream, step, is_async=True)
        self._self_pull = partial(pull_async, call, async_close_of(call.source(stream)), step)

    def __aiter__(self) -> Any:
        return self if hasattr(type(self), "__anext__") else self._self_iterate()

    async def _self_iterate(self) -> AsyncIterator[Any]:
        next_chunk = self._self_pull
        while True:
            try:
                chunk = await next_chunk()
            except StopAsyncIteration:
                return
            yield chunk

    def __anext__(self) -> Awaitable[Any]:
        return self._self_pull()

    async def __aenter__(self) -> Any:
        await self._self_wrapped.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> Any:
        try:
            return await self._self_wrapped.__aexit__(kind, error, tb)
        finally:
            await run_async(self._self_call.closed())

    async def close(self) -> Any:
        try:
            return await self._self_wrapped.close()
        finally:
            await run_async(self._self_call.closed())

    async def aclose(self) -> Any:
        try:
            return await self._self_wrapped.aclose()
        finally:
            await run_async(self._self_call.closed())


def close_of(source: Any) -> Close | None:
    """Return how to close a stream, or the HTTP response that it is read from; None where there is no way."""
    return getattr(source, "close", None) or getattr(getattr(source, "response", None), "close", None)


def async_close_of(source: Any) -> Close | None:
    """Return how to close a stream that is awaited. A generator has no ``close``, and a response both."""
    close = getattr(source, "aclose", None) or getattr(source, "close", None)
    return close or getattr(getattr(source, "response", None), "aclose", None)


@_doors(_BODIES)
class _Response(ObjectProxy):
    """An HTTP response whose closing ends the stream that is read from it, and which is not read around the stream."""

    def __init__(self, response: Any, call: StreamedCall) -> None:
        ObjectProxy.__init__(self, response)
        self._self_call = call

    def close(self) -> Any:
        try:
            return self._self_wrapped.close()
        finally:
            run_sync(self._self_call.closed())

    async def aclose(self) -> Any:
        try:
            return await self._self_wrapped.aclose()
        finally:
            await run_async(self._self_call.closed())
