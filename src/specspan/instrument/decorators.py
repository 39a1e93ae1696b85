"""``@observe``: a span for every call of a function of the application's own, or a model call.

A function that is a model call, of a local model or through a client that no provider module knows, has the smallest
adapter there is: text in, text out. Everything else about it is as for every provider's calls.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple, TypeVar, overload

from specspan._support.collected import when_collected
from specspan.call import Attribute, Message, Part, Request, Response, Text
from specspan.engine.waiting import run_async, run_sync
from specspan.instrument.adapter import Adapter, Delta, Edits, Invocation, Streaming
from specspan.instrument.block_base import decorate, plain_function
from specspan.instrument.dispatch import dispatch, is_generator_function
from specspan.instrument.gate import Pipeline
from specspan.instrument.generators import GeneratorBody, drive, name_after, start_async_generator
from specspan.instrument.held_call import open_stream
from specspan.instrument.live_call import LiveCall
from specspan.instrument.replacements import Function
from specspan.instrument.result_values import read_parts, read_places, replace_texts
from specspan.instrument.returned_results import hand_over, hand_over_async
from specspan.instrument.stream_proxies import pull, pull_async
from specspan.instrument.streamed_call import StreamedCall
from specspan.instrument.work_span import WorkBlock
from specspan.instrument.wrapper import run_call, run_call_async, wrap_model_call

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
    its arguments are the input, what it returns or yields is the output, and the policy decides them as it does every
    model call. A string is read as it is, and of a dict, a list, a tuple, a dataclass or a pydantic model the texts in
    it; anything else that may hold a text counts as not understood. `Blocked` is raised before the body runs, or in
    place of the result. The result counts, not the kind of function: an iterator, sync or async, that is returned is
    watched like a generator, and what has to be awaited is decided once it is there. What a generator returns ends
    its answer. ``provider`` and ``operation`` are those of OpenTelemetry's GenAI conventions.

    The input is decided before the function is called. A function that returns what is to be awaited, and is not
    written with ``async def``, keeps its caller waiting for a check with a time limit, and an event loop with it.

    A generator's body runs in a copy of the `contextvars` context in which it was called: nothing that it sets there
    reaches its consumer. Its span starts with the first value asked for and ends with the body, however the body ends.

    Raises:
        TypeError: what is decorated is a class, or not callable; or a model call is given a name or attributes, which
            the conventions give it.
    """
    if model is not None and (name is not None or attributes is not None):
        raise TypeError("a model call is named by its operation and model: leave out 'name' and 'attributes'")

    def decorated(function: F) -> F:
        plain = plain_function(function)
        if model is None:
            return WorkBlock(name or _qualified_name(plain), attributes or {})(function)
        adapter = text_adapter(model, provider, operation, plain)
        run = dispatch(
            plain, sync=_run_plain, coroutine=_run_coroutine, generator=_run_generator, async_generator=_run_generator
        )
        return decorate(function, wrap_model_call(adapter, run))

    return decorated if function is None else decorated(function)


def _qualified_name(function: Function) -> str:
    return str(getattr(function, "__qualname__", None) or type(function).__qualname__)


def _run_plain(adapter: Adapter, pipeline: Pipeline, function: Function, invocation: Invocation) -> Any:
    return run_call(adapter, pipeline, function, invocation, partial(hand_over, function))


def _run_coroutine(adapter: Adapter, pipeline: Pipeline, function: Function, invocation: Invocation) -> Any:
    call = run_call_async(adapter, pipeline, function, invocation, partial(hand_over_async, function))
    return name_after(function, call)


def _run_generator(adapter: Adapter, pipeline: Pipeline, function: Function, invocation: Invocation) -> Any:
    body = ModelBody(adapter, pipeline, function, invocation)
    return drive(body, function, invocation.args, invocation.kwargs)


def text_adapter(model: str, provider: str, operation: str, function: Function) -> Adapter:
    """Return the adapter of a function: its string arguments are the input, what it returns or yields is the output."""
    streaming = is_generator_function(function)

    def request(invocation: Invocation) -> Request:
        messages = tuple([Message("user", parts) for _, _, parts in _arguments_with_content(function, invocation)])
        return Request(provider, operation, model, input=messages, streaming=streaming)

    return Adapter(
        provider=provider,
        operation=operation,
        request=request,
        response=_response,
        edit_request=partial(_edit_request, function),
        edit_response=_edit_response,
        streaming=_STREAMING,
    )


class _StreamedText(NamedTuple):
    """Texts that a generator yielded, and the parts that stand for what it yielded besides."""

    texts: tuple[Text, ...]
    unread: tuple[Part, ...]


