"""``@observe``: a span for every call of a function of the application's own."""

from __future__ import annotations

import copy
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast, overload

import wrapt

from specspan.call import Attribute
from specspan.instrument.functions import model_call, text_adapter
from specspan.instrument.pipeline import Handler, Pipeline, active
from specspan.instrument.work import Body, Work, driven, named_like

F = TypeVar("F", bound=Callable[..., Any])


@overload
def observe(function: F, /) -> F: ...


@overload
def observe(*, name: str | None = None, attributes: Mapping[str, Attribute] | None = None) -> Callable[[F], F]: ...


@overload
def observe(*, model: str, provider: str = "custom", operation: str = "chat") -> Callable[[F], F]: ...


def observe(
    function: F | None = None,
    /,
    *,
    name: str | None = None,
    attributes: Mapping[str, Attribute] | None = None,
    model: str | None = None,
    provider: str = "custom",
    operation: str = "chat",
) -> F | Callable[[F], F]:
    """Give every call of a function, method, coroutine, generator or async generator a span, current in its body.

    ``name`` is the span's, in place of the function's qualified name; ``attributes`` are set on it. Arguments and
    results are neither recorded nor touched, and until `specspan.configure` is called nothing at all happens.

    With ``model`` the function *is* a model call, of a local model or through a client that specspan does not know:
    its arguments that are strings are the input, the string it returns, or the strings it yields, are the output, and
    the policy decides them as it does every model call. `Blocked` is raised before the body runs, or in place of the
    result. ``provider`` and ``operation`` are those of OpenTelemetry's GenAI conventions.

    A generator's body runs in a copy of the `contextvars` context in which it was called: nothing that it sets there
    reaches its consumer. Its span starts with the first value asked for and ends with the body, however that comes
    about.

    Raises:
        TypeError: what is decorated is a class, or nothing that can be called; or a model call is given a name or
            attributes, which the conventions give it.
    """
    if model is not None and (name is not None or attributes is not None):
        raise TypeError("a model call is named by its operation and model: leave out 'name' and 'attributes'")

    def decorate(function: F) -> F:
        plain = getattr(function, "__func__", function)  # inside a staticmethod or classmethod
        if isinstance(plain, type) or not callable(plain):
            raise TypeError(f"observe decorates functions, and {plain!r} is none; decorate its methods")
        if model is not None:
            return handled_by(function, model_call(text_adapter(model, provider, operation, plain), plain))
        return handled_by(function, _work(plain, name or _name(plain), attributes or {}))

    return decorate if function is None else decorate(function)


def handled_by(function: F, handle: Handler) -> F:
    """``function`` with every call of it made by ``handle`` once a pipeline is active."""

    def wrapper(wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        pipeline = active()
        if pipeline is None:
            return wrapped(*args, **kwargs)
        return handle(pipeline, wrapped, instance, args, kwargs)

    return cast(F, _Observed(function, wrapper))


class _Bound(wrapt.BoundFunctionWrapper):  # type: ignore[type-arg]  # generic only in later versions
    """A decorated method of something; pickled and copied like any method, by what it is bound to and its name."""

    def __reduce_ex__(self, protocol: object) -> Any:
        bound_to = getattr(self, "__self__", None)  # a static method is bound to nothing
        if bound_to is None:
            return pkgutil.resolve_name, (f"{self.__module__}:{self.__qualname__}",)
        return getattr, (bound_to, self.__name__)

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        bound_to = getattr(self, "__self__", None)
        return self if bound_to is None else getattr(copy.deepcopy(bound_to, memo), self.__name__)


class _Observed(wrapt.FunctionWrapper):  # type: ignore[type-arg]  # as above
    """A decorated function; pickled and copied like any function, by its name and as itself."""

    __bound_function_wrapper__ = _Bound

    def __reduce_ex__(self, protocol: object) -> Any:
        return self.__qualname__

    def __copy__(self) -> Any:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self


def _work(function: Callable[..., Any], name: str, attributes: Mapping[str, Attribute]) -> Handler:
    """What gives every call of ``function`` a span, by the kind of function it is."""

    def begin(pipeline: Pipeline) -> Work:
        return Work(pipeline.recorder, name, attributes)

    def call(
        pipeline: Pipeline, wrapped: Callable[..., Any], _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        with begin(pipeline):
            return wrapped(*args, **kwargs)

    def call_async(
        pipeline: Pipeline, wrapped: Callable[..., Any], _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        async def awaited() -> Any:
            with begin(pipeline):
                return await wrapped(*args, **kwargs)

        return named_like(wrapped, awaited())

    def generate(
        pipeline: Pipeline, wrapped: Callable[..., Any], _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        return driven(Body(lambda: begin(pipeline)), wrapped, args, kwargs)

    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return generate
    return call_async if inspect.iscoroutinefunction(function) else call


def _name(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__qualname__", None) or type(function).__qualname__)
