"""Explanations of decisions for messages of failing tests: clauses, checks that decided, and texts that they found."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from specspan.call import ModelCall
from specspan.checks.texts import texts
from specspan.decision import Action, Decision, Finding, Outcome
from specspan.record.call_end import CallRecord

MOST_DECISIONS = 10
"""Decisions that a message explains; of any further ones it tells the number."""
MOST_EVIDENCE = 3
"""Places that a message shows of one finding."""
_MOST_CHARS = 60
_QUIET = (Outcome.COMPLIED, Outcome.NOT_APPLICABLE, Outcome.UNASSESSED)
_UNEDITED = (Action.ALLOW, Action.FLAG)


def explain_decisions(records: Sequence[CallRecord]) -> str:
    """Return all that was decided, one paragraph for each decision."""
    if not records:
        return "Nothing was decided: no model call was made, or only by clients that are not instrumented."
    shown = [
        "\n".join(_decision_lines(number, len(records), record))
        for number, record in enumerate(records[:MOST_DECISIONS], start=1)
    ]
    left_out = len(records) - len(shown)
    return "\n\n".join(shown) + (f"\n\nand {left_out} more decisions" if left_out else "")


def _decision_lines(number: int, count: int, record: CallRecord) -> Iterator[str]:
    decision, request = record.decision, record.call.request
    if decision is None:
        return
    target = request.model if request.executes is None else request.executes.name
    yield f"decision {number} of {count}: {request.operation} {target}"
    yield f"  {_headline(decision)}"
    for finding in decision.findings:
        if finding.outcome not in _QUIET:
            yield f"  {_finding_line(finding)}"
            yield from (f"    {line}" for line in _evidence_lines(finding, record.call, decision))
    quiet: defaultdict[Outcome, list[str]] = defaultdict(list)
    for finding in decision.findings:
        if finding.outcome in _QUIET:
            quiet[finding.outcome].append(finding.clause)
    for outcome, clauses in quiet.items():
        yield f"  {outcome}: {', '.join(dict.fromkeys(clauses))}"
    unnamed = decision.summary.unassessed - len(quiet[Outcome.UNASSESSED])
    if unnamed > 0:
        yield f"  unassessed: {unnamed} of the clauses, which no check looked at"


def _headline(decision: Decision) -> str:
    action = f"action {decision.action}"
    if decision.would is not None and decision.would is not decision.action:
        action += f" (would {decision.would} in enforce mode)"
    governing = f", governed by {decision.governing_clause!r}" if decision.governing_clause else ""
    reason = f" ({decision.reason})" if decision.reason else ""
    return f"verdict {decision.verdict}, {action}, mode {decision.mode}{governing}{reason}"


def _finding_line(finding: Finding) -> str:
    check = "no check" if finding.check is None else f"{finding.check.mechanism} {finding.check.name}"
    reason = f": {finding.reason}" if finding.reason else ""
    explanation = f" - {_shortened(finding.explanation)}" if finding.explanation else ""
    return (
        f"{finding.outcome} {finding.clause!r} ({finding.authority}) by {check}, {finding.stage}{reason}{explanation}"
    )


def _evidence_lines(finding: Finding, call: ModelCall, decision: Decision) -> Iterator[str]:
    """Yield the places that evidence points at, with their text where the call is still as the check saw it."""
    is_as_seen = decision.action in _UNEDITED
    by_pointer = {text.pointer: text.text for text in texts(call, finding.stage)} if is_as_seen else {}
    for each in finding.evidence[:MOST_EVIDENCE]:
        text = by_pointer.get(each.pointer, "")[each.start : each.end]
        yield f"{each.pointer}[{each.start}:{each.end}]" + (f" {_shortened(text)!r}" if text else "")
    left_out = len(finding.evidence) - MOST_EVIDENCE
    if left_out > 0:
        yield f"and {left_out} more places"


def _shortened(text: str) -> str:
    return text if len(text) <= _MOST_CHARS else f"{text[:_MOST_CHARS]}…"
