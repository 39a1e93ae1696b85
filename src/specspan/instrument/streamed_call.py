"""One streamed answer on its way to its consumer: watched chunk by chunk, cut where the policy says so."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from specspan._support.guard import guard
from specspan.call import ModelCall, Refusal, Text
from specspan.engine.rewriting import PROCEED, Cut, Ruling
from specspan.engine.stream_check import StreamCheck
from specspan.engine.waiting import Steps
from specspan.instrument.live_call import LiveCall
from specspan.instrument.work_span import ABANDONED, CLOSED, COMPLETED, ending_of
from specspan.record.call_end import Ending


@dataclass(frozen=True, slots=True)
class Cutoff:
    """The stream ends here."""

    chunk: Any = None
    """What is handed over in place of the chunk that was examined; None: nothing."""
    error: BaseException | None = None
    """What is raised in its place."""


class Flow:
    """What passes of one stream. One consumer at a time. Knows neither where chunks come from nor where they go."""

    __slots__ = ("_check", "_ending_of", "_is_last", "_live", "_rest", "_seen", "_undecided", "over")

    def __init__(self, live: LiveCall, ending_of: Callable[[BaseException | None], Ending] = ending_of) -> None:
        self._live = live
        self._ending_of = ending_of
        self._seen = live.adapter.accumulator(live.call.request)
        self._undecided = live.evaluation  # until the answer as a whole was decided
        self._check: StreamCheck | None = None
        self._is_last = live.adapter.is_last if live.joined else None
        self.over = False
        """Whether it was cut: there is nothing more to come but what `rest` gives."""
        self._rest: Iterator[Any] = iter(())
        if live.evaluation is not None:
            with guard("instrument.stream"):
                self._check = live.evaluation.stream()

    def source(self, stream: Any) -> Any:
        """What is closed where the policy cuts ``stream``."""
        return self._live.adapter.source(stream)

    def take(self, chunk: Any) -> bool:
        """Take in a chunk. False: `examine` it before it is handed over."""
        if self._check is not None:
            return False
        self._note(chunk)
        if self._undecided is not None:
            return not self._seen.finished
        if self._is_last is not None:
            self._end_at(chunk)
        return True

    def rest(self, end: type[Exception]) -> Any:
        """The next chunk that tells a client that a stream which was cut is over; ``end`` is raised after the last."""
        for chunk in self._rest:
            return chunk
        raise end

    def examine(self, chunk: Any) -> Steps[Cutoff | None]:
        """Have a chunk decided: its text by the stream's check, and with the last one the whole answer."""
        with guard("instrument.examine"):
            if self._check is not None:
                for choice, text in self._live.adapter.deltas(chunk):
                    cut = self._check.feed(choice, text)
                    if cut is not None:
                        return (yield from self._cut(chunk, choice, cut))
                self._note(chunk)
            if self._seen.finished:
                cutoff = yield from self._decide(chunk)
                if cutoff is not None:
                    return cutoff
        self._end_at(chunk)
        return None

    def _end_at(self, chunk: Any) -> None:
        """End it before the last chunk is handed over: with that, the span is ended by whoever else's it is."""
        with guard("instrument.last_chunk"):
            if self._undecided is None and self._is_last is not None and self._is_last(chunk):
                self._end(COMPLETED)

    def exhausted(self) -> Steps[Cutoff | None]:
        """There are no more chunks. A `Cutoff`: that is not how it is to end for the consumer."""
        with guard("instrument.exhausted"):
            cutoff = yield from self._decide()
            if cutoff is not None:
                return cutoff
        self._end(self._ending_of(None))
        return None

    def closed(self) -> Steps[None]:
        """The consumer closed it. What was handed over is decided; if that was all of it, nothing was cut short."""
        try:
            with guard("instrument.closed"):
                yield from self._rule()
        finally:  # also when nobody waits for the decision any more
            self._end(COMPLETED if self._seen.finished else CLOSED)

    def left_by(self, error: BaseException) -> None:
        """It broke off."""
        self._break_off(self._ending_of(error))

    def abandoned(self) -> None:
        """The consumer let go of it."""
        self._break_off(COMPLETED if self._seen.finished else ABANDONED)

    def _note(self, chunk: Any) -> None:
        live = self._live
        if live.first_chunk_s is None:
            live.first_chunk_s = time.perf_counter() - live.started_s
        try:
            self._seen.add(chunk)
        except Exception:
            with guard("instrument.chunk"):
                raise

    def _decide(self, chunk: Any = None) -> Steps[Cutoff | None]:
        """Decide the answer, of which ``chunk`` is not handed over yet."""
        evaluation = self._undecided
        ruling = yield from self._rule(chunk)
        if evaluation is not None and ruling.action.stops:
            return Cutoff(error=self._live.block(evaluation))
        return None

    def _rule(self, withheld: Any = None) -> Steps[Ruling]:
        evaluation, self._undecided, self._check = self._undecided, None, None
        if evaluation is None:
            return PROCEED
        live = self._live
        live.answered(self._seen.result())
        withheld_chars = 0 if withheld is None else sum(len(text) for _, text in live.adapter.deltas(withheld))
        return (yield from evaluation.output(live.call, released_chars=_chars(live.call) - withheld_chars))

    def _cut(self, chunk: Any, choice: int, cut: Cut) -> Steps[Cutoff]:
        """End the stream before ``chunk``. It is part of what is decided, and not of what was handed over."""
        evaluation, handed_over = self._undecided, copy.deepcopy(self._seen)
        self._seen.add(chunk)
        yield from self._rule(chunk)
        last = None
        if not cut.action.stops and cut.text is not None:
            last = self._live.adapter.cut(chunk, choice, cut.text)
            handed_over.add(last)
            rest = tuple(self._live.adapter.closing(handed_over, last))
            for each in rest:
                handed_over.add(each)
            self._rest = iter(rest)
        self._seen = handed_over
        self._live.answered(handed_over.result())
        if evaluation is not None and cut.action.stops:
            return Cutoff(error=self._live.block(evaluation))
        self._live.end(COMPLETED)
        return Cutoff(last)

    def _break_off(self, ending: Ending) -> None:
        """End it here and now. What was handed over is decided as far as that needs no waiting."""
        with guard("instrument.break_off"):
            _run_without_waiting(self._rule())
        self._end(ending)

    def _end(self, ending: Ending) -> None:
        if self._live.over:
            return
        with guard("instrument.answered"):
            self._live.answered(self._seen.result())
        self._live.end(ending)


def _run_without_waiting(steps: Steps[Any]) -> None:
    """Drive ``steps`` up to the first thing they must wait for."""
    next(steps, None)
    steps.close()


def _chars(call: ModelCall) -> int:
    return sum(
        len(part.content) for message in call.output for part in message.parts if isinstance(part, (Text, Refusal))
    )
