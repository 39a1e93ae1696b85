"""One streamed answer on its way to its consumer: watched chunk by chunk, cut where the policy says so.

`StreamedCall` is the one place that knows what of a stream was handed over, what is withheld, and why. Its readers
(`specspan.instrument.stream_proxies`) hand over each chunk that it accepts; any other they have decided, and hand over
what the `Release` holds.

A finish reason is not the end of an answer. The chunk that completes one is withheld until the answer so far was
decided, since a consumer may stop there; whatever follows is watched, and decided when the stream is exhausted.
"""

from __future__ import annotations

import copy
import inspect
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any

from specspan._support.guard import contain
from specspan.call import ModelCall
from specspan.engine.evaluation import AFTER_CALL
from specspan.engine.folded_answer import FoldedAnswerCheck
from specspan.engine.rewriting import Cut
from specspan.engine.stream_check import StreamCheck
from specspan.engine.waiting import Steps
from specspan.errors import Blocked
from specspan.instrument.adapter import Accumulator, Delta, Streaming, UsualChunks
from specspan.instrument.formats.known_fields import Unlisted
from specspan.instrument.generators import ABANDONED, CLOSED, COMPLETED, ending_of
from specspan.instrument.live_call import LiveCall
from specspan.instrument.seen_answer import END, SeenAnswer
from specspan.instrument.stream_release import CarriedChunk, Close, Closing, NothingSeen, Release
from specspan.instrument.unlisted_texts import UnlistedTexts, as_deltas
from specspan.record.call_end import Ending


