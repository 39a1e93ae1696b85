"""Span of work without a decision of its own: a decorated function, an agent, a workflow."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType

from opentelemetry.trace import set_span_in_context

from specspan._support.guard import guard
from specspan.call import Attribute
from specspan.instrument.block_base import Block, BlockUse
from specspan.instrument.context import attach, current_context, restore
from specspan.instrument.gate import recorder_for_work
from specspan.instrument.generators import ending_of
from specspan.record.call_end import Ending
from specspan.record.recorder import Recorder


class WorkSpan(BlockUse):
    """Span of one piece of work: current inside, and ended exactly once."""

    __slots__ = ("_attributes", "_ends", "_name", "_recorder", "_span", "_token")

    def __init__(self, recorder: Recorder, name: str, attributes: Mapping[str, Attribute]) -> None:
        self._ends = iter((True,))  # stepping an iterator is atomic
        self._recorder = recorder
        self._name = name
        self._attributes = attributes

    def __enter__(self) -> None:
        self._span = self._recorder.start_work(self._name, current_context(), self._attributes)
        try:
            self._token = attach(set_span_in_context(self._span))
        except BaseException as error:
            self.end(ending_of(error))
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        restore(self._token)
        self.end(ending_of(error))

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Enter the span for a block that only starts the work. It ends with the block only where that raises."""
        self.__enter__()
        try:
            yield
        except BaseException as error:
            self.end(ending_of(error))
            raise
        finally:
            restore(self._token)

    def end(self, ending: Ending) -> None:
        """End the span; only the first ending counts."""
        if next(self._ends, False):
            with guard("instrument.end_work"):
                self._recorder.end_work(self._span, ending)


class WorkBlock(Block):
    """Block with a span."""

    _takes_generators = True

    def __init__(self, name: str, attributes: Mapping[str, Attribute]) -> None:
        self._name = name
        self._attributes = attributes

    def new_use(self) -> WorkSpan | None:
        recorder = recorder_for_work()
        return None if recorder is None else WorkSpan(recorder, self._name, self._attributes)
