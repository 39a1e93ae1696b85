"""Ways to ask a client that has ``create``, ``with_raw_response`` and ``with_streaming_response``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from operator import attrgetter
from typing import Any

from enforcement_http import Clients, Service
from enforcement_output import Output

PLAIN = ("raw", "streaming_response", "posted", "async_posted")
STREAMED = ("raw_stream", "streaming_response_stream")
DOORS = ("door_lines", "door_bytes", "door_raw", "async_door", "raw_stream_bytes")
"""Modes that read the response below a watched stream."""


class Resource:
    """One resource of a client, sync and async, with the parameters of every call."""

    def __init__(self, http: Any, sync: Any, later: Any, path: str, asked: Mapping[str, Any], posted: str = "") -> None:
        def made(transport: Any, is_async: bool) -> Any:
            over = (http.AsyncClient if is_async else http.Client)(transport=transport)
            return (later if is_async else sync)(api_key="test", http_client=over, max_retries=0)

        self._clients = Clients(made, http)
        self._path = attrgetter(path)
        self._posted = posted
        self.asked = asked

    def sync(self, service: Service) -> Any:
        """Return the resource of the client that blocks."""
        return self._path(self._clients.client(service))

    def later(self, service: Service) -> Any:
        """Return the resource of the client that is awaited."""
        return self._path(self._clients.client(service, is_async=True))

    def modes(self) -> dict[str, Callable[..., Any]]:
        """Return the ways to ask for an answer, by name."""
        return {
            "plain": self._plain,
            "async": self._plain_async,
            "raw": self._raw,
            "streaming_response": self._streaming_response,
            "posted": self._post,
            "async_posted": self._post_async,
            "stream": self._stream,
            "async_stream": self._stream_async,
            "raw_stream": self._raw_stream,
            "raw_stream_bytes": self._raw_stream_bytes,
            "streaming_response_stream": self._streaming_response_stream,
            "door_lines": partial(self._door, "iter_lines"),
            "door_bytes": partial(self._door, "iter_bytes"),
            "door_raw": partial(self._door, "iter_raw"),
            "async_door": self._async_door,
        }

    def fetched(self, name: str, *args: Any, **asked: Any) -> dict[str, Callable[..., Any]]:
        """Return the ways to fetch by the method ``name`` an answer that was made before."""

        def plain(service: Service, output: Output, request: Mapping[str, Any]) -> None:
            output.take(getattr(self.sync(service), name)(*args, **asked))

        async def later(service: Service, output: Output, request: Mapping[str, Any]) -> None:
            output.take(await getattr(self.later(service), name)(*args, **asked))

        def raw(service: Service, output: Output, request: Mapping[str, Any]) -> None:
            answer = getattr(self.sync(service).with_raw_response, name)(*args, **asked)
            output.take(answer.http_response.content)
            output.take(answer.parse())

        def streaming_response(service: Service, output: Output, request: Mapping[str, Any]) -> None:
            with getattr(self.sync(service).with_streaming_response, name)(*args, **asked) as answer:
                output.take_bytes(answer.iter_bytes())

        ways = {"": plain, "async_": later, "raw_": raw, "streaming_response_": streaming_response}
        return {f"{way}{name}": ask for way, ask in ways.items()}

    def _plain(self, service: Service, output: Output, request: Mapping[str, Any]) -> None:
        output.take(self.sync(service).create(**self.asked, **request))

    async def _plain_async(self, service: Service, output: Output, request: Mapping[str, Any]) -> None:
        output.take(await self.later(service).create(**self.asked, **request))

    def _raw(self, service: Service, output: Output, request: Mapping[str, Any]) -> None:
        raw = self.sync(service).with_raw_response.create(**self.asked, **request)
        output.take(raw.http_response.content)
        output.take(raw.http_response.text)
        output.take(raw.parse())

    def _streaming_response(self, service: Service, output: Output, request: Mapping[str, Any]) -> None:
        with self.sync(service).with_streaming_response.create(**self.asked, **request) as answer:
            output.take_bytes(answer.iter_bytes())

    def _post(self, service: Service, output: Output, request: Mapping[str, Any]) -> None:
        client = self._clients.client(service)
        output.take(client.post(self._posted, cast_to=object, body={**self.asked, **request}))

    async def _post_async(self, service: Service, output: Output, request: Mapping[str, Any]) -> None:
        client = self._clients.client(service, is_async=True)
        output.take(await client.post(self._posted, cast_to=object, body={**self.asked, **request}))

    def _stream(self, service: Service, output: Output, request: Mapping[str, Any]) -> None:
        for each in self.sync(service).create(**self.asked, **request, stream=True):
            output.take(each)

    async def _stream_async(self, service: Service, output: Output, request: Mapping[str, Any]) -> None:
        async for each in await self.later(service).create(**self.asked, **request, stream=True):
            output.take(each)

    def _raw_stream(self, service: Service, output: Output, request: Mapping[str, Any]) -> None:
        for each in self.sync(service).with_raw_response.create(**self.asked, **request, stream=True).parse():
            output.take(each)

    def _raw_stream_bytes(self, service: Service, output: Output, request: Mapping[str, Any]) -> None:
        raw = self.sync(service).with_raw_response.create(**self.asked, **request, stream=True)
        output.take_bytes(raw.http_response.iter_bytes())

    def _streaming_response_stream(self, service: Service, output: Output, request: Mapping[str, Any]) -> None:
        with self.sync(service).with_streaming_response.create(**self.asked, **request, stream=True) as answer:
            output.take_bytes(answer.iter_lines())

    def _door(self, read: str, service: Service, output: Output, request: Mapping[str, Any]) -> None:
        opened = self.sync(service).create(**self.asked, **request, stream=True)
        output.take_bytes(getattr(opened.response, read)())

    async def _async_door(self, service: Service, output: Output, request: Mapping[str, Any]) -> None:
        opened = await self.later(service).create(**self.asked, **request, stream=True)
        lines = []
        try:
            async for line in opened.response.aiter_lines():
                lines.append(line)  # noqa: PERF401  # an error keeps the lines before it
        finally:
            output.take_bytes(lines)
