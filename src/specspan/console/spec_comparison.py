"""Two versions of a spec side by side: each clause that differs, with the words that were removed and added."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from specspan.cli.elision import ElidedPiece, elide
from specspan.spec.diff import Aspect, ClauseChange, diff, in_document_order
from specspan.spec.spec import Clause, Spec
from specspan.spec.word_diff import Edit, word_diff

_CONTEXT_CHARS = 160


@dataclass(frozen=True, slots=True)
class ComparedClause:
    """Clause that differs between two versions."""

    kind: str
    """``added``, ``removed`` or ``changed``."""
    old: Clause | None
    new: Clause | None
    aspects: Sequence[str]
    """Names of what changed in it."""
    old_pieces: Sequence[ElidedPiece]
    new_pieces: Sequence[ElidedPiece]

    @property
    def clause(self) -> Clause:
        """Return the clause in its newer version, where there is one."""
        clause = self.new or self.old
        if clause is None:
            raise ValueError("a compared clause stands in one version at least")
        return clause


def compare(old: Spec, new: Spec) -> list[ComparedClause]:
    """Return the clauses that differ, in the order of the document."""
    return [_compared(entry, new) for entry in in_document_order(diff(old, new))]


def _compared(entry: ClauseChange | Clause, new: Spec) -> ComparedClause:
    if isinstance(entry, ClauseChange):
        pieces = list(elide(word_diff(entry.old.text, entry.new.text), context_chars=_CONTEXT_CHARS))
        aspects = [_word(aspect) for aspect in entry.aspects]
        return ComparedClause(
            "changed", entry.old, entry.new, aspects, list(_side(pieces, Edit.REMOVED)), list(_side(pieces, Edit.ADDED))
        )
    if entry.id in new.clauses:
        return ComparedClause("added", None, entry, (), (), [ElidedPiece(Edit.ADDED, entry.text)])
    return ComparedClause("removed", entry, None, (), [ElidedPiece(Edit.REMOVED, entry.text)], ())


def _side(pieces: Sequence[ElidedPiece], edit: Edit) -> Iterator[ElidedPiece]:
    return (piece for piece in pieces if piece.edit in (Edit.SAME, edit))


def _word(aspect: Aspect) -> str:
    return aspect.value.replace("_", " ")
