"""The fake service behind every client over HTTP: one answer, in pieces, without a network."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
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


class Current:
    """The service that a client asks now: clients are made once, services for each call."""

    service: Service

    def transport(self, http: ModuleType) -> Any:
        """Return a mock transport of an HTTP library, ``httpx`` or one of its shape, that asks the current service."""

        class Pieces(http.SyncByteStream, http.AsyncByteStream):  # type: ignore[misc, name-defined]  # either library
            def __init__(self, pieces: tuple[bytes, ...]) -> None:
                self._pieces = pieces

            def __iter__(self) -> Iterator[bytes]:
                return iter(self._pieces)

            async def __aiter__(self) -> AsyncIterator[bytes]:
                for piece in self._pieces:
                    yield piece

            def close(self) -> None:
                """Do nothing: no connection is open."""

            async def aclose(self) -> None:
                """Do nothing: no connection is open."""

        def answer(request: Any) -> Any:
            service = self.service
            service.requests.append(request.content)
            headers = {"content-type": service.content_type} | service.headers
            return http.Response(service.status, headers=headers, stream=Pieces(service.pieces))

        return http.MockTransport(answer)


class Clients:
    """Clients of one library over the current service, each made once."""

    def __init__(self, make: Callable[[Any, bool], Any], http: ModuleType) -> None:
        self._make = make
        self._http = http
        self._current = Current()
        self._made: dict[bool, Any] = {}

    def client(self, service: Service, *, is_async: bool = False) -> Any:
        """Return the client that blocks or the one that is awaited; it asks ``service`` from now on."""
        self._current.service = service
        if is_async not in self._made:
            self._made[is_async] = self._make(self._current.transport(self._http), is_async)
        return self._made[is_async]
