"""Stream of a provider's real client, for the cases of `tests/instrument/providers/test_provider_streams.py`.

A module ``tests/support/streams_<provider>.py`` with ``STREAMS`` is found by its name.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from importlib import import_module
from operator import methodcaller
from pathlib import Path
from types import ModuleType
from typing import Any

from installed import is_elsewhere


class Then(Enum):
    """What comes after the pieces of a `Body`."""

    END = "end"
    BREAK = "break"
    """The connection is lost."""
    SILENCE = "silence"
    """The service says nothing more. For clients that await."""


@dataclass
class Body:
    """One answer on the wire. Knows nothing of any transport."""

    pieces: Sequence[bytes]
    then: Then = Then.END
    answered: bool = True
    """False: the service is silent from the beginning."""
    refused: bool = False
    """True: there is no connection at all."""
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the request was made."""
    closed: bool = False
    """Whether the client let go of the connection."""


@dataclass(frozen=True)
class ProviderStream:
    """One way of one provider to stream an answer."""

    id: str
    provider: str
    """As `specspan.instrument` knows it."""
    span: str
    """The name of the call's span."""
    pieces: tuple[bytes, ...]
    """A whole answer on the wire, one event a piece."""
    opening: int
    """How many of the pieces say the first word, and no more."""
    text: str
    """What the answer says."""
    said: Callable[[Any], str]
    """The text in a chunk, as the application gets it."""
    is_last: Callable[[Any], bool]
    """Whether a chunk says why the model stopped."""
    known: tuple[str, object]
    """An attribute of the span that is known from the first chunk on, and its value."""
    sync_stream: Callable[[Body], Any] | None = None
    """Ask for the stream through the client that blocks."""
    async_stream: Callable[[Body], Awaitable[Any]] | None = None
    async_plain: Callable[[Body], Awaitable[Any]] | None = None
    """Ask for an answer in one piece."""
    broken: str = "APIConnectionError"
    """What the client makes of a connection that breaks off: ``error.type``."""
    refused: str = "APIConnectionError"
    """And of one that never came about."""
    is_context: bool = True
    """Whether the stream is a ``with`` block."""
    lets_go: bool = True
    """Whether the client closes the connection when its consumer is cancelled."""
    close: Callable[[Any], Any] | None = methodcaller("close")
    """None: a stream that blocks has no method for it."""
    async_close: Callable[[Any], Awaitable[Any]] = methodcaller("close")
    closed: tuple[str, ...] = ("closed",)
    """How a stream may have ended that was closed."""
    abandoned: tuple[str, ...] = ("abandoned",)
    """How a stream may have ended that was let go of. Clients that read it in a generator of their own may close it."""
    asks_at_once: bool = True
    """False: the client asks when the first chunk is to be read."""
    begins_at_once: bool = True
    """Whether the call's span begins when the stream is asked for, whenever the client asks the service."""


def streams() -> list[ProviderStream]:
    """What every provider brings whose client is installed."""
    modules = sorted(path.stem for path in Path(__file__).parent.glob("streams_*.py"))
    return [stream for module in modules for stream in _brought(module)]


def _brought(module: str) -> Sequence[ProviderStream]:
    try:
        found: Sequence[ProviderStream] = import_module(module).STREAMS
    except ModuleNotFoundError as error:
        if not is_elsewhere(error):
            raise
        return ()
    return found


def transport(http: ModuleType, body: Body, *, is_async: bool) -> Any:
    """A mock transport for clients on ``http``, which is ``httpx`` or what has its shape."""

    def answer(request: Any) -> Any:
        body.asked.set()
        if body.refused:
            raise http.ConnectError("refused")
        return http.Response(200, headers={"content-type": "text/event-stream"}, stream=_wire(http, body))

    async def answer_async(request: Any) -> Any:
        if not body.answered:
            body.asked.set()
            await asyncio.Event().wait()
        return answer(request)

    return http.MockTransport(answer_async if is_async else answer)


def clients(http: ModuleType, sync: Any, later: Any) -> tuple[Callable[[Body], Any], Callable[[Body], Any]]:
    """What makes a client for a body, of the kind ``sync`` and of its async twin ``later``, both on ``http``."""

    def sync_client(body: Body) -> Any:
        over = http.Client(transport=transport(http, body, is_async=False))
        return sync(api_key="test", http_client=over, max_retries=0)

    def async_client(body: Body) -> Any:
        over = http.AsyncClient(transport=transport(http, body, is_async=True))
        return later(api_key="test", http_client=over, max_retries=0)

    return sync_client, async_client


def _wire(http: ModuleType, body: Body) -> Any:
    class Wire(http.SyncByteStream, http.AsyncByteStream):  # type: ignore[misc, name-defined]  # whichever it is
        def __iter__(self) -> Iterator[bytes]:
            yield from body.pieces
            if body.then is Then.BREAK:
                raise http.ReadError("gone")

        async def __aiter__(self) -> AsyncIterator[bytes]:
            for piece in self:
                yield piece
            if body.then is Then.SILENCE:
                await asyncio.Event().wait()

        def close(self) -> None:
            body.closed = True

        async def aclose(self) -> None:
            body.closed = True

    return Wire()
