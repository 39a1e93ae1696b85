"""A diff of two specs as JSON: the stable form that ``specspan spec diff --json`` prints, described in its page."""

from __future__ import annotations

from typing import Any

from specspan.spec.conversation import example_text
from specspan.spec.diff import Aspect, ClauseChange, SpecDiff
from specspan.spec.spec import Clause, Example, Spec
from specspan.spec.word_diff import word_diff

FORM = 1
"""Version of the form. Keys may be added under one version; what a key means never changes."""

_PROSE = (Aspect.TEXT, Aspect.COMMENTARY)


def diff_to_json(found: SpecDiff) -> dict[str, Any]:
    """The whole diff."""
    return {
        "v": FORM,
        "type": "spec_diff",
        "old": _spec_identity(found.old),
        "new": _spec_identity(found.new),
        "ladder": found.ladder and {"old": list(found.ladder.old), "new": list(found.ladder.new)},
        "counts": diff_counts(found),
        "reordered": found.reordered,
        "added": [_clause(clause) for clause in found.added],
        "removed": [_clause(clause) for clause in found.removed],
        "renames": [{"old": one.old, "new": one.new, "similarity": one.similarity} for one in found.renames],
        "changed": [_change(change) for change in found.changed],
    }


def diff_counts(found: SpecDiff) -> dict[str, int]:
    """How many clauses were added, removed and changed, and in what."""
    whole = {"added": len(found.added), "removed": len(found.removed), "changed": len(found.changed)}
    aspects = {aspect.value: sum(1 for _ in found.with_aspect(aspect)) for aspect in Aspect}
    return {**whole, "unchanged": found.unchanged, **aspects}


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
    told: dict[str, Any] = {"id": change.id, "old_line": change.old.line, "new_line": change.new.line}
    for aspect in change.aspects:
        if aspect is Aspect.EXAMPLES:
            told["examples"] = _examples(change)
            continue
        old, new = getattr(change.old, aspect.value), getattr(change.new, aspect.value)
        told[aspect.value] = {"old": old, "new": new}
        if aspect in _PROSE:
            told[aspect.value]["words"] = _words(old, new)
    return told


def _examples(change: ClauseChange) -> dict[str, Any]:
    found = change.examples
    return {
        "added": [_example(example) for example in found.added],
        "removed": [_example(example) for example in found.removed],
        "changed": [
            {
                "old": _example(one.old),
                "new": _example(one.new),
                "words": _words(example_text(one.old), example_text(one.new)),
            }
            for one in found.changed
        ],
    }


def _example(example: Example) -> dict[str, Any]:
    return {"title": example.title, "line": example.line}


def _words(old: str, new: str) -> list[list[str]]:
    return [[piece.edit.value, piece.text] for piece in word_diff(old, new)]
