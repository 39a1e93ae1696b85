"""Streams that are the client's own objects, with their chunks read through a `StreamedCall`.

A client's stream reads its chunks from an iterator that it holds. That iterator is replaced inside, by a generator of
ours that reads from it; the application gets the stream itself. A client that hands out a generator gets a generator.
The HTTP response behind a stream stays the one it was, too: what it reads bytes from is guarded inside it, so that
nobody but the client reads them where a policy is enforced, and that closing it is noticed.

Where none of this can be done, the application gets a stand-in (`specspan.instrument.stream_proxies`): for a stream
whose class makes the chunks itself out of what it reads, as LiteLLM's does, and for iterators of the application's own.
"""

from __future__ import annotations

import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterator
from contextlib import ExitStack
from functools import partial
from types import AsyncGeneratorType, GeneratorType
from typing import Any, TypeAlias

from specspan._support.collected import in_copied_context, when_collected
from specspan.engine.waiting import run_async, run_sync
from specspan.instrument.adapter import Streaming
from specspan.instrument.generators import start_async_generator
from specspan.instrument.proxies import ObjectProxy
from specspan.instrument.stream_proxies import (
    AsyncStream,
    SyncStream,
    async_close_of,
    close_of,
    is_pulled,
    pull,
    pull_async,
    pulls,
    refuse_unwatched,
)
from specspan.instrument.stream_release import Close
from specspan.instrument.streamed_call import StreamedCall

Watch: TypeAlias = Callable[[Any], Any]
"""Returns a reader of the chunks that are handed over of those that another reads."""


def watch_stream(streaming: Streaming, result: Any, stream: Any, call: StreamedCall, *, is_async: bool) -> Any:
    """Return a stream, or what stands in for it, with its chunks read through ``call``.

    Args:
        streaming: the provider's functions for streams.
        result: the client's answer that is the stream or holds it.
        stream: the stream.
        call: the call that it is the answer of.
        is_async: True where its chunks are awaited.
    """
    if type(stream) in (GeneratorType, AsyncGeneratorType):
        with ExitStack() as undo:
            _guard_bytes(undo, result, stream, call)
            undo.pop_all()
        return _watch_generator(stream, call)
    if streaming.keep is not None:
        try:
            return _keep(streaming.keep, result, stream, call, is_async=is_async)
        except (AttributeError, TypeError):  # it has other insides, or cannot be changed, and is as it was
            pass
    return (AsyncStream if is_async else SyncStream)(stream, call)


def _keep(keep: Callable[[Any, Watch], None], result: Any, stream: Any, call: StreamedCall, *, is_async: bool) -> Any:
    """Return the client's own stream, which reads its chunks through ``call``.

    Raises:
        AttributeError: it has other insides than expected; it is as it was.
    """
    closer = _Closer(call.source(stream), is_async=is_async)
    watch: Watch = (
        partial(_watched_async, call, closer.close_async) if is_async else partial(_watched, call, closer.close)
    )
    with ExitStack() as undo:
        _guard_bytes(undo, result, stream, call)
        undo.callback(when_collected(stream, call.abandoned).detach)
        keep(stream, watch)
        undo.pop_all()
    return stream


class _Closer:
    """Closing of a stream that is not kept alive by it; then of the HTTP response behind it."""

    __slots__ = ("_response", "_source")

    def __init__(self, source: Any, *, is_async: bool = False) -> None:
        self._source = weakref.ref(source)
        self._response = (async_close_of if is_async else close_of)(getattr(source, "response", None))

    def close(self) -> None:
        close = close_of(self._source()) or self._response
        if close is not None:
            close()

    async def close_async(self) -> None:
        close = async_close_of(self._source()) or self._response
        if close is not None:
            await close()


def _watch_generator(generator: Any, call: StreamedCall) -> Any:
    """Return a generator in place of one that a client made."""
    source = call.source(generator)
    watched: Any
    if type(generator) is AsyncGeneratorType:
        watched = _watched_async(call, async_close_of(source), generator)
    else:
        watched = _watched(call, close_of(source), generator)
    when_collected(watched, call.abandoned)
    return watched


