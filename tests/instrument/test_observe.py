"""Decorated functions, methods and coroutines: a span each, and nothing else changes."""

from __future__ import annotations

import asyncio
import copy
import functools
import gc
import inspect
import math
import pickle
from collections.abc import AsyncIterator, Callable, Iterator
from contextvars import ContextVar
from typing import Any

import pytest
from ended_spans import Spans
from opentelemetry.context import attach, detach, set_value
from opentelemetry.trace import SpanKind, StatusCode

from specspan._support.otel_private import SUPPRESS_INSTRUMENTATION_KEY
from specspan.instrument.decorators import observe
from specspan.instrument.gate import activate

setting: ContextVar[str] = ContextVar("setting", default="outside")


class Unprintable:
    """An argument that nobody may look at."""

    def __repr__(self) -> str:
        raise AssertionError("somebody looked")

    __str__ = __repr__
    __iter__ = None

    def __eq__(self, other: object) -> bool:
        raise AssertionError("somebody compared")

    __hash__ = None  # type: ignore[assignment]


class Desk:
    """A class with every kind of method."""

    name = "back"

    @observe
    def answer(self, question: str) -> str:
        return question.upper()

    @observe
    @classmethod
    def of(cls, name: str) -> type[Desk]:
        return cls

    @classmethod
    @observe
    def of_too(cls, name: str) -> type[Desk]:
        return cls

    @observe
    @staticmethod
    def sign(text: str) -> str:
        return text + "!"

    @staticmethod
    @observe
    def sign_too(text: str) -> str:
        return text + "!"

    @observe
    async def wait(self) -> Desk:
        return self


def test_a_call_is_an_internal_span_named_after_the_function(spans: Spans) -> None:
    """A decorated function's call is one INTERNAL span with the function's qualified name."""

    @observe
    def answer(question: str) -> str:
        return question.upper()

    assert answer("why") == "WHY"
    (span,) = spans.all
    assert span.name == answer.__qualname__
    assert (span.kind, span.status.status_code, dict(span.attributes or {})) == (
        SpanKind.INTERNAL,
        StatusCode.UNSET,
        {},
    )


@pytest.mark.parametrize("key", ["suppress_instrumentation", SUPPRESS_INSTRUMENTATION_KEY], ids=["older", "newer"])
def test_suppressed_instrumentation_is_respected(spans: Spans, key: str) -> None:
    """Where OpenTelemetry's instrumentation is suppressed, a decorated function is a function."""

    @observe
    def answer() -> str:
        return "done"

    token = attach(set_value(key, value=True))
    try:
        assert answer() == "done"
    finally:
        detach(token)
    assert spans.all == ()


def test_name_and_attributes_are_as_given(spans: Spans) -> None:
    """A name of one's own stands in place of the function's, with one's own attributes."""

    @observe(name="work", attributes={"team": "support", "tags": ("a", "b")})
    def answer() -> None: ...

    answer()
    assert spans.attributes("work") == {"team": "support", "tags": ("a", "b")}


def test_methods_of_every_kind_are_observed(spans: Spans) -> None:
    """Methods, class methods and static methods work in either order of decorators, called either way."""
    desk = Desk()
    assert desk.answer("why") == Desk.answer(desk, "why") == "WHY"
    assert Desk.of("x") is desk.of("x") is Desk.of_too("x") is Desk
    assert Desk.sign("a") == desk.sign("a") == Desk.sign_too("a") == "a!"
    assert asyncio.run(desk.wait()) is desk
    assert spans.names == [
        *["Desk.answer"] * 2,
        *["Desk.of"] * 2,
        "Desk.of_too",
        *["Desk.sign"] * 2,
        "Desk.sign_too",
        "Desk.wait",
    ]


def test_nested_calls_nest_their_spans(spans: Spans) -> None:
    """What a decorated function calls has its span below, and what follows has not."""

    @observe(name="inner")
    async def inner() -> None: ...

    @observe(name="outer")
    async def outer() -> None:
        await asyncio.gather(inner())

    async def main() -> None:
        await outer()
        spans.tracer.start_span("after").end()

    asyncio.run(main())
    assert (spans.parent_of("inner"), spans.parent_of("outer"), spans.parent_of("after")) == ("outer", None, None)


def test_an_exception_is_the_same_object_and_the_span_failed(spans: Spans) -> None:
    """An exception passes unchanged; the span names its class."""
    error = LookupError("no such order")

    @observe(name="work")
    def work() -> None:
        raise error

    with pytest.raises(LookupError) as caught:
        work()
    assert caught.value is error
    assert error.__cause__ is error.__context__ is None
    assert spans.ending("work") == "LookupError"
    assert spans.named("work").status.status_code is StatusCode.ERROR


@pytest.mark.parametrize(
    "argument",
    [Unprintable(), "\ud800 lone", "x" * 10_000_000, [], math.nan],
    ids=["unprintable", "surrogate", "long", "cycle", "nan"],
)
def test_arguments_and_results_are_never_looked_at(spans: Spans, argument: Any) -> None:
    """Whatever goes in and comes out is handed through untouched, whether it can be printed or not."""
    if isinstance(argument, list):
        argument.append(argument)

    @observe(name="work")
    def work(*args: Any, **kwargs: Any) -> Any:
        return args, kwargs

    args, kwargs = work(argument, key=argument)
    assert args[0] is argument
    assert kwargs["key"] is argument
    assert spans.attributes("work") == {}


