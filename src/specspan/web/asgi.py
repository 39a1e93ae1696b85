"""ASGI middleware: specspan is configured when the server starts and shut down when it stops; requests have a context.

Source: https://asgi.readthedocs.io/en/latest/specs/lifespan.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, TypeAlias

from specspan.errors import SpecspanError
from specspan.instrument.context import context
from specspan.instrument.install import instrument
from specspan.runtime.configure import configure, shutdown

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


_ENDS = ("lifespan.shutdown.complete", "lifespan.shutdown.failed")


class AsgiMiddleware:
    """Middleware of FastAPI, Starlette, Django under ASGI, and any other ASGI application.

    Servers end their processes in different ways, some by the signal that they got, which skips `atexit`. The end of
    the lifespan comes in all of them.
    """

    def __init__(
        self,
        app: Application,
        *,
        context_of: Callable[[Scope], Mapping[str, Any]] | None = None,
        clients: tuple[str, ...] = (),
        **options: Any,
    ) -> None:
        """Wrap an application; nothing is configured before its lifespan, or its first request, starts.

        Args:
            app: the application.
            context_of: what `specspan.context` is given for the calls of a request, by its ASGI scope.
            clients: what `specspan.instrument` is given; by default every supported client that is installed.
            options: what `specspan.configure` is given. Where it refuses them, the server does not start; where the
                server sends no lifespan, every request fails.
        """
        self._app = app
        self._context_of = context_of
        self._clients = clients
        self._options = options
        self._is_started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application for one connection, or for its lifespan.

        Raises:
            ConfigurationError, PolicyError: as `specspan.configure`, on a server that sends no lifespan.
        """
        if scope["type"] == "lifespan":
            await self._run_lifespan(scope, receive, send)
            return
        self._start()
        if self._context_of is None:
            await self._app(scope, receive, send)
        else:
            with context(**self._context_of(scope)):
                await self._app(scope, receive, send)

    def _start(self) -> None:
        if not self._is_started:
            configure(**self._options)
            instrument(*self._clients)
            self._is_started = True

    async def _run_lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._start()
        except SpecspanError as error:
            await receive()
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        lifespan = _Lifespan(receive, send)
        try:
            await self._app(scope, lifespan.receive, lifespan.send)
        except Exception:  # this is how an application says that it has no lifespan
            if lifespan.has_answered:
                raise
            await lifespan.run_alone()


class _Lifespan:
    """Lifespan of an application, before whose end everything that was recorded is handed over."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._has_begun = False
        self.has_answered = False
        """True once the application has said anything."""

    async def receive(self) -> MutableMapping[str, Any]:
        self._has_begun = True
        return await self._receive()

    async def send(self, message: MutableMapping[str, Any]) -> None:
        self.has_answered = True
        if message["type"] in _ENDS:  # the server may end the process as soon as it has this
            await asyncio.get_running_loop().run_in_executor(None, shutdown)
        await self._send(message)

    async def run_alone(self) -> None:
        """Answer the server in place of an application that does not."""
        if not self._has_begun:
            await self.receive()
        await self.send({"type": "lifespan.startup.complete"})
        await self.receive()
        await self.send({"type": "lifespan.shutdown.complete"})
