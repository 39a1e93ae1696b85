"""What a check returned, as a finding; nonsense is told apart from an answer."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

from specspan.decision import Evidence, Finding, Outcome

COMPLIED = Finding(Outcome.COMPLIED)
VIOLATED = Finding(Outcome.VIOLATED)
NOT_APPLICABLE = Finding(Outcome.NOT_APPLICABLE)

CHECKS_OWN = frozenset(set(Outcome) - {Outcome.OVERRIDDEN, Outcome.UNASSESSED})
"""The outcomes a check can find, ``pending`` among them for one that goes on in the background.

The others say what became of a clause that no check decided.
"""

_POINTERS = ("/input/", "/output/", "/system_instructions/")


class NonsenseResult(ValueError):
    """A check returned something that is no finding; the clause's outcome is ``error``."""


def as_finding(result: Any) -> Finding:
    """What a check returned, as a finding whose every field can be trusted.

    True complied, False violated, None is not applicable. A `Finding` is taken as it is (evidence as a tuple).

    Raises:
        NonsenseResult: it is anything else, or a finding that contradicts itself.
    """
    if result is True:
        return COMPLIED
    if result is False:
        return VIOLATED
    if result is None:
        return NOT_APPLICABLE
    if not isinstance(result, Finding):
        raise NonsenseResult(f"a check returns a Finding, True, False or None, not {type(result).__name__}")
    _refuse_outcome(result.outcome)
    _refuse_score(result.score)
    for name in ("reason", "explanation"):
        if not isinstance(getattr(result, name), (str, type(None))):
            raise NonsenseResult(f"{name} is a string or None, not {type(getattr(result, name)).__name__}")
    return _with_evidence(result)


def _refuse_outcome(outcome: Any) -> None:
    if not isinstance(outcome, Outcome) or outcome not in CHECKS_OWN:
        raise NonsenseResult(f"a check finds one of {', '.join(sorted(CHECKS_OWN))}, not {_shown(outcome)}")


def _refuse_score(score: Any) -> None:
    if score is None:
        return
    if isinstance(score, bool) or not isinstance(score, (int, float)) or not abs(score) <= sys.float_info.max:
        raise NonsenseResult(f"a score is a finite number or None, not {_shown(score)}")


def _with_evidence(finding: Finding) -> Finding:
    evidence: Any = finding.evidence
    if not isinstance(evidence, (tuple, list)):
        raise NonsenseResult(f"evidence is a tuple of Evidence, not {type(evidence).__name__}")
    for each in evidence:
        if not isinstance(each, Evidence) or not _points_somewhere(each):
            raise NonsenseResult(
                f"evidence points at characters start to end of a part such as /output/0/parts/0, not at {_shown(each)}"
            )
    return finding if isinstance(evidence, tuple) else replace(finding, evidence=tuple(evidence))


def _points_somewhere(evidence: Evidence) -> bool:
    pointer: Any = evidence.pointer
    start: Any = evidence.start
    end: Any = evidence.end
    if not isinstance(pointer, str) or not pointer.startswith(_POINTERS):
        return False
    return type(start) is int and type(end) is int and 0 <= start <= end


def _shown(value: Any) -> str:
    """A value in a message: offsets and words may be shown, content must not be, and a ``__repr__`` may raise."""
    if isinstance(value, (Outcome, Evidence, bool, int, float)):
        return repr(value)[:80]
    return type(value).__name__
