"""What enforce mode does over the findings of some stages. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable
from enum import Enum

from specspan.decision import Action, Finding, Stage
from specspan.engine.chain import REWRITES, Law, milder, stricter
from specspan.engine.edits import Rewrite, rewritten
from specspan.engine.look import Look
from specspan.engine.model import PROCEED, Ruling


class Hold(Enum):
    """What can still be done about the texts. Tool calls can be stopped in every case."""

    WHOLE = "whole"
    """They can be rewritten and stopped."""
    WITHHELD = "withheld"
    """Chunks that cannot be rewritten, but of which none was handed over: what should be rewritten is stopped."""
    RELEASED = "released"
    """The consumer has them, or the stream was cut over them: nothing but a flag can be had."""


def ruling(looks: Iterable[Look], law: Law, hold: Hold = Hold.WHOLE, in_time: Container[int] = ()) -> Ruling:
    """The strictest action that can still be taken, and the texts it rewrites when it does not stop the call.

    ``in_time``: positions of the slots whose findings came before any text they are about was handed over.
    """
    action = Action.ALLOW
    rewrites: list[Rewrite] = []
    for look in looks:
        for position, finding in look.deviations.items():
            asks = _within(law.asks(finding), finding.stage, Hold.WHOLE if position in in_time else hold)
            if asks in REWRITES:
                asks = Action.BLOCK if _points_elsewhere(finding, look) else asks
                rewrites.append(_rewrite(position, finding, look))
            action = stricter(action, asks)
    if action is Action.ALLOW:
        return PROCEED
    if action.stops or not rewrites:
        return Ruling(action)
    return Ruling(action, rewritten(sorted(rewrites, key=lambda rewrite: law.precedence(rewrite.finding))))


def _within(asks: Action, stage: Stage, hold: Hold) -> Action:
    if stage is Stage.TOOL_CALL or hold is Hold.WHOLE:
        return asks
    if hold is Hold.RELEASED:
        return milder(asks, Action.FLAG)
    return Action.BLOCK if asks in REWRITES else asks


def _rewrite(position: int, finding: Finding, look: Look) -> Rewrite:
    slot = look.audience.readers[position]
    return Rewrite(finding, finding.action, slot.bound.replacement, look.read_by(slot))


def _points_elsewhere(finding: Finding, look: Look) -> bool:
    """Whether a finding about an answer's texts points at another part of it, such as a tool call: rewriting the texts
    would let that part through.
    """
    pointers = {text.pointer for text in look.texts}
    return any(
        evidence.pointer.startswith("/output/") and evidence.pointer not in pointers for evidence in finding.evidence
    )
