"""Signs of outcomes and verdicts, so that no page tells them by colour alone."""

from __future__ import annotations

from specspan.decision import OUTCOMES_WORST_FIRST, Verdict

SIGNS = {
    "violated": "✘",
    "error": "!",
    "uncertain": "≈",
    "pending": "…",
    "overridden": "↷",
    "unassessed": "?",
    "complied": "✔",
    "not_applicable": "–",
}
"""Sign of each outcome, as the terminal shows it."""
OUTCOMES = tuple(outcome.value for outcome in OUTCOMES_WORST_FIRST)
VERDICTS = tuple(verdict.value for verdict in Verdict)


def rank(outcome: object) -> int:
    """Return the place of an outcome in a list that has the worst first and those with nothing amiss last."""
    if outcome in ("complied", "not_applicable"):
        return len(OUTCOMES) + (outcome == "not_applicable")
    return OUTCOMES.index(outcome) if isinstance(outcome, str) and outcome in OUTCOMES else len(OUTCOMES)
