"""The body of a streamed answer that the application reads as bytes, event by event.

``with_streaming_response`` hands over a response that nobody has read. Its bytes pass on one server-sent event at a
time, each with the chunk that it is: so the stream is watched, decided and cut like any other, and what the application
reads is, byte for byte, what the service sent.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import AsyncIterator, Iterator
from functools import lru_cache
from typing import Any

_BLANK_LINE = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_LINE = re.compile(rb"\r\n|\n|\r")
_DONE = b"data: [DONE]\n\n"


class EventBody:
    """The chunks in a body, in place of what the client would make of them."""

    def __init__(self, answer: Any) -> None:
        source = answer.http_response
        self.source = source
        self.close = source.aclose if inspect.iscoroutinefunction(type(answer).read) else source.close
        self.rest = b""
        """What no chunk stands for, and comes before the next one, or at the end."""
        self._buffer = b""
        self._cast_to = answer._parse()._cast_to  # the client's own stream knows what its chunks are; it is not read
        self._made = answer._client._process_response_data
        self._latest: tuple[Any, bytes] = (None, b"")

    def __iter__(self) -> Iterator[Any]:
        for received in self.source.iter_bytes():
            yield from self._chunks(received)
        yield from self._last()

    async def __aiter__(self) -> AsyncIterator[Any]:
        async for received in self.source.aiter_bytes():
            for chunk in self._chunks(received):
                yield chunk
        for chunk in self._last():
            yield chunk

    def bytes_of(self, chunk: Any) -> bytes:
        """The bytes for a chunk: those it came in, or such as the service would send for one that was made here."""
        latest, received = self._latest
        if chunk is latest:
            return received
        named = f"event: {chunk.type}\n" if re.search(rb"^event:", received, re.MULTILINE) else ""
        self.rest = b"" if named else _DONE
        return f"{named}data: {chunk.to_json(indent=None)}\n\n".encode()

    def _chunks(self, received: bytes) -> Iterator[Any]:
        self._buffer += received
        start = 0
        for blank in _BLANK_LINE.finditer(self._buffer):
            event, start = self._buffer[start : blank.end()], blank.end()
            yield from self._chunk(event)
        self._buffer = self._buffer[start:]

    def _chunk(self, event: bytes) -> Iterator[Any]:
        data = _data(event)
        self.rest += event
        if isinstance(data, dict) and not data.get("error"):
            chunk = self._made(data=data, cast_to=self._cast_to, response=self.source)
            self._latest, self.rest = (chunk, self.rest), b""
            yield chunk

    def _last(self) -> Iterator[Any]:
        """What came without the blank line that ends an event; half a chunk is no event, and is dropped."""
        event, self._buffer = self._buffer, b""
        if _data(event) is not None or b"{" not in event:
            yield from self._chunk(event)


def _data(event: bytes) -> Any:
    """What an event carries, from JSON; None where it is not that."""
    lines = [line[len(b"data:") :] for line in _LINE.split(event) if line.startswith(b"data:")]
    try:
        return json.loads(b"\n".join(lines))
    except ValueError:
        return None


def with_events(answer: Any, watched: Any) -> Any:
    """``answer`` with a body that gives the bytes of ``watched``, which is an `EventBody` in its watched form."""
    before = watched.source
    headers = [(name, value) for name, value in before.headers.multi_items() if name != "content-encoding"]
    answer.http_response = type(before)(
        before.status_code,
        headers=headers,
        stream=_byte_stream(type(before).__module__.partition(".")[0])(watched),
        request=before.request,
        extensions=before.extensions,
        default_encoding=before.default_encoding,
    )
    return answer


@lru_cache(maxsize=4)
def _byte_stream(library: str) -> Any:
    """A body for responses of ``httpx``, or of what has its shape."""
    http: Any = sys.modules[library]

    class Bytes(http.SyncByteStream, http.AsyncByteStream):  # type: ignore[misc]  # whichever it is
        def __init__(self, watched: Any) -> None:
            self._watched = watched

        @property
        def elapsed(self) -> Any:
            return self._watched.source.elapsed

        def __iter__(self) -> Iterator[bytes]:
            for chunk in self._watched:
                yield self._watched.bytes_of(chunk)
            yield from _some(self._watched.rest)

        async def __aiter__(self) -> AsyncIterator[bytes]:
            async for chunk in self._watched:
                yield self._watched.bytes_of(chunk)
            for rest in _some(self._watched.rest):
                yield rest

        def close(self) -> None:
            self._watched.close()

        async def aclose(self) -> None:
            await self._watched.close()

    return Bytes


def _some(rest: bytes) -> tuple[bytes, ...]:
    return (rest,) if rest else ()
