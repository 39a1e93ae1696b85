"""Diff of two specs as one HTML page: an index, every change, and the impact on a policy.

The template `diff.html` escapes every expression, and the page fetches nothing and runs no script, whatever a spec
holds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from specspan.cli.elision import ElidedPiece, elide
from specspan.cli.page_template import load_template
from specspan.cli.terminal import level_step, plural
from specspan.policy.impact import Impact, Need
from specspan.spec.conversation import example_text
from specspan.spec.diff import Aspect, ClauseChange, SpecDiff, in_document_order, similar_clauses
from specspan.spec.spec import Clause, Spec
from specspan.spec.word_diff import Edit, word_diff

_CONTEXT_CHARS = 160
_LEVEL_COLOURS = 5
_SIGNS = {"added": "+", "removed": "−", "changed": "~"}
_TAGS = {Edit.ADDED: "ins", Edit.REMOVED: "del"}
_WORDED_ASPECTS = (Aspect.TITLE, Aspect.TEXT, Aspect.COMMENTARY)


@dataclass(frozen=True, slots=True)
class _Entry:
    """Clause that differs, as the page shows it."""

    kind: str
    """``added``, ``removed`` or ``changed``."""
    clause: Clause
    spec: Spec
    """The version that the clause is of; of a changed one the newer."""
    change: ClauseChange | None
    alike: tuple[str, float] | None
    """The clause of the other version that this one resembles, and how much, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class _Row:
    """Aspect in which a clause changed."""

    name: str
    form: str
    """The macro of the template that shows it: ``examples``, ``prose``, ``level``, ``words`` or ``value``."""
    old: Any
    new: Any


def diff_page(spec_diff: SpecDiff, impact: Impact | None) -> str:
    """Return the page as HTML.

    Raises:
        MissingDependency: Jinja2 is not installed.
    """
    return load_template("diff.html", "specspan spec diff --html").render(
        diff=spec_diff,
        entries=list(_entries(spec_diff)),
        aspect_counts=[(aspect.value, sum(1 for _ in spec_diff.with_aspect(aspect))) for aspect in Aspect],
        impact=impact,
        attention=[] if impact is None else sorted(impact.attention, key=lambda item: item.need is Need.STALE),
        need_counts={need.value: 0 if impact is None else len(impact.with_need(need)) for need in Need},
        signs=_SIGNS,
        version=lambda spec: spec.version or spec.digest[:19],
        level_step=lambda spec, level: level_step(spec, level, _LEVEL_COLOURS),
        rows=_rows,
        pieces=_pieces,
        tag=lambda piece: _TAGS.get(piece.edit),
        example_text=example_text,
        plural=plural,
    )


def _entries(spec_diff: SpecDiff) -> Iterator[_Entry]:
    alike = similar_clauses(spec_diff)
    for entry in in_document_order(spec_diff):
        if isinstance(entry, ClauseChange):
            yield _Entry("changed", entry.new, spec_diff.new, entry, alike.get(entry.id))
        elif entry.id in spec_diff.new.clauses:
            yield _Entry("added", entry, spec_diff.new, None, alike.get(entry.id))
        else:
            yield _Entry("removed", entry, spec_diff.old, None, alike.get(entry.id))


def _rows(change: ClauseChange | None) -> Iterator[_Row]:
    if change is None:
        return
    for aspect in change.aspects:
        old, new = getattr(change.old, aspect.value), getattr(change.new, aspect.value)
        yield _Row(aspect.value, _form(aspect, old), old, new)


def _form(aspect: Aspect, value: Any) -> str:
    if aspect is Aspect.EXAMPLES:
        return "examples"
    if aspect in _WORDED_ASPECTS:
        return "prose"
    if aspect is Aspect.AUTHORITY:
        return "level"
    return "words" if isinstance(value, tuple) else "value"


def _pieces(old: str, new: str) -> Iterator[ElidedPiece]:
    return elide(word_diff(old, new), context_chars=_CONTEXT_CHARS)
