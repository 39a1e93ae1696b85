"""Actions that enforce mode takes over the findings of some stages, and the texts they rewrite."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from enum import Enum
from typing import TypeAlias

from specspan.call import ModelCall
from specspan.checks.check import PartialFindings, Redaction, TextAt
from specspan.checks.texts import limit_work
from specspan.decision import Action, Evidence, Finding, Outcome, Stage
from specspan.engine.bound_check import UNREAD, BoundCheck, redactions_of, run_check
from specspan.engine.precedence import REWRITES, CommandChain, milder_action, strictest_action
from specspan.engine.pseudonyms import Pseudonyms
from specspan.engine.rewriting import PROCEED, Rewrite, Ruling, replace_spans, rewrite_texts
from specspan.engine.stage_run import StageRun

MAX_ROUNDS = 32
"""Number of times a check runs again before a redaction; a text in which it still finds something is redacted as a
whole."""

_BLANK = "\ue000"  # for private use: no letter, digit or space, and in nobody's pattern
_SpansByPointer = Mapping[str, set[tuple[int, int]]]

ActionRule: TypeAlias = Callable[[Finding], Action]
"""Action over a finding alone: `CommandChain.effective_action`, or `CommandChain.requested_action`."""


class Reversibility(Enum):
    """Degree to which an answer's texts can still be changed. Tool calls can be stopped in every case."""

    FULL = "full"
    """The texts can be rewritten and stopped."""
    STOP_ONLY = "stop_only"
    """The texts are chunks that cannot be rewritten, but none was released: what should be rewritten is stopped."""
    NONE = "none"
    """The consumer has the texts, or the stream was cut over them: nothing but a flag is left."""


def rule(
    runs: Sequence[StageRun],
    chain: CommandChain,
    reversibility: Reversibility,
    in_time: Container[int] = (),
    pseudonyms: Pseudonyms | None = None,
) -> Ruling:
    """Return the strictest action that can still be taken, and the texts it rewrites if it does not stop the call.

    Args:
        runs: the stages that ran.
        chain: the chain of command.
        reversibility: how far texts can still be changed.
        in_time: as in `action_over`, positions of checks that rewrite nothing.
        pseudonyms: names that were given in this call so far, to which new ones are added.
    """
    action = action_over(runs, chain.effective_action, reversibility, in_time)
    if action is Action.ALLOW:
        return PROCEED
    if action.stops or action.rank < Action.REDACT.rank:
        return Ruling(action)
    to_rewrite = [
        (position, finding, run)
        for run in runs
        for position, finding in run.deviations.items()
        if _action_over(finding, run, chain.effective_action, reversibility) in REWRITES
    ]
    to_rewrite.sort(key=lambda each: chain.precedence(each[1]))
    return Ruling(action, rewrite_texts((_rewrite(*each) for each in to_rewrite), pseudonyms))


def action_over(
    runs: Iterable[StageRun], action_of: ActionRule, reversibility: Reversibility, in_time: Container[int] = ()
) -> Action:
    """Return the strictest action that can still be taken.

    ``in_time``: positions of the checks whose findings came before any text they are about was released.
    """
    return strictest_action(
        _action_over(finding, run, action_of, Reversibility.FULL if position in in_time else reversibility)
        for run in runs
        for position, finding in run.deviations.items()
    )


def unread_positions(runs: Iterable[StageRun]) -> frozenset[int]:
    """Return the positions of the checks whose findings are about a part that was not understood."""
    found = (item for run in runs for item in run.deviations.items())
    return frozenset(position for position, finding in found if finding.reason in UNREAD)