class StreamedCall(SeenAnswer):
    """State of one stream between where its chunks come from and its one consumer."""

    __slots__ = (
        "_check",
        "_cut",
        "_ending_of",
        "_failure",
        "_folded",
        "_is_exhausted",
        "_is_last",
        "_is_let_through",
        "_take_in",
        "_usual",
        "remains",
    )

    def __init__(
        self,
        live: LiveCall,
        streaming: Streaming,
        ending_of: Callable[[BaseException | None], Ending] = ending_of,
    ) -> None:
        super().__init__(live, streaming)
        self._ending_of = ending_of
        self._check: StreamCheck | None = None
        self._folded: FoldedAnswerCheck | None = None
        self._cut: tuple[int, Cut, Iterator[Delta]] | None = None  # why the chunk at hand is withheld: the policy cuts
        # the stream at it; with what of the chunk was not looked at
        self._failure: Exception | None = None  # why it is withheld: it could not be watched
        self._is_exhausted = False
        self._is_let_through = False
        self._is_last = streaming.is_last if live.joined else None
        self._usual: UsualChunks | None = None
        self._take_in: Callable[[Any], None] | None = None  # all there is to do from the second chunk on without checks
        self.remains: Release | None = None
        """What is still to be given out once the stream was cut; None as long as it was not."""
        try:
            self._seen = streaming.accumulator(live.call.request)
            if streaming.new_texts is not None:
                self._deltas = partial(streaming.new_texts, self._seen)
            if live.evaluation is not None:
                self._check = live.evaluation.stream()
                self._folded = live.evaluation.folded()
                self._usual = None if streaming.usual is None else streaming.usual(self._seen)
        except Exception as error:
            self._fail_open(error)

    def _fail_open(self, error: Exception) -> None:
        """Rule on a stream that cannot be watched. Where it is not let through, the first chunk says so."""
        try:
            self._live.rule_failure("instrument.stream", error, AFTER_CALL)
        except Blocked as blocked:
            self._failure = blocked

    @property
    def is_enforced(self) -> bool:
        """Return whether a policy in enforce mode decides the stream."""
        evaluation = self._live.evaluation
        return not self._is_let_through and evaluation is not None and evaluation.enforces_output

    def let_through(self) -> None:
        """Take in that the stream is handed over as the client made it, because it could not be watched."""
        self._is_let_through = True

    def refuse(self, error: Exception) -> None:
        """Take in that ``error`` is raised to whoever reads around the stream, of which nothing more is handed over."""
        if not self._live.ended:
            self.fail(error)
            self.remains = Release(error=error, is_last=True)

    def during(self, stream: Any, step: Callable[..., Any], *, is_async: bool = False) -> Callable[..., Any]:
        """Return a step of a stream as one that is part of the call, where the stream may make calls of its own."""
        if not (self._live.adapter.gateway or inspect.isgenerator(stream) or inspect.isasyncgen(stream)):
            return step
        return self._live.during_async(step) if is_async else self._live.during(step)

    def source(self, stream: Any) -> Any:
        """Return what is closed where the policy cuts ``stream``."""
        try:
            return self._streaming.source(stream)
        except Exception as error:
            contain("instrument.source", error)
            return stream

    def accept(self, chunk: Any) -> bool:
        """Take in a chunk. True: hand it over. False: have it decided first."""
        try:
            if self._take_in is not None:
                self._take_in(chunk)
                return True
            if self._usual is not None and (text := self._usual.text_of(chunk)) is not None:
                return self._accept_text(self._usual, *text)
            if self._failure is not None:
                return False
            self._note_start()
            found = () if self._unlisted is None else self._unlisted.find(chunk)
            if self._check is not None and self._cuts(self._check, self._deltas(chunk), found):
                return False
            self._is_decided = False
            self._seen.add(chunk)
            if found:
                self._keep(chunk, found)
            is_due = self._folded is not None and self._must_decide(self._folded, chunk)
            if self._is_last is not None and self._is_last(chunk):
                self._is_exhausted = True
                return False
            if is_due or (self._early_decisions and self._seen.finished):
                return False
            if self._usual is not None:
                self._learn(self._usual, chunk)
            return True  # noqa: TRY300 - no dearer than it must be
        except Exception as error:
            self._failure = error
            return False

    def _note_start(self) -> None:
        live = self._live
        if live.first_chunk_s is None:
            live.first_chunk_s = time.perf_counter() - live.started_s
            if live.evaluation is None and self._is_last is None:
                self._take_in = self._seen.add

    def _accept_text(self, usual: UsualChunks, choice: int, text: str) -> bool:
        """Take in a chunk of which nothing but its text is to be looked at."""
        if self._check is not None:
            cut = self._check.feed(choice, text, "content")
            if cut is not None:
                self._cut = choice, cut, iter(())
                return False
        self._is_decided = False
        usual.add_text(choice, text)
        return True

    def _learn(self, usual: UsualChunks, chunk: Any) -> None:
        if self._unlisted is not None and not self._unlisted.has_any(chunk):
            usual.learn(chunk)
        if not usual.can_learn:
            self._usual = None

    def _cuts(self, check: StreamCheck, deltas: Iterable[Delta], found: Sequence[Unlisted]) -> bool:
        """Look at the texts of a chunk. Returns whether the policy cuts the stream at one of them."""
        texts = iter(chain(deltas, as_deltas(found)) if found else deltas)
        for delta in texts:
            cut = check.feed(*delta)
            if cut is not None:
                self._cut = delta[0], cut, texts
                return True
        return False

    def decide(self, chunk: Any, close: Close | None) -> Steps[Release]:
        """Have a chunk decided that was not accepted, or with `END` the whole answer.

        ``close`` is called where the policy cuts the stream. It is not kept: it may hold the stream's own reader.
        """
        try:
            release = yield from self._release(chunk)
        except Blocked as blocked:
            release = Release(error=blocked, is_last=True)
        if release.is_last:
            self.remains = release
            yield Closing(close)
        return release

    def closed(self) -> Steps[None]:
        """Take in that the consumer closed the stream. What was handed over is decided."""
        if self._live.ended:
            return
        is_finished = self._is_finished()
        try:
            yield from self._decide_handed_over(is_whole=is_finished)
        finally:  # also when nobody waits for the decision any more
            if self.is_enforced:  # the client may hold more, which nobody would decide
                self.remains = Release(is_last=True)
            self._end(COMPLETED if is_finished else CLOSED)

    def hand_over(self, release: Release, end: Exception, *, is_end: bool = False) -> Any:
        """Return the first chunk of a release, and keep the others; where it ``is_end``, the stream ends with ``end``.

        Raises:
            Exception: there is none.
        """
        if not release.is_last and release.has_more:
            if is_end:
                release.end_with(end)
            self.remains = release
        return release.give(end)

    def end_with(self, error: BaseException) -> Release | None:
        """Take in that ``error`` broke the stream off. Returns what is handed over before it; None if nothing is."""
        rest = self.before_error(error)
        self.fail(error)
        if rest is not None:
            self.remains = rest
        return rest

    def fail(self, error: BaseException) -> None:
        """Take in that ``error`` broke the stream off."""
        if not self._live.ended:
            self._break_off(self._ending_of(error), is_whole=self._is_finished())

    def decide_error(self, carried: CarriedChunk, error: BaseException) -> Steps[None]:
        """Have decided what an error carries, and end the stream with that error.

        The text of an error cannot be edited: a clause that asks for an edit fails.
        """
        live, self.remains = self._live, Release(is_last=True)
        try:
            cut = self._watch_carried(carried)
            ruling = yield from self._decide_carried(carried)
            if ruling.action.stops or (cut is not None and cut.action.stops):
                raise live.block()
            if cut is not None and live.evaluation is not None:
                uneditable = LookupError("the text of an error cannot be replaced")
                live.rule_failure("instrument.cut", uneditable, AFTER_CALL, live.evaluation.fail_cut)
        except Blocked:
            raise
        except Exception as failure:
            live.rule_failure("instrument.stream", failure, AFTER_CALL)
        self.fail(error)

    def _watch_carried(self, carried: CarriedChunk) -> Cut | None:
        """Take in what an error carries. Returns how the stream is cut at it."""
        if carried.chunk is not None:
            unlisted = self._unlisted
            had_odd_event = unlisted is not None and unlisted.has_odd_event
            self.accept(carried.chunk)
            if unlisted is not None:  # the text of an error is read as it stands
                unlisted.has_odd_event = had_odd_event
            if self._failure is not None:
                raise self._failure
            if self._cut is not None:
                self._take(carried.chunk)
                return self._cut[1]
        if carried.refused is not None and self._check is not None:
            return self._check.feed(0, carried.refused.text, "refused")
        return None

    def abandoned(self) -> None:
        """Take in that the consumer let go of the stream."""
        if self._live.ended:
            return
        is_finished = self._is_finished()
        self._break_off(COMPLETED if is_finished else ABANDONED, is_whole=is_finished)

    def _release(self, chunk: Any) -> Steps[Release]:
        """The one guard around all that stands between the clauses and a chunk that is withheld."""
        cut, self._cut = self._cut, None
        failure, self._failure = self._failure, None
        self._is_exhausted = self._is_exhausted or chunk is END
        try:
            if failure is not None:
                raise failure
            if cut is not None:
                return (yield from self._release_cut(chunk, *cut))
            ruling = yield from self._decide_answer(withheld=chunk)
            if ruling.action.stops or (self._check is not None and self._check.cut is not None):
                raise self._live.block()
        except Blocked:
            raise
        except Exception as error:
            self._live.rule_failure("instrument.stream", error, AFTER_CALL)
        if self._is_exhausted:  # where the span is somebody else's, before the last chunk: with that, they end it
            self._end(self._ending_of(None))
        return Release(() if chunk is END else (chunk,))

    def _release_cut(self, chunk: Any, choice: int, cut: Cut, rest: Iterator[Delta]) -> Steps[Release]:
        """End the stream before ``chunk``, which is part of what is decided, and not of what is handed over."""
        live, last = self._live, tuple[Any, ...]()
        if cut.text is not None and live.evaluation is not None:
            try:
                stripped = chunk if self._unlisted is None else self._unlisted.stripped(chunk)
                last = (self._streaming.cut(stripped, choice, cut.text),)
            except Exception as error:
                live.rule_failure("instrument.cut", error, AFTER_CALL, live.evaluation.fail_cut)
                return (yield from self._release_uncut(chunk, rest))
        handed_over: Accumulator = NothingSeen()
        unlisted = self._handed_over_unlisted()
        stops = cut.action.stops
        try:
            handed_over = self._handed_over()
            self._take(chunk)
            ruling = yield from self._decide_answer(withheld=chunk)
            stops = stops or ruling.action.stops
        except Exception as error:  # the cut stands whatever fails after it
            live.rule_failure("instrument.cut_answer", error, AFTER_CALL)
        self._unlisted = unlisted
        given = self._ended_by(() if stops else last, handed_over)
        if stops:
            raise live.block()
        live.end(COMPLETED)
        return Release(given, is_last=True)

    def _handed_over(self) -> Accumulator:
        """Return what was handed over."""
        return copy.deepcopy(self._seen)

    def _handed_over_unlisted(self) -> UnlistedTexts | None:
        """Return the texts in fields that are not known of what was handed over."""
        return self._unlisted and self._unlisted.duplicate()

    def accept_returned(self, value: Any) -> None:
        """Take in what a generator returned behind its chunks."""
        self.accept(value)

    def end_of(self, end: StopIteration) -> StopIteration:
        """Return how a generator ends that returned something."""
        return end

    def before_error(self, error: BaseException) -> Release | None:
        """Return what is to be handed over before an error of the client; None if nothing is."""
        return None

    def _release_uncut(self, chunk: Any, rest: Iterator[Delta]) -> Steps[Release]:
        """Hand over a chunk at which the stream could not be cut, unless the ``rest`` of its texts cuts the stream."""
        for delta in rest:
            if self._check is not None and (cut := self._check.feed(*delta)) is not None:
                return (yield from self._release_cut(chunk, delta[0], cut, rest))
        self._take(chunk)
        return Release((chunk,))

    def _ended_by(self, last: Sequence[Any], handed_over: Accumulator) -> Sequence[Any]:
        """Note as the answer what was handed over and ends with ``last``. Returns that, and what closes the stream."""
        rest = list(last)
        live, self._seen = self._live, handed_over
        try:
            for chunk in last:
                handed_over.add(chunk)
                for closing in self._streaming.closing_events(handed_over, chunk):
                    rest.append(closing)
                    handed_over.add(closing)
            self._set_response(handed_over.result())
        except Exception as error:
            contain("instrument.handed_over", error)
            live.call = ModelCall(live.call.request, None, live.call.context)  # what was withheld is not recorded
        self._is_decided = True
        return rest

    def _break_off(self, ending: Ending, *, is_whole: bool) -> None:
        """End it here and now. What was handed over is decided as far as that needs no waiting."""
        deciding = self._decide_handed_over(is_whole=is_whole)
        next(deciding, None)
        deciding.close()
        self._end(ending)

    def _is_finished(self) -> bool:
        """Return whether the whole answer came."""
        try:
            return self._is_exhausted or self._seen.finished
        except Exception as error:
            contain("instrument.finished", error)
            return False

    def _end(self, ending: Ending) -> None:
        if self._live.ended:
            return
        if not self._is_decided:
            try:
                self._set_response(self._seen.result())
            except Exception as error:
                contain("instrument.response", error)
        self._live.end(ending)