def _watched(call: StreamedCall, close: Close | None, source: Any) -> Any:
    """Return a generator of the chunks that ``call`` hands over of those in ``source``."""
    return _as_named(_read(call, close, source), source)


@pulls
def _read(call: StreamedCall, close: Close | None, source: Any) -> Generator[Any, None, None]:
    step = source.__next__
    while True:
        try:
            chunk = pull(call, close, step)
        except StopIteration:
            return
        try:
            yield chunk
        except GeneratorExit:
            source.close()
            in_copied_context(run_sync, call.closed())
            raise


def _watched_async(call: StreamedCall, close: Close | None, source: Any) -> Any:
    """Return an async generator of the chunks that ``call`` hands over of those in ``source``."""
    return _as_named(_read_async(call, close, source), source)


@pulls
async def _read_async(call: StreamedCall, close: Close | None, source: Any) -> AsyncGenerator[Any, None]:
    # closed by this one alone, where it belongs: an event loop closes those that it knows of in tasks of their own
    step = partial(start_async_generator, source)
    while True:
        try:
            chunk = await pull_async(call, close, step)
        except StopAsyncIteration:
            return
        step = source.__anext__
        try:
            yield chunk
        except GeneratorExit:
            await source.aclose()
            await run_async(call.closed())
            raise


def _as_named(generator: Any, source: Any) -> Any:
    generator.__name__, generator.__qualname__ = source.__name__, source.__qualname__
    return generator


def _guard_bytes(undo: ExitStack, result: Any, stream: Any, call: StreamedCall) -> None:
    """Have nobody but the client read the bytes behind a stream where a policy is enforced, and its closing noticed.

    Raises:
        AttributeError: what they are read from cannot be changed; it is as it was.
    """
    raw = getattr(stream, "_raw_stream", None)  # of botocore's streams
    if callable(getattr(raw, "stream", None)):
        _set(undo, stream, "_raw_stream", _Body(raw, call))
    for holder, name in ((result, "http_response"), (result, "response"), (stream, "response")):
        response = getattr(holder, name, None)
        if hasattr(type(response), "iter_bytes") and hasattr(response, "stream"):
            _guard_response(undo, response, call)
            return


def _guard_response(undo: ExitStack, response: Any, call: StreamedCall) -> None:
    state, body = vars(response), response.stream
    holder, name = (body, "_stream") if "_stream" in getattr(body, "__dict__", ()) else (response, "stream")
    guarded = getattr(holder, name)
    if "_content" in state:  # a body in memory, as of a mock transport
        if call.is_enforced:
            if type(guarded).__name__ != "ByteStream":
                raise AttributeError("the body was made of what can be read only once")
            undo.callback(state.__setitem__, "_content", state.pop("_content"))
            _set(undo, response, "is_stream_consumed", value=False)
        _set(undo, response, "is_closed", value=False)
    _set(undo, holder, name, _Body(guarded, call))


def _set(undo: ExitStack, holder: Any, name: str, value: Any) -> None:
    undo.callback(setattr, holder, name, getattr(holder, name))
    setattr(holder, name, value)


class _Body(ObjectProxy):
    """Bytes of a streamed answer, which only its client reads, and whose closing ends the call."""

    def __init__(self, body: Any, call: StreamedCall) -> None:
        ObjectProxy.__init__(self, body)
        self._self_call = call

    def __iter__(self) -> Iterator[Any]:
        self._self_admit()
        return iter(self._self_wrapped)

    def __aiter__(self) -> AsyncIterator[Any]:
        self._self_admit()
        return aiter(self._self_wrapped)

    def stream(self, *args: Any, **kwargs: Any) -> Any:
        self._self_admit()
        return self._self_wrapped.stream(*args, **kwargs)

    def close(self) -> Any:
        try:
            return self._self_wrapped.close()
        finally:
            if not is_pulled(self._self_call):
                run_sync(self._self_call.closed())

    async def aclose(self) -> Any:
        try:
            return await self._self_wrapped.aclose()
        finally:
            if not is_pulled(self._self_call):
                await run_async(self._self_call.closed())

    def _self_admit(self) -> None:
        if not is_pulled(self._self_call):
            refuse_unwatched(self._self_call, "response")
