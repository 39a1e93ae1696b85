"""Running a tool: decided by the policy's checks of tool calls before it runs, with a span of its own.

For whoever runs tools: the application whose model asks for them, or a service that others call.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, TypeVar

from opentelemetry import context as otel_context

from specspan.call import Attribute, Message, Request, Response, ToolCall
from specspan.engine.waiting import Steps, run_async, run_sync
from specspan.instrument.adapter import Adapter, Invocation
from specspan.instrument.coexistence import active_call_in
from specspan.instrument.context import restore
from specspan.instrument.decorators import handled_by, observe
from specspan.instrument.live_call import LiveCall, should_skip
from specspan.instrument.pipeline import Handler, Pipeline, active
from specspan.instrument.work_span import COMPLETED, WorkSpan
from specspan.record import conventions as names
from specspan.record.attributes import safe_text, span_name

F = TypeVar("F", bound=Callable[..., Any])

OPERATION = "execute_tool"
_PROVIDER = "custom"


class tool_call:
    """A ``with`` block, sync or async, in which a tool runs, or a decorator of a function that is one.

    ::

        with specspan.tool_call("issue_refund", {"amount": 20}):
            issue_refund(amount=20)


        @specspan.tool_call("issue_refund")
        def issue_refund(amount: int) -> str: ...

    Before the block is entered, or the function called, the policy's checks of tool calls decide. A function's
    arguments are named as its parameters are, defaults included. The span is ``execute_tool {name}``; ``call_id`` is
    that of the tool call in the model's answer, where it is known.

    Raises:
        Blocked: the policy does not let it run; arguments that it would have redacted, it does not let through either.
    """

    def __init__(self, name: str, arguments: Mapping[str, Any] | None = None, *, call_id: str | None = None) -> None:
        self._tool = ToolCall(name, {} if arguments is None else arguments, call_id)

    def __enter__(self) -> None:
        self._running = running = _running(self._tool)
        if running is not None:
            with running.beginning():
                run_sync(running.decided())

    async def __aenter__(self) -> None:
        self._running = running = _running(self._tool)
        if running is not None:
            with running.beginning():
                await run_async(running.decided())

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._running is not None:
            self._running.left(error)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, tb)

    def __call__(self, function: F) -> F:
        """``function``, decided before every call of it.

        Raises:
            TypeError: a generator function has no one moment to be decided before; use ``with`` in its body.
        """
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(f"{function.__qualname__!r} is a generator function: use 'with' inside its body")
        return handled_by(function, _handler(self._tool.name, is_async=inspect.iscoroutinefunction(function)))


class ToolRun:
    """A tool's run under way."""

    __slots__ = ("_live", "_token", "_tool")

    def __init__(self, tool: ToolCall, pipeline: Pipeline) -> None:
        self._tool = tool
        self._live = LiveCall(_adapter(tool), pipeline, Invocation(None, (), {}))

    @contextlib.contextmanager
    def beginning(self) -> Iterator[None]:
        """Around what decides it: then it begins, its span current, or it is over."""
        try:
            yield
        except BaseException as error:
            self._live.fail(error)
            raise
        self._token = self._live.attach()

    def decided(self) -> Steps[None]:
        """Have it decided.

        Raises:
            Blocked: it must not run.
        """
        yield from self._live.decide_response(self._tool)

    def left(self, error: BaseException | None) -> None:
        """It is over."""
        restore(self._token)
        if error is None:
            self._live.end(COMPLETED)
        else:
            self._live.fail(error)


def _running(tool: ToolCall) -> ToolRun | None:
    pipeline = active()
    return None if pipeline is None or should_skip(None) or _under_way(tool) else ToolRun(tool, pipeline)


def _under_way(tool: ToolCall) -> bool:
    """Whether it is the run of the very tool that is being run: a framework's tool may be one of another's."""
    loan = active_call_in(otel_context.get_current())
    outer = None if loan is None else loan.executes
    try:
        return outer is not None and (outer.name, outer.arguments) == (tool.name, tool.arguments)
    except Exception:  # somebody's `__eq__`; then it is decided once more
        return False


