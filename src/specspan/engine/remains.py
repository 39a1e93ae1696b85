"""Everything that a pattern check would point at, not just the first few places it tells apart.

A finding's evidence is bounded, because it is recorded. Redaction must not be: one number left standing is a leak.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from specspan.call import ModelCall
from specspan.checks.base import TextAt
from specspan.decision import CheckKind, Evidence, Finding, Outcome
from specspan.engine.edits import replaced
from specspan.engine.slots import Slot, ask

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
