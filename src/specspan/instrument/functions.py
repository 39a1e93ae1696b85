"""Functions of the application's own that are model calls: a local model, a client that no provider module knows.

The adapter is the smallest there is: text in, text out. Everything else is what every provider's calls go through.
"""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from specspan.call import Message, Request, Response, Text
from specspan.engine.steps import arun, run
from specspan.instrument.adapter import Adapter, Edits, Invocation
from specspan.instrument.flow import Flow
from specspan.instrument.generators import first_step
from specspan.instrument.lifecycle import LiveCall, passed_by
from specspan.instrument.pipeline import Handler, Pipeline
from specspan.instrument.streams import pull, pull_async
from specspan.instrument.work import Driven, driven, named_like
from specspan.instrument.wrapper import call, call_async


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
        through = call

    def handle(
        pipeline: Pipeline, wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        if passed_by(None):
            return wrapped(*args, **kwargs)
        return through(adapter, pipeline, wrapped, Invocation(instance, args, kwargs))

    return handle


def _coroutine(adapter: Adapter, pipeline: Pipeline, wrapped: Callable[..., Any], invocation: Invocation) -> Any:
    return named_like(wrapped, call_async(adapter, pipeline, wrapped, invocation))


def _stream(adapter: Adapter, pipeline: Pipeline, wrapped: Callable[..., Any], invocation: Invocation) -> Any:
    body = ModelBody(adapter, pipeline, wrapped, invocation)
    return driven(body, wrapped, invocation.args, invocation.kwargs)


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


class ModelBody(Driven):
    """A generator's body that is a model's stream: the call is made with its first turn."""

    __slots__ = ("_adapter", "_called", "_flow", "_invocation", "_pipeline")

    def __init__(
        self, adapter: Adapter, pipeline: Pipeline, called: Callable[..., Any], invocation: Invocation
    ) -> None:
        super().__init__()
        self._adapter = adapter
        self._pipeline = pipeline
        self._called = called
        self._invocation = invocation
        self._flow: Flow | None = None

    def send(self, value: Any) -> Any:
        flow = self._flow or self._open()
        return pull(flow, self.body.close, self.body.send, value)

    def throw(self, error: BaseException) -> Any:
        self.reader.throws(error)
        return pull(self._flow or self._open(), self.body.close, self.body.throw, error)

    async def asend(self, value: Any) -> Any:
        if self._flow is None:
            flow = await self._open_async()
            return await pull_async(flow, self.body.aclose, first_step, self.body)
        return await pull_async(self._flow, self.body.aclose, self.body.asend, value)

    async def athrow(self, error: BaseException) -> Any:
        self.reader.throws(error)
        return await pull_async(self._flow or await self._open_async(), self.body.aclose, self.body.athrow, error)

    def _open(self) -> Flow:
        live = LiveCall(self._adapter, self._pipeline, self._invocation)
        try:
            return self._begun(live, run(live.input(self._invocation)))
        except BaseException as error:
            live.left_by(error)
            raise

    async def _open_async(self) -> Flow:
        live = LiveCall(self._adapter, self._pipeline, self._invocation)
        try:
            return self._begun(live, await arun(live.input(self._invocation)))
        except BaseException as error:
            live.left_by(error)
            raise

    def _begun(self, live: LiveCall, sent: Invocation) -> Flow:
        if sent is not self._invocation:
            self.body = self._called(*sent.args, **sent.kwargs)
        live.attach()  # for good: the context is the body's own
        self._flow = Flow(live, self.reader.ending)
        weakref.finalize(self, self._flow.abandoned)
        return self._flow