class TextAccumulator:
    """Accumulator of the texts that a generator yields, by their places. Only the end of the generator finishes it."""

    finished = False

    def __init__(self) -> None:
        self._texts: dict[Hashable, list[str]] = {}
        self._unread: dict[str, Part] = {}

    def add(self, chunk: Any) -> None:
        if isinstance(chunk, str):
            self._texts.setdefault((), []).append(chunk)
        else:
            for place, part in read_places(chunk):
                if isinstance(part, Text):
                    self._texts.setdefault(place, []).append(part.content)
                else:
                    self._unread[part.type] = part

    def result(self) -> _StreamedText:
        texts = tuple([Text(text) for pieces in self._texts.values() if (text := "".join(pieces))])
        return _StreamedText(texts, tuple(self._unread.values()))


def _arguments_with_content(
    function: Function, invocation: Invocation
) -> Iterator[tuple[Hashable, Any, tuple[Part, ...]]]:
    """Yield every argument that may hold a text, by its position or its name, with its parts."""
    for arguments in (enumerate(invocation.args), invocation.kwargs.items()):
        for place, argument in arguments:
            if (parts := read_parts(argument)) and not (place == 0 and _is_bound_to(argument, function)):
                yield place, argument, parts


def _is_bound_to(argument: Any, function: Function) -> bool:
    """Return True for the object, or the class, of which ``function`` is a method."""
    if isinstance(argument, str):
        return False
    name, own = getattr(function, "__name__", ""), _code(function)
    classes = (argument if isinstance(argument, type) else type(argument)).__mro__
    found = (vars(each).get(name) for each in classes)
    plain = (each.__func__ if isinstance(each, classmethod) else each for each in found)
    return any(_code(each) is own for each in plain if callable(each) and not isinstance(each, staticmethod))


def _code(function: Any) -> Any:
    """Return what a function, or a stand-in of it, runs in the end."""
    innermost = inspect.unwrap(function)
    return getattr(innermost, "__code__", innermost)


def _edit_request(function: Function, invocation: Invocation, edits: Edits) -> Invocation:
    new: dict[Hashable, Any] = {}
    for i, (place, argument, parts) in enumerate(_arguments_with_content(function, invocation)):
        pointers = {f"/input/{i}/parts/{j}": f"/output/0/parts/{j}" for j in range(len(parts))}
        own = {pointer: edits[name] for name, pointer in pointers.items() if name in edits}
        new[place] = replace_texts(argument, own) if own else argument
    args = tuple(new.get(position, argument) for position, argument in enumerate(invocation.args))
    kwargs = {name: new.get(name, argument) for name, argument in invocation.kwargs.items()}
    return replace(invocation, args=args, kwargs=kwargs)


def _response(result: Any) -> Response:
    parts = (*result.texts, *result.unread) if isinstance(result, _StreamedText) else read_parts(result)
    return Response(output=(Message("assistant", parts),) if parts else ())


def _edit_response(result: Any, edits: Edits) -> Any:
    return replace_texts(result, edits)


def _deltas(chunk: Any) -> tuple[Delta, ...]:
    if isinstance(chunk, str):
        return ((0, chunk, ()),)
    return tuple([(0, part.content, place) for place, part in read_places(chunk) if isinstance(part, Text)])


def _cut(chunk: Any, choice: int, text: str) -> Any:
    """Return the last chunk of a cut stream.

    Raises:
        LookupError: the chunk does not hold just one text.
    """
    if isinstance(chunk, str):
        return text
    parts = read_parts(chunk)
    if len(parts) != 1:
        raise LookupError(f"a {type(chunk).__name__} with other than one text cannot be rewritten")
    return replace_texts(chunk, {"/output/0/parts/0": text})


_STREAMING = Streaming(
    accumulator=lambda _: TextAccumulator(),
    deltas=_deltas,
    cut=_cut,
    find_stream=lambda _: None,  # the generator is the call itself, so no answer holds a stream
)


class ModelBody(GeneratorBody):
    """Generator body that is a model's stream: the call is made with its first turn."""

    __slots__ = ("_adapter", "_call", "_function", "_invocation", "_pipeline")

    def __init__(self, adapter: Adapter, pipeline: Pipeline, function: Function, invocation: Invocation) -> None:
        super().__init__()
        self._adapter = adapter
        self._pipeline = pipeline
        self._function = function
        self._invocation = invocation
        self._call: StreamedCall | None = None

    def send(self, value: Any) -> Any:
        return pull(self._call or self._open(), self.body.close, self.body.send, value)

    def throw(self, error: BaseException) -> Any:
        self.consumer.throws(error)
        return pull(self._call or self._open(), self.body.close, self.body.throw, error)

    async def asend(self, value: Any) -> Any:
        if self._call is None:
            call = await self._open_async()
            return await pull_async(call, self.body.aclose, start_async_generator, self.body)
        return await pull_async(self._call, self.body.aclose, self.body.asend, value)

    async def athrow(self, error: BaseException) -> Any:
        self.consumer.throws(error)
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
            self.body = self._function(*sent.args, **sent.kwargs)
        live.attach()  # for good: the context is the body's own
        self._call = open_stream(live, _STREAMING, self.consumer.ending)
        when_collected(self, self._call.abandoned)
        return self._call
