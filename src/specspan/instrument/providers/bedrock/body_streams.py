"""One-shot bodies of ``botocore``, buffered so that the application can still read them.

All of a body is read at once, as most applications do. The application then reads the same bytes and, if the connection
broke, the same error at the same place.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

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

    @property
    def _sock(self) -> _BufferedBytes:
        return self

    fp = raw = _sock


def is_streaming_body(value: Any) -> bool:
    """Return whether a value is a body that can be read only once."""
    return isinstance(value, _streaming_body())


def buffered_bytes(body: Any) -> bytes | None:
    """Return the bytes of a buffered body, or None if it was not buffered to its end."""
    return getattr(getattr(body, "_raw_stream", None), "specspan_buffered", None)


def buffer_body(body: Any) -> None:
    """Read all of a body, and let it be read again from memory."""
    source = body._raw_stream
    try:
        read = _BufferedBytes(source.read())
    except Exception as error:
        arrived = next((each.partial for each in error.args if isinstance(getattr(each, "partial", 0), bytes)), None)
        is_measured = body._content_length is not None
        raises_itself = arrived is None or getattr(source, "enforce_content_length", False)
        read = _BufferedBytes(arrived or b"", _ReadFailure(error, not is_measured, is_measured and not raises_itself))
    body._raw_stream = _as_raw_stream(read, source)


def with_bytes(body: Any, data: bytes) -> Any:
    """Return a body like the given one with other bytes."""
    return type(body)(_as_raw_stream(_BufferedBytes(data), body._raw_stream), len(data))


def _as_raw_stream(read: _BufferedBytes, source: Any) -> Any:
    """Return a raw stream over buffered bytes, in place of the body's connection."""
    from urllib3 import HTTPResponse

    headers, status = getattr(source, "headers", None), getattr(source, "status", 200)
    raw: Any = HTTPResponse(read, headers, status, preload_content=False, **_RAW_OPTIONS)
    raw.specspan_buffered = read.buffered
    return raw


def _streaming_body() -> type:
    from botocore.response import StreamingBody

    cls: type = StreamingBody
    return cls
