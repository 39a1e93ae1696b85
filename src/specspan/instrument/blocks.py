"""Blocks of work that a model call is part of or asks for: agents, workflows, and runs of tools.

A tool's run is decided by the policy's checks of tool calls before the tool runs. It is for whoever runs tools: the
application whose model asks for them, or a service that others call. About an agent or a workflow itself nothing is
decided: what is decided are the calls inside.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Any

from specspan.call import Message, Request, Response, ToolCall
from specspan.engine.waiting import Steps, run_async, run_sync
from specspan.instrument.block_base import Block, BlockUse
from specspan.instrument.context import restore
from specspan.instrument.decided_span import DecidedSpan
from specspan.instrument.gate import Pipeline, active, pipeline_for_call
from specspan.instrument.generators import COMPLETED
from specspan.instrument.replacements import Function
from specspan.instrument.work_span import WorkBlock
from specspan.record import conventions as names
from specspan.record.attributes import safe_text, span_name

OPERATION = "execute_tool"
_PROVIDER = "custom"


class tool_call(Block):
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

    def new_use(self) -> BlockUse | None:
        return _run_of(self._tool)

    def _use_for_call(
        self, function: Function, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> BlockUse | None:
        if active() is None:
            return None
        return _run_of(ToolCall(self._tool.name, _named_arguments(function, args, kwargs)))


def _run_of(tool: ToolCall) -> ToolRun | None:
    pipeline = pipeline_for_call(tool=tool)
    return None if pipeline is None else ToolRun(tool, pipeline)


class ToolRun(BlockUse):
    """Run of a tool: decided when it is entered, with the span current inside."""

    __slots__ = ("_pipeline", "_span", "_token", "_tool")

    def __init__(self, tool: ToolCall, pipeline: Pipeline) -> None:
        self._tool = tool
        self._pipeline = pipeline

    def __enter__(self) -> None:
        with self._entering():
            run_sync(self._decide())

    async def __aenter__(self) -> None:
        with self._entering():
            await run_async(self._decide())

    @contextlib.contextmanager
    def _entering(self) -> Iterator[None]:
        """Start the span for a block that decides the run; then the span is current, or ended where that raises."""
        self._span = DecidedSpan(self._pipeline, Request(_PROVIDER, OPERATION, executes=self._tool))
        try:
            yield
            self._token = self._span.attach()
        except BaseException as error:
            self._span.fail(error)
            raise

    def _decide(self) -> Steps[None]:
        """Have the run decided, as the tool call in a model's answer would be.

        The engine edits no tool call: it stops it.

        Raises:
            Blocked: the tool must not run.
        """
        answer = Response(output=(Message("assistant", (self._tool,)),))
        yield from self._span.decide_output(lambda: answer)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        restore(self._token)
        if error is None:
            self._span.end(COMPLETED)
        else:
            self._span.fail(error)


def _named_arguments(function: Function, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments by the names of their parameters. Wrong arguments raise what the call itself would raise."""
    signature = inspect.signature(function)
    bound = signature.bind(*args, **kwargs)
    bound.apply_defaults()
    arguments = dict(bound.arguments)
    for name, parameter in signature.parameters.items():
        # of `def f(amount, /, **more)`, f(80, amount=1) has two of a name: what is `more` then stays under its own
        if parameter.kind is parameter.VAR_KEYWORD and arguments.keys().isdisjoint(arguments[name]):
            arguments |= arguments.pop(name)
    return arguments


class _GenAiBlock(WorkBlock):
    """Block with the span of an operation of OpenTelemetry's GenAI conventions."""

    def __init__(self, operation: str, name: str, attributes: Mapping[str, str | None]) -> None:
        known = {key: safe_text(value) for key, value in attributes.items() if value is not None}
        super().__init__(span_name(operation, name), {names.OPERATION_NAME: operation, **known})


class agent(_GenAiBlock):
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
        attributes = {
            names.AGENT_NAME: name,
            names.AGENT_ID: id,
            names.AGENT_DESCRIPTION: description,
            names.AGENT_VERSION: version,
        }
        super().__init__("invoke_agent", name, attributes)


class workflow(_GenAiBlock):
    """A ``with`` block, sync or async, in which several agents work, or a decorator of a function that is a workflow.

    The span is ``invoke_workflow {name}`` of OpenTelemetry's GenAI conventions.
    """

    def __init__(self, name: str) -> None:
        super().__init__("invoke_workflow", name, {names.WORKFLOW_NAME: name})
