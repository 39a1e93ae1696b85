"""JSON forms of a spec: the stable one that ``--json`` prints, and the mapping that YAML and JSON files hold.

The printed form has every key and is described in ``docs/specs.md``. The mapping leaves defaults out and is read back
by `specspan.spec.entries`, whose JSON Schema is published as `spec.schema.json`.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

from specspan.spec.entries import SpecFile
from specspan.spec.spec import Clause, Comparison, Example, Spec, Turn, Verdict

FORM = 1
"""Version of the printed form. Keys may be added under one version; the meaning of a key never changes."""
_EMPTY_VALUES: tuple[Any, ...] = (None, "", [], {})
_REQUIRED_KEYS = frozenset(("id", "title", "content", "turns", "answers", "turn", "label"))


def spec_to_json(spec: Spec) -> dict[str, Any]:
    """Return the whole spec in the printed form."""
    return {**identity_to_json(spec), "clauses": [clause_to_json(clause) for clause in spec.clauses.values()]}


def identity_to_json(spec: Spec) -> dict[str, Any]:
    """Return the printed form without the clauses."""
    return {
        "v": FORM,
        "type": "spec",
        "id": spec.id,
        "version": spec.version,
        "digest": spec.digest,
        "source": spec.source,
        "ladder": list(spec.ladder),
        "metadata": dict(spec.metadata),
        "counts": spec_counts(spec),
    }


def spec_counts(spec: Spec) -> dict[str, Any]:
    """Return the number of sections, levels, examples, comparisons and verdicts in a spec."""
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
    """Return one clause in the printed form."""
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


def spec_to_mapping(spec: Spec) -> dict[str, Any]:
    """Return the whole spec as `specspan.spec.entries` reads it."""
    return {**header_to_mapping(spec), "clauses": [clause_to_mapping(clause, spec) for clause in spec.clauses.values()]}


def header_to_mapping(spec: Spec) -> dict[str, Any]:
    """Return identity and ladder as `specspan.spec.entries` reads them."""
    return {
        "v": 1,
        "type": "spec",
        "id": spec.id,
        **_without_none({"version": spec.version}),
        "ladder": list(spec.ladder),
        **({"metadata": dict(spec.metadata)} if spec.metadata else {}),
    }


def clause_to_mapping(clause: Clause, spec: Spec) -> dict[str, Any]:
    """Return one clause. Its level is given only where it is not one below its parent's."""
    entry = clause_to_json(clause)
    level = spec.clauses[clause.parent].level + 1 if clause.parent is not None else 1
    if clause.level == level:
        del entry["level"]
    order = ("id", "title", "authority", "parent", "level", "tags", "text", "commentary", "references", "examples")
    return {
        key: _without_lines(entry[key]) for key in order if entry.get(key) not in _EMPTY_VALUES or key in _REQUIRED_KEYS
    }


def schema_text() -> str:
    """Return the text of the JSON Schema for editors."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **SpecFile.model_json_schema(),
        "title": "A behaviour specification as specspan reads it",
    }
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


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


def _without_lines(value: Any) -> Any:
    """Return a value without line numbers and empty values; a turn's content and an answer's turns stay."""
    if isinstance(value, dict):
        kept = {
            key: each if key == "attributes" else _without_lines(each) for key, each in value.items() if key != "line"
        }
        return {key: each for key, each in kept.items() if each not in _EMPTY_VALUES or key in _REQUIRED_KEYS}
    return [_without_lines(each) for each in value] if isinstance(value, list) else value


def _without_none(entries: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entries.items() if value is not None}
