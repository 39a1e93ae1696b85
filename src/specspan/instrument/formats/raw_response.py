"""Raw responses of generated clients: the results of ``with_raw_response`` and ``with_streaming_response``.

The first kind was read, and keeps the parsed object. The second was not read: a plain body is read before the
application gets the response; a streamed one is watched while the application reads its bytes. `EventBody` splits those
bytes into server-sent events, each with its chunk, so that the stream is decided and cut like any other. The
application reads exactly the bytes that the service sent.
"""

from __future__ import annotations

import copy
import inspect
import json
import re
import sys
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from typing import Any

from specspan._support.interruption import raise_interruption

_BODY_HEADERS = frozenset(("content-length", "content-encoding", "transfer-encoding"))


def is_raw(answer: Any) -> bool:
    """Return whether an answer is a raw response, including those of ``with_streaming_response``."""
    return "http_response" in getattr(answer, "__dict__", ())


def unwrap(answer: Any) -> Any:
    """Return the object of a raw response, or the answer itself; None if the body was not read."""
    if not is_raw(answer):
        return answer
    if not _is_unread(answer):
        return _parse(answer, answer.parse)
    return None if answer._is_sse_stream or not _is_in_memory(answer.http_response) else _parse(answer, answer._parse)


def _parse(answer: Any, parse: Callable[[], Any]) -> Any:
    """Return the object that a client makes of a body; the body itself if the client cannot make it."""
    try:
        return parse()
    except (
        Exception
    ) as error:  # whatever the application's own validation raises: the application gets that from its own call
        raise_interruption(error)
        return answer.http_response.json()


def load(answer: Any) -> Any:
    """Read a plain body that was not read yet; return None, or an awaitable where the client is async.

    The response is then still open, as the application expects it, which reads its body from memory.
    """
    if not is_raw(answer) or not _is_unread(answer) or answer._is_sse_stream:
        return None
    if inspect.iscoroutinefunction(type(answer).read):
        return _load_async(answer)
    was_closed = answer.http_response.is_closed
    answer.read()
    _leave_open(answer.http_response, was_closed=was_closed)
    return None


async def _load_async(answer: Any) -> None:
    was_closed = answer.http_response.is_closed
    await answer.read()
    _leave_open(answer.http_response, was_closed=was_closed)


def _leave_open(response: Any, *, was_closed: bool) -> None:
    """Have a response that was read be as one whose body came at once. What it was read from is closed, for good."""
    if not was_closed:
        response.stream = type(response)(response.status_code, content=response.content).stream
        response.is_closed = False
        response.is_stream_consumed = "content-encoding" in response.headers  # the bytes as they came are gone


def _is_in_memory(response: Any) -> bool:
    return "_content" in vars(response)


def _is_unread(answer: Any) -> bool:
    return not hasattr(type(answer), "content")


def edit_answer(answer: Any, edit: Callable[[Any], Any]) -> Any:
    """Return a copy of an answer, ``edit`` applied to its object or, for a raw response, to its body."""
    return with_json_body(answer, edit(answer.http_response.json())) if is_raw(answer) else edit(answer)


def with_json_body(answer: Any, body: Any) -> Any:
    """Return a copy of a raw response with another JSON body.

    Removed text must not be readable from the bytes.
    """
    edited = copy.copy(answer)
    edited.http_response, edited._parsed_by_type = copy_response(answer.http_response, body), {}
    return edited


def copy_response(before: Any, body: Any) -> Any:
    """Return a copy of an ``httpx`` response with another JSON body."""
    headers = {name: value for name, value in before.headers.items() if name not in _BODY_HEADERS}
    after = type(before)(before.status_code, headers=headers, content=json.dumps(body).encode(), request=before.request)
    with suppress(RuntimeError):  # some transports do not measure it
        after.elapsed = before.elapsed
    after.is_closed = after.is_stream_consumed = before.is_closed
    return after


def find_stream(answer: Any, package: str) -> Any | None:
    """Return the stream that an answer is or holds, if it is a stream of the client ``package``."""
    if is_raw(answer):
        if getattr(answer, "_is_sse_stream", False):
            return EventBody(answer)
        if getattr(answer, "_stream", False):
            answer = answer.parse()
    return answer if _is_stream_type(answer.__class__, package) else None


@lru_cache(maxsize=256)
def _is_stream_type(kind: type, package: str) -> bool:
    """Return whether ``kind`` is a stream class of a client, which may have been imported more than once."""
    return any(
        base.__name__ in ("Stream", "AsyncStream")
        and (base.__module__.partition(".")[0] == package or base.__module__.endswith("._streaming"))  # of a copy
        for base in kind.__mro__
    )


