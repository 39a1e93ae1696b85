"""Bodies of ``botocore`` that can be read once: read ahead, and still there to be read as they came.

A body is what the connection gives. All of it is read here at once, as most applications do; what the application reads
afterwards are the same bytes and then, where the connection broke, the error that it broke with.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

_AS_IT_IS: dict[str, Any] = {"decode_content": False, "enforce_content_length": False}


@dataclass(frozen=True, slots=True)
class _Break:
    """How reading ended that did not reach the end."""

    error: Exception
    withholds: bool
    """Whether a connection gives nothing of what it cannot give all of: it does not know how much there is."""
    ends_quietly: bool
    """Whether it is the body that then tells that it is less than was promised."""


class _Bytes(io.BytesIO):
    """What was read, to be read again until it breaks off."""

    def __init__(self, data: bytes, broken: _Break | None = None) -> None:
        super().__init__(data)
        self.kept = data if broken is None else None
        self._size_bytes = len(data)
        self._broken = broken

    def read(self, size: int | None = -1, /) -> bytes:
        if self._broken is not None and self._breaks(self._broken, size):
            raise self._broken.error
        return super().read(size)

    def _breaks(self, broken: _Break, size: int | None) -> bool:
        left = self._size_bytes - self.tell()
        if size is None or size < 0 or (left < size and broken.withholds):
            return True
        return not left and not broken.ends_quietly

    def settimeout(self, timeout_s: float) -> None:
        """For `StreamingBody.set_socket_timeout`: there is nothing left to wait for."""

    @property
    def _sock(self) -> _Bytes:
        return self

    fp = raw = _sock


def is_body(value: Any) -> bool:
    """Whether something is a body that can be read once."""
    return isinstance(value, _streaming_body())


def kept(body: Any) -> bytes | None:
    """The bytes of a body that was read ahead; None of one that was not, or not to its end."""
    return getattr(getattr(body, "_raw_stream", None), "specspan_kept", None)


def read_ahead(body: Any) -> None:
    """Read all of a body, and leave it to be read."""
    source = body._raw_stream
    try:
        read = _Bytes(source.read())
    except Exception as error:
        arrived = next((each.partial for each in error.args if isinstance(getattr(each, "partial", 0), bytes)), None)
        is_measured = body._content_length is not None
        raises_itself = arrived is None or getattr(source, "enforce_content_length", False)
        read = _Bytes(arrived or b"", _Break(error, not is_measured, is_measured and not raises_itself))
    body._raw_stream = _raw(read, source)


def with_bytes(body: Any, data: bytes) -> Any:
    """A body like the given one that says something else."""
    return type(body)(_raw(_Bytes(data), body._raw_stream), len(data))


def _raw(read: _Bytes, source: Any) -> Any:
    """What a body reads from, in place of its connection."""
    from urllib3 import HTTPResponse

    headers, status = getattr(source, "headers", None), getattr(source, "status", 200)
    raw: Any = HTTPResponse(read, headers, status, preload_content=False, **_AS_IT_IS)
    raw.specspan_kept = read.kept
    return raw


@lru_cache(maxsize=1)
def _streaming_body() -> type:
    from botocore.response import StreamingBody

    found: type = StreamingBody
    return found
