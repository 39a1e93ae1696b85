"""Reading a stream through its `Flow`: provider streams that look like what they were, read sync or async.

Only `pull` and the protocol methods that await exist twice; what follows the last chunk is settled in steps.
"""

from __future__ import annotations

import weakref
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import Any

from specspan._support.guard import guard
from specspan.engine.waiting import Steps, run_async, run_sync
from specspan.instrument.proxies import ObjectProxy
from specspan.instrument.streamed_call import Cutoff, Flow


def pull(flow: Flow, close: Callable[[], Any] | None, step: Callable[..., Any], *args: Any) -> Any:
    """The next chunk, which ``step`` gives; ``close`` closes where it comes from.

    Raises:
        StopIteration: there is none, or the policy cut the stream.
        Blocked: the policy stopped it.
    """
    if flow.over:
        return flow.rest(StopIteration)
    try:
        try:
            chunk = step(*args)
        except StopIteration as end:
            return _handed_over(run_sync(_settled(flow, close, flow.exhausted(), Cutoff(error=end), end)))
        if flow.take(chunk):
            return chunk
        return _handed_over(run_sync(_settled(flow, close, flow.examine(chunk), Cutoff(chunk), StopIteration())))
    except BaseException as error:
        flow.left_by(error)
        raise


async def pull_async(
    flow: Flow, close: Callable[[], Awaitable[Any]] | None, step: Callable[..., Awaitable[Any]], *args: Any
) -> Any:
    """The same, of a stream that is awaited; it ends with ``StopAsyncIteration``."""
    if flow.over:
        return flow.rest(StopAsyncIteration)
    try:
        try:
            chunk = await step(*args)
        except StopAsyncIteration as end:
            return _handed_over(await run_async(_settled(flow, close, flow.exhausted(), Cutoff(error=end), end)))
        if flow.take(chunk):
            return chunk
        return _handed_over(
            await run_async(_settled(flow, close, flow.examine(chunk), Cutoff(chunk), StopAsyncIteration()))
        )
    except BaseException as error:
        flow.left_by(error)
        raise


@dataclass(frozen=True, slots=True)
class _Closing:
    """Closing where chunks come from, as a job to wait for."""

    close: Callable[[], Any] | None

    def wait(self) -> None:
        with guard("instrument.close"):
            if self.close is not None:
                self.close()

    async def wait_async(self) -> None:
        with guard("instrument.close"):
            if self.close is not None:
                await self.close()


def _settled(
    flow: Flow, close: Callable[[], Any] | None, deciding: Steps[Cutoff | None], otherwise: Cutoff, end: Exception
) -> Steps[Cutoff]:
    """What comes of ``deciding``: where the stream is not cut, ``otherwise``; ``end`` where nothing is left to give."""
    cutoff = yield from deciding
    if cutoff is None:
        return otherwise
    flow.over = True
    yield _Closing(close)
    return Cutoff(error=end) if cutoff == Cutoff() else cutoff


def _handed_over(settled: Cutoff) -> Any:
    if settled.error is not None:
        raise settled.error
    return settled.chunk


class _Stream(ObjectProxy):  # type: ignore[misc]  # see there
    """A provider's stream to ``isinstance`` and in every attribute, with its chunks read through a `Flow`."""

    def __init__(self, stream: Any, flow: Flow) -> None:
        super().__init__(stream)
        self._self_flow = flow
        weakref.finalize(self, flow.abandoned)

    @property
    def response(self) -> Any:
        """The HTTP response behind it: helpers of the provider close this one instead of the stream."""
        return _Response(self.__wrapped__.response, self._self_flow)


class SyncStream(_Stream):
    """A stream that is read with ``for``."""

    def __init__(self, stream: Any, flow: Flow) -> None:
        super().__init__(stream, flow)
        source = flow.source(stream)
        close = getattr(source, "close", None) or _of_response(source, "close")
        self._self_pull = partial(pull, flow, close, iter(stream).__next__)

    def __iter__(self) -> Iterator[Any]:
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
        self.__wrapped__.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> Any:
        try:
            return self.__wrapped__.__exit__(kind, error, tb)
        finally:
            run_sync(self._self_flow.closed())

    def close(self) -> Any:
        try:
            return self.__wrapped__.close()
        finally:
            run_sync(self._self_flow.closed())


class AsyncStream(_Stream):
    """A stream that is read with ``async for``."""

    def __init__(self, stream: Any, flow: Flow) -> None:
        super().__init__(stream, flow)
        step = (stream if hasattr(stream, "__anext__") else aiter(stream)).__anext__
        source = flow.source(stream)
        close = getattr(source, "close", None) or getattr(source, "aclose", None)  # a generator has only this
        self._self_pull = partial(pull_async, flow, close or _of_response(source, "aclose"), step)

    def __aiter__(self) -> AsyncStream:
        return self

    def __anext__(self) -> Awaitable[Any]:
        return self._self_pull()

    async def __aenter__(self) -> Any:
        await self.__wrapped__.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> Any:
        try:
            return await self.__wrapped__.__aexit__(kind, error, tb)
        finally:
            await run_async(self._self_flow.closed())

    async def close(self) -> Any:
        try:
            return await self.__wrapped__.close()
        finally:
            await run_async(self._self_flow.closed())

    async def aclose(self) -> Any:
        try:
            return await self.__wrapped__.aclose()
        finally:
            await run_async(self._self_flow.closed())


def _of_response(source: Any, name: str) -> Callable[[], Any] | None:
    """A method of the HTTP response that is read from; None where there is no way to close it."""
    found: Callable[[], Any] | None = getattr(getattr(source, "response", None), name, None)
    return found


class _Response(ObjectProxy):  # type: ignore[misc]  # see there
    """An HTTP response whose closing ends the stream that is read from it."""

    def __init__(self, response: Any, flow: Flow) -> None:
        super().__init__(response)
        self._self_flow = flow

    def close(self) -> Any:
        try:
            return self.__wrapped__.close()
        finally:
            run_sync(self._self_flow.closed())

    async def aclose(self) -> Any:
        try:
            return await self.__wrapped__.aclose()
        finally:
            await run_async(self._self_flow.closed())