def test_a_coroutine_sets_context_variables_for_its_caller(spans: Spans) -> None:
    """What a decorated function or coroutine sets is seen by its caller, as without the decorator."""

    @observe
    async def log_in() -> None:
        setting.set("inside")

    async def main() -> str:
        await log_in()
        return setting.get()

    assert asyncio.run(main()) == "inside"


def test_a_cancelled_coroutine_ends_its_span_as_cancelled(spans: Spans) -> None:
    """Cancellation passes through and is told from failure."""

    @observe(name="work")
    async def work() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert spans.ending("work") == "CancelledError"


def test_a_coroutine_cancelled_before_it_began_makes_no_span(spans: Spans) -> None:
    """A coroutine that never ran makes no span, and no warning that the undecorated one does not make."""

    @observe(name="work")
    async def work() -> None: ...

    async def main() -> None:
        task = asyncio.create_task(work())
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    gc.collect()
    assert spans.all == ()


def test_a_coroutine_closed_in_another_context_ends_its_span_silently(spans: Spans) -> None:
    """A coroutine dropped half-way, away from the task it ran in, ends its span and detaches nothing there."""

    @observe(name="work")
    async def work() -> None:
        await asyncio.Event().wait()

    coroutine = work()

    async def begin() -> None:
        coroutine.send(None)

    asyncio.run(begin())
    coroutine.close()
    assert spans.ending("work") == "closed"


def test_the_decorated_function_is_what_it_was_to_inspect() -> None:
    """Signature, name, docstring and kind stay those of the function."""

    def plain(a: int, *, b: str = "x") -> str:
        """Says."""
        return b

    async def coroutine() -> None: ...

    def generator() -> Iterator[int]:
        yield 1

    async def async_generator() -> AsyncIterator[int]:
        yield 1

    kinds = (inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction, inspect.isfunction)
    functions: tuple[Callable[..., Any], ...] = (plain, coroutine, generator, async_generator)
    for function in functions:
        decorated = observe(function)
        assert [kind(decorated) for kind in kinds] == [kind(function) for kind in kinds]
        assert inspect.signature(decorated) == inspect.signature(function)
        assert (decorated.__name__, decorated.__doc__) == (function.__name__, function.__doc__)


def test_what_it_returns_is_of_the_same_kind(spans: Spans) -> None:
    """Decorated coroutine and generator functions return real coroutines and generators, by their own names."""

    @observe
    async def coroutine() -> None: ...

    @observe
    def generator() -> Iterator[int]:
        yield 1

    @observe
    async def async_generator() -> AsyncIterator[int]:
        yield 1

    made = coroutine()
    assert inspect.iscoroutine(made)
    assert inspect.isgenerator(generator())
    assert inspect.isasyncgen(async_generator())
    assert made.__qualname__ == coroutine.__qualname__
    made.close()


def test_a_callable_object_and_a_partial_are_observed(spans: Spans) -> None:
    """What can be called can be decorated."""

    class Adder:
        def __call__(self, a: int, b: int) -> int:
            return a + b

    async def double(number: int) -> int:
        return 2 * number

    assert observe(Adder())(1, 2) == 3
    assert observe(functools.partial(Adder(), 1))(2) == 3
    assert asyncio.run(observe(functools.partial(double, 4))()) == 8
    assert spans.names == [Adder.__qualname__, "partial", "partial"]


@observe
def at_the_top(number: int) -> int:
    return number + 1


def test_they_are_pickled_and_copied_like_functions(spans: Spans) -> None:
    """Decorated functions and methods go to other processes, and copies of what holds them still call them."""
    desk = Desk()
    desk.name = "front"
    for again in (pickle.loads(pickle.dumps(at_the_top)), copy.copy(at_the_top), copy.deepcopy([at_the_top])[0]):
        assert again is at_the_top
    methods: list[Any] = [pickle.loads(pickle.dumps(desk.answer)), copy.deepcopy({"tool": desk.answer})["tool"]]
    for again in methods:
        assert again("why") == "WHY"
        assert again.__self__ is not desk
        assert again.__self__.name == "front"
    held: Any = copy.copy(desk.answer)
    assert held.__self__ is desk
    assert pickle.loads(pickle.dumps(Desk.of))("x") is Desk
    assert pickle.loads(pickle.dumps(Desk.sign))("a") == copy.deepcopy(Desk.sign)("a") == "a!"
    assert at_the_top(1) == 2


@pytest.mark.parametrize("nonsense", [Desk, 3, "answer"])
def test_what_is_no_function_is_refused(nonsense: Any) -> None:
    """A class, or something that cannot be called, is refused by name."""
    with pytest.raises(TypeError, match="cannot decorate"):
        observe(nonsense)


def test_without_a_pipeline_nothing_happens(spans: Spans) -> None:
    """Until a pipeline is active the function is called and no more."""
    activate(None)

    @observe
    def function() -> str:
        return "result"

    @observe
    async def coroutine() -> str:
        return "result"

    @observe
    def generator() -> Iterator[str]:
        yield setting.get()

    setting.set("changed after decorating")
    assert function() == asyncio.run(coroutine()) == "result"
    assert list(generator()) == ["changed after decorating"]
    assert spans.all == ()