def put_stream(answer: Any, stream: Any) -> Any:
    """Return ``answer``, a stream or a raw response, with another stream."""
    if is_raw(answer):
        if isinstance(stream, EventBody):
            return with_event_body(answer, stream)
        answer._parsed_by_type[answer._cast_to] = stream
        answer.http_response = stream.response
        return answer
    return stream


def _lenient(client: Any) -> Any:
    """Return a client that takes any event, as the application does that reads the bytes of a strict one."""
    if not getattr(client, "_strict_response_validation", False):
        return client
    lenient = copy.copy(client)
    lenient._strict_response_validation = False
    return lenient


_EVENT_END = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_MAX_BLANK = 3  # bytes of an event's end that may have come without the rest of it
_EVENT_FIELDS = (b"data:", b"event:", b"id:", b"retry:")
_LINE = re.compile(rb"\r\n|\n|\r")
_DONE = b"data: [DONE]\n\n"
_NAMED = re.compile(rb"^event:", re.MULTILINE)


class EventBody:
    """Chunks of a streamed body, with the bytes that each arrived in."""

    def __init__(self, answer: Any) -> None:
        source = answer.http_response
        self.source = source
        self._close = source.aclose if inspect.iscoroutinefunction(type(answer).read) else source.close
        self.tail = bytearray()
        """Bytes that belong to no chunk: they go before the next chunk, or at the end."""
        self._buffer = bytearray()
        self._cast_to = answer._parse()._cast_to  # the client's stream, which is not read, knows the type of its chunks
        self._build_chunk = _lenient(answer._client)._process_response_data
        self._build_error = answer._client._make_status_error
        self._received: deque[tuple[Any, bytes]] = deque()  # of the chunks that are not handed over yet
        self._edited: dict[int, Any] = {}  # by the object that takes its place
        self._latest = b""
        self.reported_error: Exception | None = None
        """Error that the service reported in an event. It ends the iteration over chunks, after the last of them."""

    def close(self) -> Any:
        """Close the response. Returns what to await where the client is async."""
        return self._close()

    def __iter__(self) -> Iterator[Any]:
        for received in self.source.iter_bytes():
            yield from self._chunks(received)
        yield from self._last_event()
        self._raise_reported_error()

    async def __aiter__(self) -> AsyncIterator[Any]:
        async for received in self.source.aiter_bytes():
            for chunk in self._chunks(received):
                yield chunk
        for chunk in self._last_event():
            yield chunk
        self._raise_reported_error()

    def _raise_reported_error(self) -> None:
        if self.reported_error is not None:
            raise self.reported_error

    def bytes_of(self, chunk: Any) -> bytes:
        """Return the bytes of a chunk: the received ones, or those the service would send for a chunk made here."""
        before = b""
        while self._received:
            known, received = self._received.popleft()
            if chunk is known:
                return received
            if self._edited.get(id(chunk)) is known:
                del self._edited[id(chunk)]
                return _as_event(chunk, received)
            before = received
        self.tail = bytearray(b"" if _NAMED.search(before or self._latest) else _DONE)
        return _as_event(chunk, before or self._latest)

    def replace_chunk(self, chunk: Any, edited: Any) -> None:
        """Take in that a chunk is handed over with other texts.

        Raises:
            LookupError: the chunk is no event, but lines beside one.
        """
        if isinstance(chunk, (dict, list, str)):
            raise LookupError("lines beside an event cannot be replaced")  # noqa: TRY004 - no wrong type of argument
        self._edited[id(edited)] = chunk

    def _chunks(self, received: bytes) -> Iterator[Any]:
        seen = max(len(self._buffer) - _MAX_BLANK, 0)
        self._buffer += received
        start = 0
        for blank in _EVENT_END.finditer(self._buffer, seen):
            event, start = bytes(self._buffer[start : blank.end()]), blank.end()
            yield from self._chunk(event)
        if start:
            self._buffer = self._buffer[start:]

    def _chunk(self, event: bytes) -> Iterator[Any]:
        chunk: Any
        data, comments = _event_data(event), _comments(event)
        if comments:  # read before the bytes of the event are handed over
            chunk = {"comments": comments}
            self._received.append((chunk, b""))
            yield chunk
        self.tail += event
        if isinstance(data, dict) and not data.get("error"):
            chunk = self._build_chunk(data=data, cast_to=self._cast_to, response=self.source)
            if data.get("type") == "error":
                self.reported_error = self._build_error(str(data.get("message")), body=data, response=self.source)
        elif isinstance(data, dict):  # all of it is read
            chunk = {"data": data}
            self.reported_error = self._build_error(str(data["error"]), body=data, response=self.source)
        elif isinstance(data, (list, str)):
            chunk = data
        else:
            return
        self._latest, self.tail = bytes(self.tail), bytearray()
        self._received.append((chunk, self._latest))
        yield chunk

    def _last_event(self) -> Iterator[Any]:
        """Yield the chunk of a last event without a closing blank line; an incomplete chunk is dropped."""
        event, self._buffer = bytes(self._buffer), bytearray()
        if not isinstance(_event_data(event), str) or b"{" not in event:
            yield from self._chunk(event)


