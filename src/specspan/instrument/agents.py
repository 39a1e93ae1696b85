"""Spans of agents and workflows: what model calls and tools' runs stand below."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, TypeVar

from specspan.call import Attribute
from specspan.instrument.lifecycle import passed_by
from specspan.instrument.observe import observe
from specspan.instrument.pipeline import Pipeline, active
from specspan.instrument.work import Work
from specspan.record import conventions as names
from specspan.record.attributes import name_of, safe

F = TypeVar("F", bound=Callable[..., Any])


class _Block:
    """A ``with`` block, sync or async, that has a span; or a decorator of a function that is one."""

    def __init__(self, operation: str, name: str, attributes: Mapping[str, str | None]) -> None:
        self._name = name_of(operation, name)
        given = {key: safe(value) for key, value in attributes.items() if value is not None}
        self._attributes: dict[str, Attribute] = {names.OPERATION_NAME: operation, **given}

    def watched(self) -> Pipeline | None:
        """Where its span goes; None: it has none, as until `configure`, or where instrumentation is suppressed."""
        return None if passed_by(None) else active()

    def begin(self, pipeline: Pipeline) -> Work:
        """Its span, begun and current, until what is returned is left."""
        return Work(pipeline.recorder, self._name, self._attributes)

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
