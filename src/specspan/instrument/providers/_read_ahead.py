"""Bodies of ``botocore`` that can be read once: read ahead, and still there to be read as they came.

A body is what the connection gives. All of it is read here, piece by piece; what the application reads afterwards are
the same bytes and then, where the connection broke, the very error that it broke with.
"""

from __future__ import annotations

import io
from functools import lru_cache
from typing import Any

_PIECE_BYTES = 65_536
_AS_IT_IS: dict[str, Any] = {"decode_content": False, "enforce_content_length": False}


class _Bytes(io.BytesIO):
    """What was read, and what reading it ended with."""

    def __init__(self, data: bytes, error: Exception | None) -> None:
        super().__init__(data)
        self._error = error

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if self._error is not None and (not data or size is None or size < 0):
            raise self._error
        return data

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
    pieces: list[bytes] = []
    failed: Exception | None = None
    try:
        while piece := source.read(_PIECE_BYTES):
            pieces.append(piece)
    except Exception as error:
        failed = error
    body._raw_stream = _raw(b"".join(pieces), failed, source)


def with_bytes(body: Any, data: bytes) -> Any:
    """A body like the given one that says something else."""
    return type(body)(_raw(data, None, body._raw_stream), len(data))


def _raw(data: bytes, failed: Exception | None, before: Any) -> Any:
    """What a body reads from, in place of a connection."""
    from urllib3 import HTTPResponse

    headers, status = getattr(before, "headers", None), getattr(before, "status", 200)
    raw: Any = HTTPResponse(_Bytes(data, failed), headers, status, preload_content=False, **_AS_IT_IS)
    if failed is None:
        raw.specspan_kept = data
    return raw


@lru_cache(maxsize=1)
def _streaming_body() -> type:
    from botocore.response import StreamingBody

    found: type = StreamingBody
    return found
