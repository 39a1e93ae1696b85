"""Streamed answer of which a policy holds a part back: chunks are withheld until their texts are clear.

What is found in a text that is withheld is replaced in it, and the stream goes on. `StreamedCall` says what was handed
over and why not; this adds the queue of `HeldChunks` between the two.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

from specspan._support.guard import contain
from specspan.decision import Action
from specspan.engine.evaluation import AFTER_CALL
from specspan.engine.held_texts import HeldPiece, HeldTexts
from specspan.engine.rewriting import Cut, Ruling
from specspan.engine.waiting import Steps
from specspan.errors import Blocked
from specspan.instrument.adapter import Accumulator, Streaming
from specspan.instrument.chunk_edits import edit_chunk, replace_repeated
from specspan.instrument.generators import ending_of
from specspan.instrument.held_chunks import HeldChunks
from specspan.instrument.live_call import LiveCall
from specspan.instrument.seen_answer import END
from specspan.instrument.stream_release import CarriedChunk, Release
from specspan.instrument.streamed_call import StreamedCall
from specspan.instrument.unlisted_texts import UnlistedTexts, as_deltas
from specspan.record.call_end import Ending


def open_stream(
    live: LiveCall, streaming: Streaming, ending_of: Callable[[BaseException | None], Ending] = ending_of
) -> StreamedCall:
    """Return the state of a stream that begins."""
    texts = None
    try:
        texts = None if live.evaluation is None else live.evaluation.held_texts()
    except Exception as error:
        contain("instrument.hold_back", error)
    return StreamedCall(live, streaming, ending_of) if texts is None else HeldCall(live, streaming, ending_of, texts)


class HeldCall(StreamedCall):
    """State of one stream of which a part is held back."""

    __slots__ = ("_given", "_given_unlisted", "_held", "_is_due", "_replace_chunk")

    def __init__(
        self,
        live: LiveCall,
        streaming: Streaming,
        ending_of: Callable[[BaseException | None], Ending],
        texts: HeldTexts,
    ) -> None:
        super().__init__(live, streaming, ending_of)
        self._usual = None
        self._held = HeldChunks(texts)
        self._is_due = False
        self._given: Accumulator = copy.deepcopy(self._seen)  # what was handed over
        self._given_unlisted: UnlistedTexts | None = self._unlisted and self._unlisted.duplicate()
        self._replace_chunk: Callable[[Any, Any], None] | None = None

    def source(self, stream: Any) -> Any:
        self._replace_chunk = getattr(stream, "replace_chunk", None)
        return super().source(stream)

    def accept(self, chunk: Any) -> bool:
        if self._failure is not None:
            return False
        self._note_start()
        try:
            self._hold(chunk)
        except Exception as error:
            self._failure = error
        return False

    def accept_returned(self, value: Any) -> None:
        self.accept(value)
        self._held.set_returned(value)

    def end_of(self, end: StopIteration) -> StopIteration:
        returned = self._held.returned
        if returned is None or self._live.evaluation is None:
            return end
        try:
            return StopIteration(self._edit(end.value, [(each.text, each.new_text()) for each in returned.pieces], {}))
        except LookupError as error:
            self._live.rule_failure("instrument.edit", error, AFTER_CALL, self._live.evaluation.fail_cut)
            return end

    def _watch_carried(self, carried: CarriedChunk) -> Cut | None:
        cut = super()._watch_carried(carried)
        return Cut(Action.REDACT) if cut is None and self._held.ends_edited(carried.chunk) else cut

    def _decide_carried(self, carried: CarriedChunk) -> Steps[Ruling]:
        ruling = yield from super()._decide_carried(carried)
        if ruling.edits and self._live.evaluation is not None:
            uneditable = LookupError("the text of an error cannot be replaced")
            self._live.rule_failure("instrument.edit", uneditable, AFTER_CALL, self._live.evaluation.fail_rewrite)
        return ruling

    def _hold(self, chunk: Any) -> None:
        """Look at a chunk, and put it behind those that are held back."""
        found = () if self._unlisted is None else self._unlisted.find(chunk)
        pieces: list[HeldPiece] = []
        texts = iter(chain(self._deltas(chunk), as_deltas(found)))
        for delta in texts:
            piece = self._held.texts.look(*delta)
            if self._check is not None and self._check.cut is not None:
                self._cut = delta[0], self._check.cut, texts
                return
            if piece is not None:
                pieces.append(piece)
        self._is_decided = False
        self._seen.add(chunk)
        self._keep(chunk, found)
        self._is_due = self._folded is not None and self._must_decide(self._folded, chunk)
        self._is_exhausted = self._is_exhausted or (self._is_last is not None and self._is_last(chunk))
        is_complete = bool(self._early_decisions) and self._seen.finished
        self._early_decisions -= is_complete
        self._held.take(chunk, pieces, waits_for_end=is_complete)

    def _release(self, chunk: Any) -> Steps[Release]:
        cut, self._cut = self._cut, None
        failure, self._failure = self._failure, None
        self._is_exhausted = self._is_exhausted or chunk is END
        is_due, self._is_due = self._is_due or self._is_exhausted, False
        try:
            if failure is not None:
                raise failure
            if cut is not None:
                return (yield from self._release_cut(chunk, *cut))
            if self._is_exhausted:
                self._held.texts.finish()
            if is_due:
                yield from self._rule_on_answer(chunk)
        except Blocked:
            raise
        except Exception as error:
            self._live.rule_failure("instrument.stream", error, AFTER_CALL)
            if failure is not None and chunk is not END:
                self._held.take(chunk, ())
        returned = self._held.returned
        if returned is not None and chunk is returned.chunk:
            return Release()
        given = self._give(is_end=self._is_exhausted)
        if self._is_exhausted:
            self._end(self._ending_of(None))
        return Release(given)

    def _rule_on_answer(self, chunk: Any) -> Steps[None]:
        """Have the answer decided. Of which nothing was handed over, that is rewritten as a whole answer is."""
        ruling = yield from self._decide_answer(withheld=chunk)
        if ruling.action.stops or (self._check is not None and self._check.cut is not None):
            raise self._live.block()
        if ruling.edits and self._live.evaluation is not None:
            try:
                self._held.rewrite(self._live.call, ruling.edits)
            except Exception as error:
                self._live.rule_failure("instrument.rewrite", error, AFTER_CALL, self._live.evaluation.fail_rewrite)

    def _give(self, *, is_end: bool) -> Sequence[Any]:
        """Return the chunks that are handed over now."""
        given: list[Any] = []
        is_done = False
        while not is_done:
            try:
                for chunk in self._held.release(self._edit, is_end=is_end):
                    self._note_handed_over(chunk)
                    given.append(chunk)
                is_done = True
            except Exception as error:
                evaluation = self._live.evaluation
                fail = None if evaluation is None else evaluation.fail_cut
                self._live.rule_failure("instrument.edit", error, AFTER_CALL, fail)
                chunk = self._held.release_as_it_came()
                self._note_handed_over(chunk)
                given.append(chunk)
        self._live.held_s = self._held.held_s
        return given

    def _edit(self, chunk: Any, changes: Sequence[tuple[str, str]], repeated: Mapping[str, str]) -> Any:
        """Return a chunk as it is handed over.

        Raises:
            LookupError: a text of it cannot be replaced.
        """
        edited = edit_chunk(chunk, changes, self._texts_in) if any(old != new for old, new in changes) else chunk
        edited = replace_repeated(edited, repeated) if repeated else edited
        if edited is not chunk and self._replace_chunk is not None:
            self._replace_chunk(chunk, edited)
        return edited

    def _note_handed_over(self, chunk: Any) -> None:
        try:
            self._given.add(chunk)
            if self._given_unlisted is not None and (found := self._given_unlisted.find(chunk)):
                self._given_unlisted.keep(chunk, found)
        except Exception as error:
            contain("instrument.handed_over", error)

    def _texts_in(self, chunk: Any) -> Sequence[str]:
        """Return the texts of a chunk by itself."""
        streaming, request = self._streaming, self._live.call.request
        if streaming.new_texts is None:
            deltas = streaming.deltas(chunk)
        else:
            deltas = streaming.new_texts(streaming.accumulator(request), chunk)
        unlisted = () if self._unlisted is None else self._unlisted.find(chunk)
        return [*(delta[1] for delta in deltas), *(each.text for each in unlisted)]

    def _released_chars(self, withheld: Any) -> int:
        return self._held.texts.released_chars

    def _handed_over(self) -> Accumulator:
        return self._given

    def _handed_over_unlisted(self) -> UnlistedTexts | None:
        return self._given_unlisted

    def _release_cut(self, chunk: Any, choice: int, cut: Cut, rest: Any) -> Steps[Release]:
        if self._check is not None:
            self._check.released_chars = self._held.texts.released_chars
        return (yield from super()._release_cut(chunk, choice, cut, rest))

    def before_error(self, error: BaseException) -> Release | None:
        """Return what is held back, to be handed over before an error of the client; None if nothing is."""
        is_decided = not self._held.texts.waits_for_whole and self._failure is None
        if self._live.ended or not is_decided or not isinstance(error, Exception):
            return None
        try:
            self._held.texts.finish()
            if self._check is not None and self._check.cut is not None:
                raise self._live.block()
            given = self._give(is_end=True)
        except Blocked as blocked:
            return Release(error=blocked, is_last=True)
        return Release(given, error, is_last=True) if given else None

    def _end(self, ending: Ending) -> None:
        if not self._live.ended:  # what is recorded is what was handed over
            try:
                self._unlisted = self._given_unlisted
                self._set_response(self._given.result())
                self._is_decided = True
            except Exception as error:
                contain("instrument.response", error)
        super()._end(ending)
