"""One-shot bodies of ``botocore``, buffered so that the application can still read them.

All of a body is read at once, as most applications do. The application then reads the same bytes and, if the connection
broke, the same error at the same place.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from specspan._support.guard import guard
from specspan._support.interruption import raise_interruption

_RAW_OPTIONS: dict[str, Any] = {"decode_content": False, "enforce_content_length": False}


@dataclass(frozen=True, slots=True)
class _ReadFailure:
    """Failure of a read that did not reach the end of the body."""

    error: Exception
    is_all_or_nothing: bool
    """True if a read that cannot return all its bytes returns none, because the connection does not know the length."""
    body_reports_end: bool
    """True if the body itself reports that it is shorter than promised."""


class _BufferedBytes(io.BytesIO):
    """Buffered bytes of a body that raise its failure at the place where it broke."""

    def __init__(self, data: bytes, broken: _ReadFailure | None = None) -> None:
        super().__init__(data)
        self.buffered = data if broken is None else None
        self._size_bytes = len(data)
        self._broken = broken

    def read(self, size: int | None = -1, /) -> bytes:
        if self._broken is not None and self._raises_at(self._broken, size):
            raise self._broken.error
        return super().read(size)

    def _raises_at(self, broken: _ReadFailure, size: int | None) -> bool:
        left = self._size_bytes - self.tell()
        if size is None or size < 0 or (left < size and broken.is_all_or_nothing):
            return True
        return not left and not broken.body_reports_end

    def settimeout(self, timeout_s: float) -> None:
        """Do nothing, because no data is left to wait for; `StreamingBody.set_socket_timeout` calls this method."""

    def readinto(self, target: Any, /) -> int:
        data = self.read(len(target))
        target[: len(data)] = data
        return len(data)

    @property
    def _sock(self) -> _BufferedBytes:
        return self

    _fp = fp = raw = _sock


def is_streaming_body(value: Any) -> bool:
    """Return whether a value is a body that can be read only once."""
    return _class_named(type(value), "botocore.response", "StreamingBody") is not None


def buffered_bytes(body: Any) -> bytes | None:
    """Return the bytes of a buffered body, or None if it was not buffered to its end."""
    return getattr(getattr(body, "_raw_stream", None), "specspan_buffered", None)


def buffer_body(body: Any) -> None:
    """Read all of a body, and let it be read again from memory."""
    source = body._raw_stream
    try:
        read = _BufferedBytes(source.read())
    except Exception as error:
        raise_interruption(error)
        arrived = next((each.partial for each in error.args if isinstance(getattr(each, "partial", 0), bytes)), None)
        is_measured = body._content_length is not None
        raises_itself = arrived is None or getattr(source, "enforce_content_length", False)
        read = _BufferedBytes(arrived or b"", _ReadFailure(error, not is_measured, is_measured and not raises_itself))
    body._raw_stream = _as_raw_stream(read, source)


def with_bytes(body: Any, data: bytes) -> Any:
    """Return a body like the given one with other bytes."""
    return type(body)(_as_raw_stream(_BufferedBytes(data), body._raw_stream), len(data))


def is_event_stream(value: Any) -> bool:
    """Return whether a value is a stream of events."""
    return _class_named(type(value), "botocore.eventstream", "EventStream") is not None


def _as_raw_stream(read: _BufferedBytes, source: Any) -> Any:
    """Return a raw stream over buffered bytes, in place of the body's connection.

    It is of the class of that connection: a recorder may have put another class under that name meanwhile. What is no
    response of ``urllib3`` is replaced by the buffered bytes themselves.
    """
    kind, raw = _class_named(type(source), "urllib3.response", "HTTPResponse"), read
    if kind is not None:
        with guard("instrument.buffer"):
            headers, status = getattr(source, "headers", None), getattr(source, "status", 200)
            raw = kind(read, headers, status, preload_content=False, **_RAW_OPTIONS)
    stream: Any = raw
    stream.specspan_buffered = read.buffered
    return stream


def _class_named(kind: type, module: str, name: str) -> Any | None:
    """Return the class of that name which a class is or inherits from.

    The class is not looked up where its name leads now, which may be to another.
    """
    return next((base for base in kind.__mro__ if (base.__name__, base.__module__) == (name, module)), None)