def _as_event(chunk: Any, received: bytes) -> bytes:
    """Return the bytes of a chunk made here, as the service would send it in place of what was ``received``."""
    named = f"event: {chunk.type}\n" if _NAMED.search(received) else ""
    return f"{named}data: {chunk.to_json(indent=None)}\n\n".encode()


def _event_data(event: bytes) -> Any:
    """Return the JSON data of an event, with the fields that it repeats, or as a text what is no JSON; None if none."""
    data = b"\n".join([line[len(b"data:") :] for line in _LINE.split(event) if line.startswith(b"data:")]).strip()
    if not data or data == b"[DONE]":
        return None
    try:
        return all_fields(data)
    except ValueError as error:
        raise_interruption(error)
        return data.decode(errors="replace")


def _comments(event: bytes) -> list[str]:
    """Return the lines of an event that are no field of an event, of which a client makes nothing."""
    lines = [line for line in _LINE.split(event) if line and not line.startswith(_EVENT_FIELDS)]
    return [line.decode(errors="replace") for line in lines]


def with_event_body(answer: Any, watched: Any) -> Any:
    """Return ``answer`` with a body that yields the bytes of ``watched``, a wrapped `EventBody`."""
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
    """Return a byte stream class for responses of ``httpx``, or of a library with the same interface."""
    http: Any = sys.modules[library]

    class Bytes(http.SyncByteStream, http.AsyncByteStream):  # type: ignore[misc]  # whichever it is
        def __init__(self, watched: Any) -> None:
            self._watched = watched

        @property
        def elapsed(self) -> Any:
            return self._watched.source.elapsed

        def __iter__(self) -> Iterator[bytes]:
            return _read_bytes(self._watched)

        def __aiter__(self) -> AsyncIterator[bytes]:
            return _read_bytes_async(self._watched)

        def close(self) -> None:
            self._watched.close()

        async def aclose(self) -> None:
            await self._watched.close()

    return Bytes


def _read_bytes(watched: Any) -> Iterator[bytes]:
    try:
        for chunk in watched:
            yield from _as_chunks(watched.bytes_of(chunk))
    except Exception as error:
        _raise_unless_reported(error, watched)
    yield from _as_chunks(watched.tail)


async def _read_bytes_async(watched: Any) -> AsyncIterator[bytes]:
    try:
        async for chunk in watched:
            for piece in _as_chunks(watched.bytes_of(chunk)):
                yield piece
    except Exception as error:
        _raise_unless_reported(error, watched)
    for rest in _as_chunks(watched.tail):
        yield rest


def _raise_unless_reported(error: Exception, watched: Any) -> None:
    """Raise an error, except for one that the application reads as an event among the bytes."""
    if error is not watched.reported_error:
        raise error


def _as_chunks(rest: bytes | bytearray) -> tuple[bytes, ...]:
    return (bytes(rest),) if rest else ()


def body_of(answer: Any) -> Any:
    """Return the object with the fields of an answer: of a raw response its JSON, with the fields that it repeats."""
    return fields_in(answer.http_response.content) if is_raw(answer) else answer


def fields_in(body: bytes) -> Any:
    """Return the JSON of a body, with the fields that it repeats; None where it is none."""
    try:
        return all_fields(body)
    except ValueError as error:  # it is read as the text that it is
        raise_interruption(error)
        return None


REPEATED = "repeated fields"
"""Field that `all_fields` adds to an object which has a field more than once: all but the last of each."""


def all_fields(data: bytes) -> Any:
    """Return the value of a JSON text, in which no field of an object is lost where it comes more than once."""
    return json.loads(data, object_pairs_hook=_with_repeated)


def _with_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) == len(pairs):
        return fields
    last = {name: position for position, (name, _) in enumerate(pairs)}
    lost = [[name, value] for position, (name, value) in enumerate(pairs) if last[name] != position]
    return {**fields, REPEATED: lost}
