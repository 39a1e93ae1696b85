"""Chain of command: the levels of every spec in force, strongest first, and the clauses that stand at them.

With one spec it is that spec's ladder. With several, the policy declares it under ``order``, and names are told apart:
a clause is called by its id and a level by its own name where no other spec has one of that name, and by
``spec:clause`` and ``spec.level`` where one has. These are the names in findings, decisions and records.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from typing import TypeAlias

from specspan._support.messages import did_you_mean, format_value, quoted_list
from specspan.documents.node import PathTo
from specspan.spec.spec import Clause, Spec

Order: TypeAlias = tuple[tuple[str, ...], ...]
"""Names of levels, strongest first; those that stand together are equal."""
ClauseAddress: TypeAlias = tuple[str, str]
"""Id of a spec, and id of a clause in that spec."""
OrderEntries = Sequence["str | Sequence[str]"]
"""Levels as the file has them, strongest first; a list within it is of equals."""
OrderProblem = tuple[PathTo, str, str]
"""Path to a problem, its message and the remedy."""
GUIDELINE = "guideline"
"""Level whose clauses are overridden by what is only implied (Model Spec, levels_of_authority)."""
ROLE_LEVELS: Mapping[str, tuple[str, ...]] = {
    "system": ("system", "platform"),
    "developer": ("developer",),
    "user": ("user",),
}
"""Level of the instructions in a message, by its role (Model Spec, follow_all_applicable_instructions; until 2025-04-11
system messages had ``platform``). Other roles have none."""


@dataclass(frozen=True, slots=True)
class Authority:
    """Chain of command over all specs in force."""

    specs: tuple[Spec, ...]
    order: Order
    clauses: Mapping[str, Clause]
    """Clauses of every spec by name, in the order of the specs and of their documents. Their ``id``, ``authority`` and
    ``parent`` are names of this kind."""
    ranks: Mapping[str, int]
    """Distance of each level from the top: 0 is the strongest."""
    tops: frozenset[str]
    """Top level of each ladder, whose clauses nobody overrides."""
    addresses: Mapping[str, ClauseAddress]
    """Spec and id of each clause by name; empty with one spec."""

    @property
    def ladder(self) -> tuple[str, ...]:
        """Return every level, strongest first."""
        return tuple(level for equals in self.order for level in equals)

    @property
    def binding(self) -> Iterator[Clause]:
        """Return the clauses with a level: those a call can comply with or violate."""
        return (clause for clause in self.clauses.values() if clause.authority is not None)

    @property
    def title(self) -> str:
        """Return the ids of the specs as a message names them."""
        return " and ".join(spec.id for spec in self.specs)

    def rank(self, level: str) -> int:
        """Return how far down the order a level stands: 0 is the strongest.

        Raises:
            ValueError: the level is unknown.
        """
        if level not in self.ranks:
            raise ValueError(f"unknown level {level!r} of {self.title}; the order is {', '.join(self.ladder)}")
        return self.ranks[level]

    def find_clauses(self, name: str) -> tuple[str, ...]:
        """Return the names of the clauses that ``name`` may mean: none, one, or several that share an id."""
        if name in self.clauses:
            return (name,)
        ids = ((spec, id_) for spec in self.specs for id_ in (name, name.removeprefix(f"{spec.id}:")))
        return tuple(dict.fromkeys(self.name(spec, id_) for spec, id_ in ids if id_ in spec.clauses))

    def name(self, spec: Spec, id_: str) -> str:
        """Return the name of a clause of ``spec``."""
        full = f"{spec.id}:{id_}"
        return full if self.addresses.get(full) == (spec.id, id_) else id_

    def find_levels(self, name: str) -> tuple[str, ...]:
        """Return the names of the levels that ``name`` may mean."""
        return (name,) if name in self.ranks else find_levels(self.specs, name)

    def level_of_role(self, role: str) -> str | None:
        """Return the level of instructions in a message of ``role``, or None; the weakest where specs differ."""
        names = (level for name in ROLE_LEVELS.get(role, ()) for level in self.find_levels(name))
        return max(names, key=self.ranks.__getitem__, default=None)

    def is_guideline(self, level: str) -> bool:
        """Return whether a level is called ``guideline`` in its own ladder, and so needs no explicit override."""
        return level == GUIDELINE or level in (f"{spec.id}.{GUIDELINE}" for spec in self.specs)

    def address(self, name: str) -> ClauseAddress:
        """Return the spec and the id of the clause that is called ``name``."""
        return self.addresses.get(name) or (self.specs[0].id, name)


def build_authority(specs: Sequence[Spec], order: Order = ()) -> Authority:
    """Return the chain of command of some specs; without an ``order``, that of one spec's ladder.

    Raises:
        ValueError: several specs and no order, or names that cannot be told apart.
    """
    if len(specs) == 1:
        (spec,) = specs
        order = tuple((level,) for level in spec.ladder)
        return Authority((spec,), order, spec.clauses, _ranks(order), frozenset(spec.ladder[:1]), {})
    if not order:
        raise ValueError(f"{len(specs)} specs need an order of their levels")
    levels, addresses = level_names(specs), _clause_addresses(specs)
    clauses: dict[str, Clause] = {}
    for spec in specs:
        clauses |= _renamed_clauses(
            spec, {id_: name for name, (owner, id_) in addresses.items() if owner == spec.id}, levels
        )
    tops = frozenset(levels[spec.id, spec.ladder[0]] for spec in specs)
    return Authority(tuple(specs), order, clauses, _ranks(order), tops, addresses)


def level_names(specs: Sequence[Spec]) -> dict[tuple[str, str], str]:
    """Return the name of each level of each ladder, by the spec's id and the level's own name."""
    times = Counter(level for spec in specs for level in spec.ladder)
    return {
        (spec.id, level): level if times[level] == 1 else f"{spec.id}.{level}"
        for spec in specs
        for level in spec.ladder
    }


def find_levels(specs: Sequence[Spec], name: str) -> tuple[str, ...]:
    """Return the names of the levels that ``name`` may mean."""
    names = level_names(specs)
    return tuple(called for (spec, level), called in names.items() if name in (level, f"{spec}.{level}"))


def build_order(specs: Sequence[Spec], entries: OrderEntries) -> Order:
    """Return the order that valid entries declare."""
    return tuple(tuple(find_levels(specs, name)[0] for name in _equal_levels(entry)) for entry in entries)


def order_problems(specs: Sequence[Spec], entries: OrderEntries) -> Iterator[OrderProblem]:
    """Yield the problems of an order: invalid names, then missing levels, then inverted ladders."""
    if not entries:
        if len(specs) > 1:
            ids = quoted_list(spec.id for spec in specs)
            yield (), f"how the levels of {ids} stand to one another is missing", _order_suggestion(specs)
        return
    wrong = list(_name_problems(specs, entries))
    yield from wrong
    if not wrong:
        yield from _missing_levels(specs, entries)
        yield from _inverted_ladders(specs, build_order(specs, entries))


def _ranks(order: Order) -> dict[str, int]:
    return {level: rank for rank, equals in enumerate(order) for level in equals}


def _clause_addresses(specs: Sequence[Spec]) -> dict[str, ClauseAddress]:
    every = Counter(id_ for spec in specs for id_ in spec.clauses)
    binding = Counter(clause.id for spec in specs for clause in spec.binding)
    addresses: dict[str, ClauseAddress] = {}
    for spec in specs:
        for id_, clause in spec.clauses.items():
            # a clause that binds is called by its id although a mere section of another spec has the same
            alone = every[id_] == 1 or (clause.authority is not None and binding[id_] == 1)
            name = id_ if alone else f"{spec.id}:{id_}"
            if name in addresses:
                raise ValueError(f"{name!r} would name two clauses; give one of the specs another id")
            addresses[name] = spec.id, id_
    return addresses


def _renamed_clauses(spec: Spec, names: Mapping[str, str], levels: Mapping[tuple[str, str], str]) -> dict[str, Clause]:
    return {
        names[id_]: replace(
            clause,
            id=names[id_],
            authority=None if clause.authority is None else levels[spec.id, clause.authority],
            parent=None if clause.parent is None else names.get(clause.parent, clause.parent),
        )
        for id_, clause in spec.clauses.items()
    }


def _name_problems(specs: Sequence[Spec], entries: OrderEntries) -> Iterator[OrderProblem]:
    """Yield names that mean no level or several, or that are given twice."""
    known, seen = level_names(specs), set[str]()
    for index, entry in enumerate(entries):
        for place, name in enumerate(_equal_levels(entry)):
            path: PathTo = (index,) if isinstance(entry, str) else (index, place)
            names = find_levels(specs, name)
            if not names:
                remedy = did_you_mean(name, known.values(), f"The levels are {quoted_list(known.values())}.")
                yield path, f"unknown level {format_value(name)}", remedy
            elif len(names) > 1:
                yield (
                    path,
                    f"{format_value(name)} is a level of more than one spec",
                    f"Write {quoted_list(names, 'or')}.",
                )
            elif names[0] in seen:
                yield path, f"duplicate level {format_value(name)}", "Keep one of the two."
            else:
                seen.add(names[0])


def _missing_levels(specs: Sequence[Spec], entries: OrderEntries) -> Iterator[OrderProblem]:
    ordered = set(chain.from_iterable(build_order(specs, entries)))
    missing = [name for name in level_names(specs).values() if name not in ordered]
    if missing:
        yield (), f"{quoted_list(missing)} {'is' if len(missing) == 1 else 'are'} missing", "Name every level once."


def _inverted_ladders(specs: Sequence[Spec], order: Order) -> Iterator[OrderProblem]:
    names, rank = level_names(specs), {level: index for index, equals in enumerate(order) for level in equals}
    for spec in specs:
        ladder = [names[spec.id, level] for level in spec.ladder]
        for stronger, weaker in pairwise(ladder):
            if stronger in rank and weaker in rank and rank[stronger] >= rank[weaker]:
                message = f"{stronger!r} does not stand above {weaker!r}, as in the ladder of {spec.id}"
                yield (rank[weaker],), message, f"Keep its order: {', '.join(ladder)}."


def _equal_levels(entry: str | Sequence[str]) -> Sequence[str]:
    return (entry,) if isinstance(entry, str) else entry


def _order_suggestion(specs: Sequence[Spec]) -> str:
    names = level_names(specs)
    levels = ", ".join(names[spec.id, level] for spec in specs for level in spec.ladder)
    return f"Add them, strongest first, such as 'order: [{levels}]'; a list within it is of equals."