def with_all_evidence(check: BoundCheck, finding: Finding, call: ModelCall, texts: Sequence[TextAt]) -> Finding:
    """Return ``finding`` with all places that the check would point at, not only the bounded evidence it records.

    Redaction must not be bounded: one number left standing is a leak. So the check runs again on what a redaction
    would leave, until it finds no more; where it fails, whole texts are redacted. Only a check that finds matches in a
    part of a text can be run so.
    """
    if check.traits.finds_in_part is not PartialFindings.MATCHES or check.timeout_s is not None:
        return finding
    spans: dict[str, set[tuple[int, int]]] = {text.pointer: set() for text in texts}
    latest = finding
    for _ in range(MAX_ROUNDS):
        if latest.outcome is Outcome.ERROR:
            return _with_whole_texts(finding, texts)
        if latest.outcome is not Outcome.VIOLATED or not _add_spans(latest.evidence, spans):
            return replace(finding, evidence=_as_evidence(spans))
        latest = run_check(check, call, [_without_spans(text, spans[text.pointer]) for text in texts])
    for text in texts:
        if any(evidence.pointer == text.pointer for evidence in latest.evidence):
            spans[text.pointer] = {(0, len(text.text))}
    return replace(finding, evidence=_as_evidence(spans))


def _action_over(finding: Finding, run: StageRun, action_of: ActionRule, reversibility: Reversibility) -> Action:
    action = _possible_action(action_of(finding), finding.stage, reversibility)
    if action not in REWRITES:
        return action
    return Action.BLOCK if _points_elsewhere(finding, run) or _is_about_reasoning(finding, run) else action


def _possible_action(action: Action, stage: Stage, reversibility: Reversibility) -> Action:
    if stage is Stage.TOOL_CALL or reversibility is Reversibility.FULL:
        return action
    if reversibility is Reversibility.NONE:
        return milder_action(action, Action.FLAG)
    return Action.BLOCK if action in REWRITES else action


def _points_elsewhere(finding: Finding, run: StageRun) -> bool:
    """Return whether a finding about an answer's texts points at another part of it, such as a tool call: rewriting
    the texts would let that part through.
    """
    pointers = {text.pointer for text in run.texts}
    return any(
        evidence.pointer.startswith("/output/") and evidence.pointer not in pointers for evidence in finding.evidence
    )


def _is_about_reasoning(finding: Finding, run: StageRun) -> bool:
    """Return whether a finding is about a model's reasoning, of which nothing is rewritten: providers sign it."""
    reasoning = {text.pointer for text in run.texts if text.is_reasoning}
    if not reasoning or finding.evidence:
        return any(evidence.pointer in reasoning for evidence in finding.evidence)
    return any(check.ref == finding.check and check.traits.reads_reasoning for check in run.checks.applicable.values())


def _rewrite(position: int, finding: Finding, run: StageRun) -> Rewrite:
    check = run.checks.applicable[position]
    texts = run.texts_read_by(check)
    redactions: Sequence[Redaction] | None = ()
    if finding.action is Action.REDACT and not (redactions := redactions_of(check, run.call, texts)):
        is_known = redactions is not None
        finding = with_all_evidence(check, finding, run.call, texts) if is_known else _with_whole_texts(finding, texts)
    return Rewrite(finding, finding.action, check.clause_policy.replacement, texts, redactions or ())


def _with_whole_texts(finding: Finding, texts: Sequence[TextAt]) -> Finding:
    return replace(finding, evidence=tuple(Evidence(text.pointer, 0, len(text.text)) for text in texts))


def _add_spans(evidence: Iterable[Evidence], spans: _SpansByPointer) -> bool:
    """Add the places of ``evidence`` to ``spans`` and return whether any was new."""
    before = sum(map(len, spans.values()))
    for each in evidence:
        if each.pointer in spans:
            spans[each.pointer].add((each.start, each.end))
    return sum(map(len, spans.values())) > before


def _without_spans(text: TextAt, spans: Iterable[tuple[int, int]]) -> TextAt:
    """Return a text with ``spans`` blanked; everything else stands where it stood."""
    inside = ((start, min(end, len(text.text)), "") for start, end in spans)
    blanked = replace_spans(text.text, inside, lambda start, end, _: _BLANK * (end - start))
    left = TextAt(text.pointer, text.role, blanked, text.is_reasoning)
    limit_work((left,), text.work)
    return left


def _as_evidence(spans: _SpansByPointer) -> tuple[Evidence, ...]:
    return tuple(Evidence(pointer, start, end) for pointer, places in spans.items() for start, end in sorted(places))
