"""Live updates: one look at the store every two seconds for all browsers that listen, told as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from specspan.console.reader_pool import ReaderPool
from specspan.console.visit import require
from specspan.errors import StoreError
from specspan.sqlite.model import Filter
from specspan.stores.people import Role
from specspan.stores.protocols import StoreReader

_INTERVAL_S = 2.0
_STILL_HERE_S = 20.0
_MOST_LISTENERS = 500


class LiveUpdates:
    """Watcher of one store. Without a browser that listens, nothing is looked at."""

    def __init__(self, readers: ReaderPool) -> None:
        self._readers = readers
        self._listeners: set[asyncio.Queue[str | None]] = set()
        self._watching: asyncio.Task[None] | None = None
        self.route = Route("/events", self._listen, methods=["GET"])

    def close(self) -> None:
        """Stop watching, and end every stream."""
        if self._watching is not None:
            self._watching.cancel()
        for queue in self._listeners:
            queue.put_nowait(None)

    async def _listen(self, request: Request) -> Response:
        require(request, Role.VIEWER)
        if len(self._listeners) >= _MOST_LISTENERS:
            return Response("Too many pages are open.\n", 503, media_type="text/plain")
        return StreamingResponse(self._stream(), media_type="text/event-stream", headers={"x-accel-buffering": "no"})

    async def _stream(self) -> AsyncIterator[str]:
        queue: asyncio.Queue[str | None] = asyncio.Queue(maxsize=4)
        self._listeners.add(queue)
        if self._watching is None or self._watching.done():
            self._watching = asyncio.create_task(self._watch())
        try:
            yield "retry: 5000\n\n"
            while True:
                try:
                    event = await asyncio.wait_for(queue.get(), _STILL_HERE_S)
                except asyncio.TimeoutError:
                    yield ": still here\n\n"
                    continue
                if event is None:
                    return
                yield f"event: changed\ndata: {event}\n\n"
        finally:
            self._listeners.discard(queue)

    async def _watch(self) -> None:
        last: str | None = None
        while self._listeners:
            try:
                newest = await self._readers.run(_newest)
            except StoreError:  # the pages say it
                newest = None
            if newest is not None and last is not None and newest != last:
                for queue in list(self._listeners):
                    if not queue.full():
                        queue.put_nowait(newest)
            last = newest or last
            await asyncio.sleep(_INTERVAL_S)


def _newest(reader: StoreReader) -> str:
    found = reader.decisions(Filter(limit=1))
    return str(found[0].get("id")) if found else ""
