"""JSON form of a diff: stable, printed by ``specspan spec diff --json`` and described in ``docs/diff.md``."""

from __future__ import annotations

from typing import Any

from specspan.spec.conversation import example_text
from specspan.spec.diff import Aspect, ClauseChange, SpecDiff
from specspan.spec.spec import Clause, Example, Spec
from specspan.spec.word_diff import word_diff

FORM = 1
"""Version of the form. Keys may be added under one version; the meaning of a key never changes."""

_PROSE = (Aspect.TEXT, Aspect.COMMENTARY)


def diff_to_json(spec_diff: SpecDiff) -> dict[str, Any]:
    """Return a diff as JSON."""
    return {
        "v": FORM,
        "type": "spec_diff",
        "old": _spec_identity(spec_diff.old),
        "new": _spec_identity(spec_diff.new),
        "ladder": spec_diff.ladder and {"old": list(spec_diff.ladder.old), "new": list(spec_diff.ladder.new)},
        "counts": diff_counts(spec_diff),
        "reordered": spec_diff.reordered,
        "added": [_clause(clause) for clause in spec_diff.added],
        "removed": [_clause(clause) for clause in spec_diff.removed],
        "renames": [{"old": one.old, "new": one.new, "similarity": one.similarity} for one in spec_diff.renames],
        "changed": [_change(change) for change in spec_diff.changed],
    }


def diff_counts(spec_diff: SpecDiff) -> dict[str, int]:
    """Return how many clauses were added, removed and changed, and in which aspects."""
    whole = {"added": len(spec_diff.added), "removed": len(spec_diff.removed), "changed": len(spec_diff.changed)}
    aspects = {aspect.value: sum(1 for _ in spec_diff.with_aspect(aspect)) for aspect in Aspect}
    return {**whole, "unchanged": spec_diff.unchanged, **aspects}


def _spec_identity(spec: Spec) -> dict[str, Any]:
    return {"id": spec.id, "version": spec.version, "digest": spec.digest, "source": spec.source}


def _clause(clause: Clause) -> dict[str, Any]:
    return {
        "id": clause.id,
        "title": clause.title,
        "authority": clause.authority,
        "parent": clause.parent,
        "line": clause.line,
    }


def _change(change: ClauseChange) -> dict[str, Any]:
    changed: dict[str, Any] = {"id": change.id, "old_line": change.old.line, "new_line": change.new.line}
    for aspect in change.aspects:
        if aspect is Aspect.EXAMPLES:
            changed["examples"] = _examples(change)
            continue
        old, new = getattr(change.old, aspect.value), getattr(change.new, aspect.value)
        changed[aspect.value] = {"old": old, "new": new}
        if aspect in _PROSE:
            changed[aspect.value]["words"] = _words(old, new)
    return changed


def _examples(change: ClauseChange) -> dict[str, Any]:
    examples = change.examples
    return {
        "added": [_example(example) for example in examples.added],
        "removed": [_example(example) for example in examples.removed],
        "changed": [
            {
                "old": _example(one.old),
                "new": _example(one.new),
                "words": _words(example_text(one.old), example_text(one.new)),
            }
            for one in examples.changed
        ],
    }


def _example(example: Example) -> dict[str, Any]:
    return {"title": example.title, "line": example.line}


def _words(old: str, new: str) -> list[list[str]]:
    return [[piece.edit.value, piece.text] for piece in word_diff(old, new)]
