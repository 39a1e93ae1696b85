"""Bodies of ``botocore`` that can be read once: read ahead, and still there to be read as they came.

A body is what the connection gives. All of it is read here at once, as most applications do; what the application reads
afterwards are the same bytes and then, where the connection broke, the error that it broke with.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_RAW_OPTIONS: dict[str, Any] = {"decode_content": False, "enforce_content_length": False}


@dataclass(frozen=True, slots=True)
class _ReadFailure:
    """How reading ended that did not reach the end."""

    error: Exception
    is_all_or_nothing: bool
    """Whether a connection gives nothing of what it cannot give all of: it does not know how much there is."""
    body_reports_end: bool
    """Whether it is the body that then tells that it is less than was promised."""


class _BufferedBytes(io.BytesIO):
    """What was read, to be read again until it breaks off."""

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
        """For `StreamingBody.set_socket_timeout`: there is nothing left to wait for."""

    @property
    def _sock(self) -> _BufferedBytes:
        return self

    fp = raw = _sock


def is_streaming_body(value: Any) -> bool:
    """Whether something is a body that can be read once."""
    return isinstance(value, _streaming_body())


def buffered_bytes(body: Any) -> bytes | None:
    """The bytes of a body that was read ahead; None of one that was not, or not to its end."""
    return getattr(getattr(body, "_raw_stream", None), "specspan_kept", None)


def buffer_body(body: Any) -> None:
    """Read all of a body, and leave it to be read."""
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
    """A body like the given one that says something else."""
    return type(body)(_as_raw_stream(_BufferedBytes(data), body._raw_stream), len(data))


def _as_raw_stream(read: _BufferedBytes, source: Any) -> Any:
    """What a body reads from, in place of its connection."""
    from urllib3 import HTTPResponse

    headers, status = getattr(source, "headers", None), getattr(source, "status", 200)
    raw: Any = HTTPResponse(read, headers, status, preload_content=False, **_RAW_OPTIONS)
    raw.specspan_buffered = read.buffered
    return raw


@lru_cache(maxsize=1)
def _streaming_body() -> type:
    from botocore.response import StreamingBody

    found: type = StreamingBody
    return found
