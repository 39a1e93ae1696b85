"""Plan of checks for a whole spec: for each clause the cheapest check that can decide it, and a judge for the rest."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from specspan.checks.judging.judge_prompt import clause_text
from specspan.checks.judging.rubrics import GENERAL, load_rubric
from specspan.spec.spec import Clause, Spec

GROUP = "spec"
"""Group of the judges of a plan: those that look at one call are asked in one request."""
_TOP_SAMPLE, _SAMPLE, _BOTTOM_SAMPLE = 0.2, 0.1, 0.02
_OF_AUTONOMY = re.compile(r"\bscopes?[ _-]of[ _-]autonomy\b", re.IGNORECASE)
_OF_TOOLS = re.compile(
    r"\b(?:side[ _-]?effects?|tool[ _-]?calls?|autonom(?:y|ous)|irreversible|shutdown|subagents?)", re.IGNORECASE
)
_STAGES = ("output", "tool_call")
_CHARS_PER_TOKEN = 4
ANSWER_TOKENS = 150
"""Tokens of an answer about one clause: score, explanation, sentence and quotations."""


@dataclass(frozen=True, slots=True)
class PlannedCheck:
    """Check of one clause, as a policy file writes it."""

    kind: str
    configuration: Mapping[str, Any]
    sample: float = 1.0


@dataclass(frozen=True, slots=True)
class JudgeLoad:
    """Tokens that the judges of a plan are expected to read and write for one call of the application."""

    requests: float
    input_tokens: float
    output_tokens: float
    answers: float
    """Clauses that are judged."""


def plan_checks(spec: Spec, model: str) -> Mapping[str, PlannedCheck]:
    """Return a check for every clause that binds somebody, by its id.

    A rule decides what it can: that tools keep to the scope of autonomy. All else is read by a judge, on more calls the
    higher the clause's authority is, and only on calls with a tool call where the clause is about what tools do.
    """
    return MappingProxyType({clause.id: _plan(spec, clause, model) for clause in spec.binding})


def estimate_load(
    spec: Spec, plan: Mapping[str, PlannedCheck], *, call_tokens: int, tool_call_share: float
) -> JudgeLoad:
    """Return what a plan asks of its judges for one call, with tokens estimated from the length of texts.

    Judges that look at one call, at one stage, share a request, its instructions and the text of the call. A call that
    is chosen for a small sample is chosen for the larger ones, too.

    Args:
        spec: the spec of the plan.
        plan: the plan.
        call_tokens: tokens of a call, question and answer together.
        tool_call_share: share of the calls in which the model calls a tool.
    """
    requests = answers = input_tokens = 0.0
    instructions = _tokens(load_rubric(GENERAL).text) + call_tokens
    for stage in _STAGES:
        judged = [
            (spec.clauses[id_], check.sample)
            for id_, check in plan.items()
            if check.kind == "judge" and check.configuration["stage"] == stage
        ]
        of_calls = tool_call_share if stage == "tool_call" else 1.0
        asked = of_calls * max((sample for _, sample in judged), default=0.0)  # one number a call chooses for all
        requests += asked
        answers += of_calls * sum(sample for _, sample in judged)
        clauses = sum(sample * _tokens(clause_text(clause)) for clause, sample in judged)
        input_tokens += asked * instructions + of_calls * clauses
    return JudgeLoad(requests, input_tokens, answers * ANSWER_TOKENS, answers)


def check_lines(check: PlannedCheck, flow: Callable[[Any], str]) -> Iterator[str]:
    """Yield the lines of a policy file that bind a check to its clause."""
    configuration = dict(check.configuration)
    if check.sample < 1:
        configuration["sample"] = f"{100 * check.sample:g}%"
    yield "    checks:"
    yield f"      - {flow({check.kind: configuration})[1:-1]}"


def _plan(spec: Spec, clause: Clause, model: str) -> PlannedCheck:
    words = f"{clause.id} {clause.title}"
    if _OF_AUTONOMY.search(words):
        return PlannedCheck("scope", {})
    stage = "tool_call" if _OF_TOOLS.search(words) else "output"
    return PlannedCheck("judge", {"model": model, "stage": stage, "group": GROUP}, _sample(spec, clause))


def _sample(spec: Spec, clause: Clause) -> float:
    levels, rank = len(spec.ladder), spec.rank(clause.authority or "")
    if levels > 1 and rank == 0:
        return _TOP_SAMPLE
    return _BOTTOM_SAMPLE if levels > 2 and rank == levels - 1 else _SAMPLE


def _tokens(text: str) -> int:
    return len(text) // _CHARS_PER_TOKEN
