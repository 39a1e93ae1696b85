"""What enforce mode does over the findings of some stages."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from typing import TypeAlias

from specspan.call import ModelCall
from specspan.checks.check import TextAt
from specspan.decision import Action, CheckKind, Evidence, Finding, Outcome, Stage
from specspan.engine.bound_check import Slot, ask
from specspan.engine.precedence import REWRITES, Law, milder, strictest
from specspan.engine.rewriting import PROCEED, Rewrite, Ruling, replaced, rewritten
from specspan.engine.stage_run import Look

# MERGED remains: Everything that a pattern check would point at, not just the first few places it tells apart.
#
# A finding's evidence is bounded, because it is recorded. Redaction must not be: one number left standing is a leak.


ROUNDS = 32
"""How often a check is asked again; a text in which it then still finds something is redacted as a whole."""

_BLANK = "\ue000"  # for private use: no letter, digit or space, and in nobody's pattern
_Spans = Mapping[str, set[tuple[int, int]]]


def exhaustive(slot: Slot, finding: Finding, call: ModelCall, texts: Sequence[TextAt]) -> Finding:
    """``finding`` with all its evidence: the check is asked again of what is left until it finds no more.

    Only pattern checks are: others say once where.
    """
    if slot.ref.kind is not CheckKind.PATTERN or slot.timeout_s is not None:
        return finding
    found: dict[str, set[tuple[int, int]]] = {text.pointer: set() for text in texts}
    latest = finding
    for _ in range(ROUNDS):
        if latest.outcome is not Outcome.VIOLATED or not _added(latest.evidence, found):
            return replace(finding, evidence=_evidence(found))
        latest = ask(slot, call, [_blanked(text, found[text.pointer]) for text in texts])
    for text in texts:
        if any(evidence.pointer == text.pointer for evidence in latest.evidence):
            found[text.pointer] = {(0, len(text.text))}
    return replace(finding, evidence=_evidence(found))


def _added(evidence: Iterable[Evidence], found: _Spans) -> bool:
    """Add to what was found; whether anything was new."""
    before = sum(map(len, found.values()))
    for each in evidence:
        if each.pointer in found:
            found[each.pointer].add((each.start, each.end))
    return sum(map(len, found.values())) > before


def _blanked(text: TextAt, spans: Iterable[tuple[int, int]]) -> TextAt:
    """The text without what stands in ``spans``; everything else stands where it stood."""
    inside = ((start, min(end, len(text.text)), "") for start, end in spans)
    left = replaced(text.text, inside, lambda start, end, _: _BLANK * (end - start))
    return TextAt(text.pointer, text.role, left)


def _evidence(found: _Spans) -> tuple[Evidence, ...]:
    return tuple(Evidence(pointer, start, end) for pointer, spans in found.items() for start, end in sorted(spans))


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
