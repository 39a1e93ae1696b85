"""A spec as JSON: the stable form that ``--json`` prints, described in ``docs/specs.md``."""

from __future__ import annotations

from collections import Counter
from typing import Any

from specspan.spec.model import Clause, Comparison, Example, Spec, Turn, Verdict

FORM = 1
"""Version of the form. Keys may be added under one version; what a key means never changes."""


def to_json(spec: Spec) -> dict[str, Any]:
    """The whole spec."""
    return {**identity_to_json(spec), "clauses": [clause_to_json(clause) for clause in spec.clauses.values()]}


def identity_to_json(spec: Spec) -> dict[str, Any]:
    """Everything but the clauses themselves."""
    return {
        "v": FORM,
        "type": "spec",
        "id": spec.id,
        "version": spec.version,
        "digest": spec.digest,
        "source": spec.source,
        "ladder": list(spec.ladder),
        "counts": counts(spec),
    }


def counts(spec: Spec) -> dict[str, Any]:
    """How much of what there is in a spec."""
    levels = Counter(clause.authority for clause in spec.clauses.values())
    examples = [example for clause in spec.clauses.values() for example in clause.examples]
    comparisons = [comparison for example in examples for comparison in example.comparisons]
    verdicts = Counter(answer.verdict.label for one in comparisons for answer in one.answers if answer.verdict)
    return {
        "sections": len(spec.clauses),
        "authority": {level: levels[level] for level in spec.ladder},
        "unlabelled": levels[None],
        "examples": len(examples),
        "comparisons": len(comparisons),
        "verdicts": {label: verdicts[label] for label in ("GOOD", "BAD", "OK")},
    }


def clause_to_json(clause: Clause) -> dict[str, Any]:
    """One clause."""
    return {
        "id": clause.id,
        "title": clause.title,
        "authority": clause.authority,
        "parent": clause.parent,
        "level": clause.level,
        "line": clause.line,
        "tags": list(clause.tags),
        "text": clause.text,
        "commentary": clause.commentary,
        "references": list(clause.references),
        "examples": [_example(example) for example in clause.examples],
    }


def _example(example: Example) -> dict[str, Any]:
    return {
        "title": example.title,
        "line": example.line,
        "turns": [_turn(turn) for turn in example.turns],
        "comparisons": [_comparison(comparison) for comparison in example.comparisons],
    }


def _turn(turn: Turn) -> dict[str, Any]:
    return {
        "role": turn.role,
        "content": turn.content,
        "attributes": dict(turn.attributes),
        "inner": [_turn(inner) for inner in turn.inner],
    }


def _comparison(comparison: Comparison) -> dict[str, Any]:
    return {
        "turn": comparison.turn,
        "answers": [
            {"verdict": _verdict(answer.verdict), "turns": [_turn(turn) for turn in answer.turns]}
            for answer in comparison.answers
        ],
    }


def _verdict(verdict: Verdict | None) -> dict[str, Any] | None:
    if verdict is None:
        return None
    return {
        "label": verdict.label,
        "reason": verdict.reason,
        "condition": verdict.condition,
        "charged": verdict.charged,
    }
