"""What enforce mode does over the findings of some stages."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from enum import Enum
from typing import TypeAlias

from specspan.decision import Action, Finding, Stage
from specspan.engine.chain import REWRITES, Law, milder, strictest
from specspan.engine.edits import Rewrite, rewritten
from specspan.engine.look import Look
from specspan.engine.model import PROCEED, Ruling
from specspan.engine.remains import exhaustive

Asks: TypeAlias = Callable[[Finding], Action]
"""What is to be done over a finding alone: `Law.does`, or `Law.asks` as if every clause were enforced."""


class Hold(Enum):
    """What can still be done about the texts. Tool calls can be stopped in every case."""

    WHOLE = "whole"
    """They can be rewritten and stopped."""
    WITHHELD = "withheld"
    """Chunks that cannot be rewritten, but of which none was handed over: what should be rewritten is stopped."""
    RELEASED = "released"
    """The consumer has them, or the stream was cut over them: nothing but a flag can be had."""


def ruling(looks: Sequence[Look], law: Law, hold: Hold) -> Ruling:
    """The strictest action that can still be taken, and the texts it rewrites when it does not stop the call."""
    action = action_over(looks, law.does, hold)
    if action is Action.ALLOW:
        return PROCEED
    if action.stops or action.rank < Action.REDACT.rank:
        return Ruling(action)
    asked = [
        (position, finding, look)
        for look in looks
        for position, finding in look.deviations.items()
        if _asks(finding, look, law.does, hold) in REWRITES
    ]
    asked.sort(key=lambda each: law.precedence(each[1]))
    return Ruling(action, rewritten(_rewrite(*each) for each in asked))


def action_over(looks: Iterable[Look], asks: Asks, hold: Hold, in_time: Container[int] = ()) -> Action:
    """The strictest action that can still be taken.

    ``in_time``: positions of the slots whose findings came before any text they are about was handed over.
    """
    return strictest(
        _asks(finding, look, asks, Hold.WHOLE if position in in_time else hold)
        for look in looks
        for position, finding in look.deviations.items()
    )


def _asks(finding: Finding, look: Look, asks: Asks, hold: Hold) -> Action:
    action = _within(asks(finding), finding.stage, hold)
    return Action.BLOCK if action in REWRITES and _points_elsewhere(finding, look) else action


def _within(asks: Action, stage: Stage, hold: Hold) -> Action:
    if stage is Stage.TOOL_CALL or hold is Hold.WHOLE:
        return asks
    if hold is Hold.RELEASED:
        return milder(asks, Action.FLAG)
    return Action.BLOCK if asks in REWRITES else asks


def _rewrite(position: int, finding: Finding, look: Look) -> Rewrite:
    slot = look.audience.readers[position]
    texts = look.read_by(slot)
    if finding.action is Action.REDACT:
        finding = exhaustive(slot, finding, look.call, texts)
    return Rewrite(finding, finding.action, slot.bound.replacement, texts)


def _points_elsewhere(finding: Finding, look: Look) -> bool:
    """Whether a finding about an answer's texts points at another part of it, such as a tool call: rewriting the texts
    would let that part through.
    """
    pointers = {text.pointer for text in look.texts}
    return any(
        evidence.pointer.startswith("/output/") and evidence.pointer not in pointers for evidence in finding.evidence
    )
