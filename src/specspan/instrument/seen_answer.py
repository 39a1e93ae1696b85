"""A streamed answer as far as it has come, and the decision about it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from specspan._support.guard import contain
from specspan.call import Message, ModelCall, Response
from specspan.checks.texts import texts
from specspan.decision import Stage
from specspan.engine.evaluation import AFTER_CALL
from specspan.engine.folded_answer import FoldedAnswerCheck
from specspan.engine.rewriting import PROCEED, Ruling
from specspan.engine.waiting import Steps
from specspan.instrument.adapter import Accumulator, Delta, Streaming
from specspan.instrument.formats.fields import uncounted
from specspan.instrument.formats.known_fields import Unlisted
from specspan.instrument.live_call import LiveCall
from specspan.instrument.stream_release import CarriedChunk, NothingSeen
from specspan.instrument.unlisted_texts import UnlistedTexts, with_unread_part

END: Any = object()
"""Stands for the chunk after the last one: the stream is exhausted."""

MAX_EARLY_DECISIONS = 4
"""How many chunks of one stream are withheld because the answer seems complete. Some servers say so on every chunk:
beyond, the answer is decided when the stream is exhausted."""


class SeenAnswer:
    """The chunks of one stream so far, as one answer."""

    __slots__ = (
        "_decided_output",
        "_deltas",
        "_early_decisions",
        "_is_decided",
        "_live",
        "_seen",
        "_streaming",
        "_unlisted",
    )

    def __init__(self, live: LiveCall, streaming: Streaming) -> None:
        self._live = live
        self._streaming = streaming
        self._seen: Accumulator = NothingSeen()
        self._unlisted: UnlistedTexts | None = None  # of interest to checks alone
        if streaming.fields is not None and live.evaluation is not None:
            self._unlisted = UnlistedTexts(streaming.fields, live.call.request)
        self._deltas: Callable[[Any], Iterable[Delta]] = streaming.deltas
        self._decided_output: Any = None  # the answer that was decided latest
        self._is_decided = False  # whether nothing came since
        self._early_decisions = 0 if live.evaluation is None else MAX_EARLY_DECISIONS

    def _take(self, chunk: Any) -> None:
        """Take in a chunk that is not accepted as it is."""
        self._is_decided = False
        self._seen.add(chunk)
        if self._unlisted is not None:
            self._keep(chunk, self._unlisted.find(chunk))

    def _keep(self, chunk: Any, found: Sequence[Unlisted]) -> None:
        """Take in the texts of a chunk in fields that are not known."""
        if found and self._unlisted is not None:
            self._unlisted.keep(chunk, found)

    def _set_response(self, result: Any) -> None:
        response = self._live.adapter.response(result)
        self._live.set_response(response if self._unlisted is None else self._unlisted.added_to(response))

    def _decide_answer(self, withheld: Any = END, *, is_awaited: bool = True) -> Steps[Ruling]:
        """Have the answer so far decided, unless that very answer was; ``withheld`` is not handed over yet."""
        live = self._live
        if live.evaluation is None or self._is_decided or live.ended:
            return PROCEED
        if withheld is not END and self._early_decisions:
            self._early_decisions -= 1
        self._set_response(self._seen.result())
        self._is_decided = True
        output = (live.call.output, live.call.response and live.call.response.unlisted)
        if output == self._decided_output:
            return PROCEED
        self._decided_output = output
        released_chars = self._released_chars(withheld)
        return (yield from live.evaluation.output(live.call, released_chars=released_chars, is_awaited=is_awaited))

    def _released_chars(self, withheld: Any) -> int:
        """Return the number of characters that were handed over, with everything but a chunk."""
        return chars_of(self._live.call) - (0 if withheld is END else self._chars_in(withheld))

    def chunk_in(self, error: BaseException) -> CarriedChunk | None:
        """Return what an error of the client carries of the answer; None if there is nothing to decide."""
        live = self._live
        chunk, refused = live.carried_by(error, self._streaming.chunk_in), live.refused_by(error)
        return None if chunk is None and refused is None else CarriedChunk(chunk, refused)

    def _decide_carried(self, carried: CarriedChunk) -> Steps[Ruling]:
        live, refused = self._live, carried.refused
        if refused is None or live.evaluation is None:
            return (yield from self._decide_answer(withheld=carried.chunk))
        released_chars = 0
        if not isinstance(self._seen, NothingSeen):
            self._set_response(self._seen.result())
            released_chars = chars_of(live.call)
        response = live.call.response or Response()
        output = (*response.output, Message("assistant", refused.parts))
        live.call = ModelCall(live.call.request, replace(response, output=output), live.call.context)
        self._is_decided = True
        return (yield from live.evaluation.output(live.call, released_chars=released_chars))

    def _decide_handed_over(self, *, is_whole: bool) -> Steps[None]:
        """Decide what was handed over where nothing can be withheld any more; ``is_whole``: that is the answer."""
        evaluation = self._live.evaluation
        if evaluation is None or self._live.ended:
            return
        try:
            if not is_whole:
                evaluation.cut_answer_short()
                self._is_decided, self._decided_output = False, None
            yield from self._decide_answer(is_awaited=False)
        except Exception as error:
            contain("instrument.break_off", error)
            evaluation.fail(AFTER_CALL, is_awaited=False)

    def _chars_in(self, chunk: Any) -> int:
        unlisted = () if self._unlisted is None else self._unlisted.find(chunk)
        return sum(len(delta[1]) for delta in self._deltas(chunk)) + sum(len(each.text) for each in unlisted)

    def _must_decide(self, folded: FoldedAnswerCheck, chunk: Any) -> bool:
        with uncounted():
            alone = self._streaming.accumulator(self._live.call.request)
            alone.add(chunk)
            added = self._read(alone)
            if self._unlisted is not None and self._unlisted.is_odd(chunk):
                added = with_unread_part(added, "event")
            return folded.must_decide(added, self._streaming.part_of(chunk), self._fold)

    def _fold(self) -> Sequence[Message]:
        output = self._read(self._seen)
        return output if self._unlisted is None else self._unlisted.output(output)

    def _read(self, seen: Accumulator) -> Sequence[Message]:
        response = self._live.adapter.response(seen.result())
        return () if response is None else response.output


def chars_of(call: ModelCall) -> int:
    """Return the number of characters in the texts of an answer."""
    return sum(len(text.text) for text in texts(call, Stage.STREAM))
