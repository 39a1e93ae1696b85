"""Checks of a streamed answer that need more than the text of the latest chunk.

A model's reasoning and parts that were not understood are no text of a chunk. Each chunk is read as if it were all of
the answer, so that it costs the same however long the answer is. Where that shows a part that was not understood, the
answer so far, which may understand it, is folded.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence

from specspan.call import Message, Reasoning
from specspan.checks.texts import UnreadRoles, has_unread_part, unread_roles_of_answer
from specspan.decision import Stage
from specspan.engine.bound_check import NOT_UNDERSTOOD, BoundCheck
from specspan.engine.plan import Plan
from specspan.engine.stream_check import StreamCheck

_STAGES = (Stage.OUTPUT, Stage.TOOL_CALL, Stage.STREAM)


class FoldedAnswerCheck:
    """State of the checks of one streamed answer before its latest chunk is handed over."""

    __slots__ = ("_stops_on_unread", "_stream", "_unread", "has_new_unread")

    def __init__(self, stream: StreamCheck | None, stops_on_unread: Sequence[BoundCheck]) -> None:
        self.has_new_unread = False
        """Whether the latest chunk brought a part that was not understood, over which a clause stops the stream."""
        self._stream = stream
        self._stops_on_unread = stops_on_unread
        self._unread: UnreadRoles = {}

    def must_decide(self, added: Sequence[Message], part: Hashable, fold: Callable[[], Sequence[Message]]) -> bool:
        """Return whether the answer so far is to be decided before its latest chunk is handed over.

        Args:
            added: the latest chunk, read as if it were all of the answer.
            part: the part of the answer that the chunk is about, where the service names it.
            fold: returns the answer so far.
        """
        self.has_new_unread = bool(self._stops_on_unread) and has_unread_part(added) and self._finds_unread(fold())
        return self.has_new_unread or (self._stream is not None and _finds_in_reasoning(self._stream, added, part))

    def _finds_unread(self, output: Sequence[Message]) -> bool:
        unread = unread_roles_of_answer(output, is_whole=False)
        if unread == self._unread:
            return False
        self._unread = unread
        return any(check.misses(unread) for check in self._stops_on_unread)


def _finds_in_reasoning(stream: StreamCheck, added: Sequence[Message], part: Hashable) -> bool:
    for choice, message in enumerate(added):
        texts = [each.content for each in message.parts if each.__class__ is Reasoning and each.content]
        pieces: list[tuple[Hashable, str]] = [(part, "".join(texts))] if texts else []
        if len(texts) > 1:  # a service may send it in several fields
            pieces += (((part, number), text) for number, text in enumerate(texts))
        for name, text in pieces:
            if stream.feed(choice, text, name, is_reasoning=True) is not None:
                return True
    return False


def folded_answer_check(plan: Plan, stream: StreamCheck | None) -> FoldedAnswerCheck | None:
    """Return the check of a streamed answer beyond its text; None where nothing that it finds could stop the stream.

    Args:
        plan: all checks of the call, in enforce mode.
        stream: the check of the answer's text as it grows.
    """
    reads_reasoning = plan.stream.reads_reasoning
    stops_on_unread = _checks_that_stop_on_unread(plan) if plan.chain.on_unread else ()
    if not reads_reasoning and not stops_on_unread:
        return None
    return FoldedAnswerCheck(stream if reads_reasoning else None, stops_on_unread)


def _checks_that_stop_on_unread(plan: Plan) -> tuple[BoundCheck, ...]:
    chain = plan.chain
    return tuple(
        check
        for stage in _STAGES
        if stage in plan.stages
        for check in plan.stages[stage].checks
        if check.clause_id in chain.on_unread and chain.effective_action(check.gap_finding(NOT_UNDERSTOOD)).stops
    )