def _adapter(tool: ToolCall) -> Adapter:
    """A tool's run as a call whose answer is the tool call that was asked for."""
    return Adapter(
        provider=_PROVIDER,
        operation=OPERATION,
        request=lambda _: Request(_PROVIDER, OPERATION, executes=tool),
        response=lambda asked: Response(output=(Message("assistant", (asked,)),)),
        edit_request=lambda invocation, _: invocation,  # the engine edits no tool call: it stops it
        edit_response=lambda asked, _: asked,
    )


def _handler(name: str, *, is_async: bool) -> Handler:
    """What has every call of a function decided first; only what awaits exists twice."""

    def call(
        _: Pipeline, wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        arguments = _named(wrapped, args, kwargs)
        with tool_call(name, arguments):
            return wrapped(*args, **kwargs)

    async def call_async(
        _: Pipeline, wrapped: Callable[..., Any], instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        arguments = _named(wrapped, args, kwargs)
        async with tool_call(name, arguments):
            return await wrapped(*args, **kwargs)

    return call_async if is_async else call


def _named(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments by the names of their parameters; raises what a call with wrong ones raises."""
    signature = inspect.signature(function)
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    named = dict(bound.arguments)
    for name, parameter in signature.parameters.items():
        # of `def f(amount, /, **more)`, f(80, amount=1) has two of a name: what is `more` then stays under its own
        if parameter.kind is parameter.VAR_KEYWORD and named.keys().isdisjoint(named[name]):
            named |= named.pop(name)
    return named


# MERGED agents: Spans of agents and workflows: what model calls and tools' runs stand below.


class _Block:
    """A ``with`` block, sync or async, that has a span; or a decorator of a function that is one."""

    def __init__(self, operation: str, name: str, attributes: Mapping[str, str | None]) -> None:
        self._name = span_name(operation, name)
        given = {key: safe_text(value) for key, value in attributes.items() if value is not None}
        self._attributes: dict[str, Attribute] = {names.OPERATION_NAME: operation, **given}

    def watched(self) -> Pipeline | None:
        """Where its span goes; None: it has none, as until `configure`, or where instrumentation is suppressed."""
        return None if should_skip(None) else active()

    def begin(self, pipeline: Pipeline) -> WorkSpan:
        """Its span, begun and current, until what is returned is left."""
        return WorkSpan(pipeline.recorder, self._name, self._attributes)

    def __enter__(self) -> None:
        pipeline = self.watched()
        self._work = None if pipeline is None else self.begin(pipeline)

    async def __aenter__(self) -> None:
        self.__enter__()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._work is not None:
            self._work.__exit__(kind, error, tb)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, tb)

    def __call__(self, function: F) -> F:
        """``function``, of any kind that `specspan.observe` takes, with every call of it inside such a block."""
        return observe(name=self._name, attributes=self._attributes)(function)


class agent(_Block):
    """A ``with`` block, sync or async, in which an agent works, or a decorator of a function that is one.

    ::

        with specspan.agent("desk", id="a-7", version="2"):
            answer(question)


        @specspan.agent("desk")
        async def desk(question: str) -> str: ...

    The span is ``invoke_agent {name}`` of OpenTelemetry's GenAI conventions; model calls, tools' runs and other agents
    inside stand below it. Nothing is decided about it: what is decided are the calls that it makes.
    """

    def __init__(
        self,
        name: str,
        *,
        id: str | None = None,  # noqa: A002 - the conventions' word
        description: str | None = None,
        version: str | None = None,
    ) -> None:
        given = {
            names.AGENT_NAME: name,
            names.AGENT_ID: id,
            names.AGENT_DESCRIPTION: description,
            names.AGENT_VERSION: version,
        }
        super().__init__("invoke_agent", name, given)


class workflow(_Block):
    """The same for a workflow, in which several agents work: the span is ``invoke_workflow {name}``."""

    def __init__(self, name: str) -> None:
        super().__init__("invoke_workflow", name, {names.WORKFLOW_NAME: name})
