"""The fake service behind every client over HTTP: one answer, in pieces, without a network."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any


@dataclass
class Service:
    """The answer that the service gives, and the requests that it got."""

    pieces: tuple[bytes, ...] = ()
    is_stream: bool = False
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    requests: list[bytes] = field(default_factory=list)

    @property
    def content_type(self) -> str:
        """Return the media type of the answer."""
        return "text/event-stream" if self.is_stream else "application/json"


def transport(http: ModuleType, service: Service) -> Any:
    """Return a mock transport of an HTTP library, ``httpx`` or one of its shape, that answers as the service does."""

    class Pieces(http.SyncByteStream, http.AsyncByteStream):  # type: ignore[misc, name-defined]  # either library
        def __iter__(self) -> Iterator[bytes]:
            return iter(service.pieces)

        async def __aiter__(self) -> AsyncIterator[bytes]:
            for piece in service.pieces:
                yield piece

        def close(self) -> None:
            """Nothing is open."""

        async def aclose(self) -> None:
            """Nothing is open."""

    def answer(request: Any) -> Any:
        service.requests.append(request.content)
        headers = {"content-type": service.content_type} | service.headers
        return http.Response(service.status, headers=headers, stream=Pieces())

    return http.MockTransport(answer)
