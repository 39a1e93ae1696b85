"""``@observe``: a span for every call of a function of the application's own."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from contextvars import copy_context
from typing import Any, TypeVar, cast, overload

import wrapt

from specspan.call import Attribute
from specspan.instrument.generators import relay, relay_async
from specspan.instrument.pipeline import Pipeline, active
from specspan.instrument.work import Body, Work

F = TypeVar("F", bound=Callable[..., Any])
Begin = Callable[[Pipeline], Work]
Called = Callable[[Begin, Pipeline, Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]


@overload
def observe(function: F, /) -> F: ...


@overload
def observe(*, name: str | None = None, attributes: Mapping[str, Attribute] | None = None) -> Callable[[F], F]: ...


def observe(
    function: F | None = None, /, *, name: str | None = None, attributes: Mapping[str, Attribute] | None = None
) -> F | Callable[[F], F]:
    """Give every call of a function, method, coroutine, generator or async generator a span, current in its body.

    ``name`` is the span's, in place of the function's qualified name; ``attributes`` are set on it. Arguments and
    results are neither recorded nor touched, and until `specspan.configure` is called nothing at all happens.

    A generator's body runs in a copy of the `contextvars` context in which it was called: nothing that it sets there
    reaches its consumer. Its span starts with the first value asked for and ends with the body, however that comes
    about.

    Raises:
        TypeError: ``function`` is a class, or nothing that can be called.
    """

    def decorate(function: F) -> F:
        plain = getattr(function, "__func__", function)  # inside a staticmethod or classmethod
        if isinstance(plain, type) or not callable(plain):
            raise TypeError(f"observe decorates functions, and {plain!r} is none; decorate its methods")
        return _wrapped(function, _how_called(plain), name or _name(plain), attributes or {})

    return decorate if function is None else decorate(function)


def _wrapped(function: F, called: Called, name: str, attributes: Mapping[str, Attribute]) -> F:
    def begin(pipeline: Pipeline) -> Work:
        return Work(pipeline.recorder, name, attributes)

    def wrapper(wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        pipeline = active()
        if pipeline is None:
            return wrapped(*args, **kwargs)
        return called(begin, pipeline, wrapped, args, kwargs)

    return cast(F, wrapt.FunctionWrapper(function, wrapper))


def _how_called(function: Callable[..., Any]) -> Called:
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return _generator
    return _coroutine if inspect.iscoroutinefunction(function) else _function


def _function(
    begin: Begin, pipeline: Pipeline, wrapped: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    with begin(pipeline):
        return wrapped(*args, **kwargs)


def _coroutine(
    begin: Begin, pipeline: Pipeline, wrapped: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    async def awaited() -> Any:
        with begin(pipeline):
            return await wrapped(*args, **kwargs)

    return _called_like(wrapped, awaited())


def _generator(
    begin: Begin, pipeline: Pipeline, wrapped: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    body = Body(lambda: begin(pipeline))
    driver = (relay_async if inspect.isasyncgenfunction(wrapped) else relay)(copy_context(), body)
    body.run(wrapped(*args, **kwargs), driver)
    return _called_like(wrapped, driver)


def _called_like(function: Callable[..., Any], made: Any) -> Any:
    """Give a coroutine or generator of ours the name of the function's own, for warnings and tracebacks."""
    made.__name__ = getattr(function, "__name__", made.__name__)
    made.__qualname__ = getattr(function, "__qualname__", made.__qualname__)
    return made


def _name(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__qualname__", None) or type(function).__qualname__)
