"""Rules that the clauses of a spec keep together, whatever format they were written in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from specspan._support.messages import Problems, did_you_mean
from specspan.errors import Problem
from specspan.spec.spec import Clause, Ladder

_MAX_LEVEL = 6
_RENAME_REMEDY = "Give this section another id."


class IdentifiedSection(Protocol):
    """Section with an id, an authority and a line, finished or not."""

    @property
    def id(self) -> str: ...
    @property
    def authority(self) -> str | None: ...
    @property
    def line(self) -> int: ...


def find_inconsistencies(
    sections: Iterable[IdentifiedSection], ladder: Ladder, declare: str, rename: str = _RENAME_REMEDY
) -> Iterator[Problem]:
    """Yield a problem for each duplicate id and each level that the ladder lacks.

    ``declare`` is the remedy for an unknown level, ``rename`` the one for a duplicate id.
    """
    first: dict[str, int] = {}
    for section in sections:
        if section.id in first:
            message = f"duplicate id {section.id!r}, first on line {first[section.id]}"
            yield Problem(message, rename, section.line)
        first.setdefault(section.id, section.line)
        if section.authority is not None and section.authority not in ladder:
            remedy = did_you_mean(section.authority, ladder, declare)
            levels = ", ".join(ladder)
            message = f"unknown authority {section.authority!r} of {section.id!r}; the levels are {levels}"
            yield Problem(message, remedy, section.line)


def resolve_clauses(clauses: Sequence[Clause], ladder: Ladder, problems: Problems) -> dict[str, Clause]:
    """Return the clauses by id, each with the level of its heading (0 is filled in from its parent's).

    Raises:
        ConfigurationError: of the kind that ``problems`` raises, naming everything that is wrong in the file.
    """
    declare = "Declare your own levels with 'ladder'."
    problems.add_all(find_inconsistencies(clauses, ladder, declare))
    problems.add_all(_duplicate_levels(ladder))
    by_id = {clause.id: clause for clause in clauses}
    problems.add_all(_unknown_parents(by_id))
    problems.raise_if_any()
    problems.add_all(_parent_circles(by_id))
    problems.raise_if_any()
    levels: dict[str, int] = {}
    for clause in clauses:
        _fill_levels(clause, by_id, levels)
    problems.add_all(_invalid_levels(by_id, levels))
    problems.raise_if_any()
    return {id_: replace(clause, level=levels[id_]) for id_, clause in by_id.items()}


def _duplicate_levels(ladder: Ladder) -> Iterator[Problem]:
    if len(set(ladder)) < len(ladder):
        yield Problem("the ladder names a level twice", "Name each level once, the strongest first.")


def _unknown_parents(clauses: Mapping[str, Clause]) -> Iterator[Problem]:
    """Yield a problem for each parent that the document lacks."""
    for clause in clauses.values():
        if clause.parent is not None and clause.parent not in clauses:
            remedy = did_you_mean(clause.parent, clauses, "Name a section of this document, or none.")
            yield Problem(f"unknown parent {clause.parent!r} of {clause.id!r}", remedy, clause.line)


def _parent_circles(clauses: Mapping[str, Clause]) -> Iterator[Problem]:
    """Yield a problem for each chain of parents that comes back to its beginning."""
    sound: set[str] = set()
    for start in clauses.values():
        chain: dict[str, None] = {}
        at: Clause | None = start
        while at is not None and at.id not in sound and at.id not in chain:
            chain[at.id] = None
            at = clauses[at.parent] if at.parent is not None else None
        if at is not None and at.id in chain:
            circle = [*chain][[*chain].index(at.id) :]
            shown = " in ".join(map(repr, [*circle[:5], *(["…"] if len(circle) > 5 else []), at.id]))
            yield Problem(f"sections stand in one another: {shown}", "Let one of them have no parent.", at.line)
        sound.update(chain)  # '|=' with the keys would copy the set once a clause


def _fill_levels(clause: Clause, clauses: Mapping[str, Clause], levels: dict[str, int]) -> None:
    """Fill in the level of a clause and of the clauses above it."""
    chain: list[Clause] = []
    at: Clause | None = clause
    while at is not None and at.id not in levels:
        chain.append(at)
        at = clauses[at.parent] if at.parent is not None else None
    for each in reversed(chain):
        levels[each.id] = each.level or (levels[each.parent] + 1 if each.parent is not None else 1)


def _invalid_levels(clauses: Mapping[str, Clause], levels: Mapping[str, int]) -> Iterator[Problem]:
    """Yield a problem for each section that stands no deeper than its parent, or too deep."""
    for clause in clauses.values():
        if levels[clause.id] > _MAX_LEVEL:
            yield Problem(f"{clause.id!r} stands more than {_MAX_LEVEL} deep", "Write it flatter.", clause.line)
        elif clause.parent is not None and levels[clause.id] <= levels[clause.parent]:
            message = f"{clause.id!r} has level {levels[clause.id]}, its parent {levels[clause.parent]}"
            yield Problem(message, "Leave 'level' out, or give a deeper one.", clause.line)
