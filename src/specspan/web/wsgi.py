"""WSGI middleware: specspan is configured with the application, and the calls of a request have a context.

Source: https://peps.python.org/pep-3333/
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import Context, copy_context
from typing import Any, TypeAlias

from specspan.instrument.context import context
from specspan.instrument.install import instrument
from specspan.runtime.configure import configure

Environ: TypeAlias = dict[str, Any]
Application: TypeAlias = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class WsgiMiddleware:
    """Middleware of Django, Flask, and any other WSGI application.

    Processes that a server forks after this go on recording; at the end of a process, what was recorded is handed over.
    """

    def __init__(
        self,
        app: Application,
        *,
        context_of: Callable[[Environ], Mapping[str, Any]] | None = None,
        clients: tuple[str, ...] = (),
        **options: Any,
    ) -> None:
        """Wrap an application, and configure specspan.

        Args:
            app: the application.
            context_of: what `specspan.context` is given for the calls of a request, by its WSGI environ.
            clients: what `specspan.instrument` is given; by default every supported client that is installed.
            options: what `specspan.configure` is given.

        Raises:
            ConfigurationError, PolicyError: as `specspan.configure`.
        """
        self._app = app
        self._context_of = context_of
        configure(**options)
        instrument(*clients)

    def __call__(self, environ: Environ, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Run the application; the context also holds while a streamed answer is made."""
        if self._context_of is None:
            return self._app(environ, start_response)
        request = copy_context()
        request.run(context(**self._context_of(environ)).__enter__)
        answer = request.run(self._app, environ, start_response)
        return answer if isinstance(answer, (list, tuple)) else _Answer(answer, request)


class _Answer:
    """Streamed answer whose parts are made in the context of its request."""

    def __init__(self, parts: Iterable[bytes], request: Context) -> None:
        self._parts = parts
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        iterator = self._request.run(iter, self._parts)
        end = object()
        while (part := self._request.run(next, iterator, end)) is not end:
            yield part  # type: ignore[misc]  # `end` is none of them

    def close(self) -> None:
        """Close the application's answer, as the server would."""
        close = getattr(self._parts, "close", None)
        if close is not None:
            self._request.run(close)
