"""Prompt of a judge: the rubric, the clauses and the fenced call, in an order that suits providers' caches."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256
from typing import Any

from specspan.checks.judging.fence import FencedText
from specspan.checks.judging.rubrics import GENERAL, LLAMA_GUARD, Rubric
from specspan.spec.spec import Clause, Example

FORMAT = "1"
"""Version of how a prompt is put together; part of every digest."""
EXAMPLE_CHARS = 4_000
"""Most characters of a clause's examples that stand in a prompt."""
_CHARS_PER_TOKEN = 4


class PromptOrder(str, Enum):
    """Order of the two parts of a prompt: what stands first is what a provider's cache can know."""

    CALL_FIRST = "call_first"
    """Where many requests are about one call."""
    CLAUSES_FIRST = "clauses_first"
    """Where many calls are judged by the same clauses."""


@dataclass(frozen=True, slots=True)
class JudgePrompt:
    """Request to a judge."""

    system: str
    user: str
    clauses: tuple[str, ...]
    """Ids of the clauses that are asked for, in order."""
    schema: dict[str, Any] | None = None
    """JSON Schema of the answer, for models that keep to one; None for an answer format of a guard model."""

    @property
    def estimated_tokens(self) -> int:
        """Tokens of the prompt, as estimated from its length."""
        return (len(self.system) + len(self.user)) // _CHARS_PER_TOKEN


def build_prompt(rubric: Rubric, clauses: Sequence[Clause], fenced: FencedText, order: PromptOrder) -> JudgePrompt:
    """Return the prompt that asks for ``clauses`` of one call; a rubric of one clause is given one."""
    ids = tuple(clause.id for clause in clauses)
    if rubric.name == GENERAL:
        block = "\n".join(("<<<clauses>>>", *map(clause_text, clauses), "<<<end of clauses>>>"))
        parts = (fenced.block, block) if order is PromptOrder.CALL_FIRST else (block, fenced.block)
        return JudgePrompt(rubric.text, "\n\n".join(parts) + "\n", ids, answer_schema(ids))
    if rubric.name == LLAMA_GUARD:
        categories = "\n".join(f"S{n}: {clause.title}.\n{clause.text}" for n, clause in enumerate(clauses, 1))
        policy = f"<BEGIN UNSAFE CONTENT CATEGORIES>\n{categories}\n<END UNSAFE CONTENT CATEGORIES>"
        return JudgePrompt(f"{rubric.text}\n{policy}\n", fenced.block + "\n", ids)
    return JudgePrompt(f"{rubric.text}\n## {clauses[0].title}\n\n{clauses[0].text}\n", fenced.block + "\n", ids)


def clause_text(clause: Clause) -> str:
    """Return a clause as a prompt has it: id, title, text, and the examples that fit."""
    examples, left = [], EXAMPLE_CHARS
    for text in _examples(clause):
        left -= len(text)
        if left < 0:
            break
        examples.append(text)
    return "\n\n".join((f"Clause {json.dumps(clause.id)}: {clause.title}", clause.text, *examples))


def judge_digest(rubric: Rubric, clause: Clause, model: str, parameters: object, order: PromptOrder) -> str:
    """Return the digest of prompt, rubric, text of the clause, model and parameters: ``sha256:`` and 64 digits.

    ``parameters``: everything else that answers depend on, as JSON values.
    """
    parts = [FORMAT, rubric.name, rubric.text, clause.id, clause_text(clause), model, parameters, order.value]
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return "sha256:" + sha256(text.encode()).hexdigest()


def answer_schema(clauses: Sequence[str]) -> dict[str, Any]:
    """Return the JSON Schema of the answer about some clauses; it is closed."""
    members: dict[str, Any] = {
        "clause": {"type": "string", "enum": list(clauses)},
        "applies": {"type": "boolean"},
        "outcome": {"type": "string", "enum": ["complied", "violated", "uncertain"]},
        "score": {"type": "number"},
        "explanation": {"type": "string"},
        "sentence": {"type": "string"},
        "quotations": {"type": "array", "items": {"type": "string"}},
    }
    answer = {"type": "object", "properties": members, "required": list(members), "additionalProperties": False}
    return {
        "type": "object",
        "properties": {"answers": {"type": "array", "items": answer}},
        "required": ["answers"],
        "additionalProperties": False,
    }


def _examples(clause: Clause) -> Iterator[str]:
    for example in clause.examples:
        yield _example(example)


def _example(example: Example) -> str:
    lines = [f"Example: {example.title}", *(f"{turn.role}: {turn.content}" for turn in example.turns)]
    for comparison in example.comparisons:
        for answer in comparison.answers:
            label = "" if answer.verdict is None else f" ({answer.verdict.label})"
            lines.extend(f"{turn.role}{label}: {turn.content}" for turn in answer.turns)
    return "\n".join(lines)
