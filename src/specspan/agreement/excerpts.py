"""Short stretches of what an answer says, for a person who asks why a check found what it found."""

from __future__ import annotations

from collections.abc import Sequence

from specspan.call import ModelCall
from specspan.checks.texts import texts
from specspan.decision import Finding

_BEFORE_CHARS = 30


def excerpt(call: ModelCall, finding: Finding, max_chars: int) -> str:
    """The text around the first place that a finding points at; empty where it points nowhere."""
    by_pointer = {text.pointer: text.text for text in texts(call, finding.stage)}
    for place in finding.evidence:
        if place.pointer in by_pointer:
            text = by_pointer[place.pointer]
            start = max(0, place.start - _BEFORE_CHARS)
            return ("…" if start else "") + shortened(text[start:], max_chars)
    return ""


def answer_text(calls: Sequence[ModelCall], max_chars: int) -> str:
    """The beginning of an answer, tool calls by name and arguments."""
    said = [part for call in calls for part in (call.output_text, *(_called(call)))]
    return shortened(" ".join(filter(None, said)), max_chars)


def shortened(text: str, max_chars: int) -> str:
    """A text on one line, cut where it is longer."""
    line = " ".join(text[: 4 * max_chars].split())
    return line if len(line) <= max_chars and len(text) <= 4 * max_chars else f"{line[: max_chars - 1]}…"


def _called(call: ModelCall) -> Sequence[str]:
    return [f"{part.name}({part.arguments})" for part in call.tool_calls]
