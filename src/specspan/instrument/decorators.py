"""``@observe``: a span for every call of a function of the application's own."""

from __future__ import annotations

import copy
import inspect
import pkgutil
import weakref
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar, cast, overload

import wrapt

from specspan.call import Attribute, Message, Request, Response, Text
from specspan.engine.waiting import run_async, run_sync
from specspan.instrument.adapter import Adapter, Edits, Invocation
from specspan.instrument.live_call import LiveCall, should_skip
from specspan.instrument.pipeline import Handler, Pipeline, active
from specspan.instrument.stream_proxies import pull, pull_async
from specspan.instrument.streamed_call import StreamedCall
from specspan.instrument.work_span import Body, GeneratorBody, WorkSpan, drive, name_after, start_async_generator
from specspan.instrument.wrapper import run_call, run_call_async

# MERGED functions: Functions of the application's own that are model calls: a local model, a client that no
# provider module knows.
#
# The adapter is the smallest there is: text in, text out. Everything else is what every provider's calls go through.


def text_adapter(model: str, provider: str, operation: str, function: Callable[..., Any]) -> Adapter:
    """The adapter of a function: its arguments that are strings are the input, what it returns is the output."""
    streaming = inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)

    def request(invocation: Invocation) -> Request:
        messages = tuple([Message("user", (Text(text),)) for _, text in _texts(invocation)])
        return Request(provider, operation, model, input=messages, streaming=streaming)

    return Adapter(
        provider=provider,
        operation=operation,
        request=request,
        response=_response,
        edit_request=_edit_request,
        edit_response=_edit_response,
        accumulator=lambda _: TextAccumulator(),
        deltas=_deltas,
        cut=lambda chunk, choice, text: text,
    )


def model_call(adapter: Adapter, function: Callable[..., Any]) -> Handler:
    """What makes every call of ``function`` a model call, by the kind of function it is."""
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        through = _stream
    elif inspect.iscoroutinefunction(function):
        through = _coroutine
    else:
        through = run_call

    def handle(
        pipeline: Pipeline, wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if should_skip(None):
            return wrapped(*args, **kwargs)
        return through(adapter, pipeline, wrapped, Invocation(instance, args, kwargs))

    return handle


def _coroutine(adapter: Adapter, pipeline: Pipeline, wrapped: Callable[..., Any], invocation: Invocation) -> Any:
    return name_after(wrapped, run_call_async(adapter, pipeline, wrapped, invocation))


def _stream(adapter: Adapter, pipeline: Pipeline, wrapped: Callable[..., Any], invocation: Invocation) -> Any:
    body = ModelBody(adapter, pipeline, wrapped, invocation)
    return drive(body, wrapped, invocation.args, invocation.kwargs)


class TextAccumulator:
    """Joins the strings that a generator yields. That it is finished, it says by ending."""

    finished = False

    def __init__(self) -> None:
        self._texts: list[str] = []

    def add(self, chunk: Any) -> None:
        if isinstance(chunk, str):
            self._texts.append(chunk)

    def result(self) -> str:
        return "".join(self._texts)


def _texts(invocation: Invocation) -> Iterator[tuple[Hashable, str]]:
    """Every argument that is a string, by its position or its name."""
    for arguments in (enumerate(invocation.args), invocation.kwargs.items()):
        for at, argument in arguments:
            if isinstance(argument, str):
                yield at, argument


def _edit_request(invocation: Invocation, edits: Edits) -> Invocation:
    new: Mapping[Hashable, str] = {
        at: edits.get(f"/input/{i}/parts/0", text) for i, (at, text) in enumerate(_texts(invocation))
    }
    args = tuple(new.get(position, argument) for position, argument in enumerate(invocation.args))
    kwargs = {name: new.get(name, argument) for name, argument in invocation.kwargs.items()}
    return replace(invocation, args=args, kwargs=kwargs)


def _response(result: Any) -> Response:
    return Response(output=(Message("assistant", (Text(result),)),) if isinstance(result, str) and result else ())


def _edit_response(result: Any, edits: Edits) -> Any:
    return edits.get("/output/0/parts/0", result)


def _deltas(chunk: Any) -> tuple[tuple[int, str], ...]:
    return ((0, chunk),) if isinstance(chunk, str) else ()


class ModelBody(GeneratorBody):
    """A generator's body that is a model's stream: the call is made with its first turn."""

    __slots__ = ("_adapter", "_call", "_called", "_invocation", "_pipeline")

    def __init__(
        self, adapter: Adapter, pipeline: Pipeline, called: Callable[..., Any], invocation: Invocation
    ) -> None:
        super().__init__()
        self._adapter = adapter
        self._pipeline = pipeline
        self._called = called
        self._invocation = invocation
        self._call: StreamedCall | None = None

    def send(self, value: Any) -> Any:
        return pull(self._call or self._open(), self.body.close, self.body.send, value)

    def throw(self, error: BaseException) -> Any:
        self.reader.throws(error)
        return pull(self._call or self._open(), self.body.close, self.body.throw, error)

    async def asend(self, value: Any) -> Any:
        if self._call is None:
            call = await self._open_async()
            return await pull_async(call, self.body.aclose, start_async_generator, self.body)
        return await pull_async(self._call, self.body.aclose, self.body.asend, value)

    async def athrow(self, error: BaseException) -> Any:
        self.reader.throws(error)
        return await pull_async(self._call or await self._open_async(), self.body.aclose, self.body.athrow, error)

    def _open(self) -> StreamedCall:
        live = LiveCall(self._adapter, self._pipeline, self._invocation)
        try:
            return self._begun(live, run_sync(live.input(self._invocation)))
        except BaseException as error:
            live.fail(error)
            raise

    async def _open_async(self) -> StreamedCall:
        live = LiveCall(self._adapter, self._pipeline, self._invocation)
        try:
            return self._begun(live, await run_async(live.input(self._invocation)))
        except BaseException as error:
            live.fail(error)
            raise

    def _begun(self, live: LiveCall, sent: Invocation) -> StreamedCall:
        if sent is not self._invocation:
            self.body = self._called(*sent.args, **sent.kwargs)
        live.attach()  # for good: the context is the body's own
        self._call = StreamedCall(live, self.reader.ending)
        weakref.finalize(self, self._call.abandoned)
        return self._call


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

    def begin(pipeline: Pipeline) -> WorkSpan:
        return WorkSpan(pipeline.recorder, name, attributes)

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

        return name_after(wrapped, awaited())

    def generate(
        pipeline: Pipeline, wrapped: Callable[..., Any], _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        return drive(Body(lambda: begin(pipeline)), wrapped, args, kwargs)

    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        return generate
    return call_async if inspect.iscoroutinefunction(function) else call


def _name(function: Callable[..., Any]) -> str:
    return str(getattr(function, "__qualname__", None) or type(function).__qualname__)
