"""The ``order`` of a policy file: how the levels of several specs stand to one another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, pairwise

from specspan.documents.paths import PathTo
from specspan.policy.authority import Order, level_names, levels_called
from specspan.spec.model import Spec
from specspan.wording import did_you_mean, listed, shown

Entries = Sequence["str | Sequence[str]"]
"""Levels as the file has them, strongest first; a list of some is that these are equal."""
Found = tuple[PathTo, str, str]
"""Where something is wrong, what, and the remedy."""


def order_of(specs: Sequence[Spec], entries: Entries) -> Order:
    """The order that sound entries declare."""
    return tuple(tuple(levels_called(specs, name)[0] for name in _equals(entry)) for entry in entries)


def order_problems(specs: Sequence[Spec], entries: Entries) -> Iterator[Found]:
    """What is wrong with an order: names, then levels left out, then ladders upside down."""
    if not entries:
        if len(specs) > 1:
            ids = listed(spec.id for spec in specs)
            yield (), f"how the levels of {ids} stand to one another is missing", _suggestion(specs)
        return
    wrong = list(_names(specs, entries))
    yield from wrong
    if not wrong:
        yield from _left_out(specs, entries)
        yield from _upside_down(specs, order_of(specs, entries))


def _names(specs: Sequence[Spec], entries: Entries) -> Iterator[Found]:
    """Names that mean no level, or several, or one that was named before."""
    known, seen = level_names(specs), set[str]()
    for index, entry in enumerate(entries):
        for place, name in enumerate(_equals(entry)):
            path: PathTo = (index,) if isinstance(entry, str) else (index, place)
            called = levels_called(specs, name)
            if not called:
                remedy = did_you_mean(name, known.values(), f"The levels are {listed(known.values())}.")
                yield path, f"{shown(name)} is no level", remedy
            elif len(called) > 1:
                yield path, f"{shown(name)} is a level of more than one spec", f"Write {listed(called, 'or')}."
            elif called[0] in seen:
                yield path, f"{shown(name)} stands here a second time", "Keep one of the two."
            else:
                seen.add(called[0])


def _left_out(specs: Sequence[Spec], entries: Entries) -> Iterator[Found]:
    ordered = set(chain.from_iterable(order_of(specs, entries)))
    missing = [name for name in level_names(specs).values() if name not in ordered]
    if missing:
        yield (), f"{listed(missing)} {'is' if len(missing) == 1 else 'are'} missing", "Name every level once."


def _upside_down(specs: Sequence[Spec], order: Order) -> Iterator[Found]:
    names, rank = level_names(specs), {level: index for index, equals in enumerate(order) for level in equals}
    for spec in specs:
        ladder = [names[spec.id, level] for level in spec.ladder]
        for stronger, weaker in pairwise(ladder):
            if stronger in rank and weaker in rank and rank[stronger] >= rank[weaker]:
                message = f"{stronger!r} does not stand above {weaker!r}, as in the ladder of {spec.id}"
                yield (rank[weaker],), message, f"Keep its order: {', '.join(ladder)}."


def _equals(entry: str | Sequence[str]) -> Sequence[str]:
    return (entry,) if isinstance(entry, str) else entry


def _suggestion(specs: Sequence[Spec]) -> str:
    names = level_names(specs)
    levels = ", ".join(names[spec.id, level] for spec in specs for level in spec.ladder)
    return f"Add them, strongest first, such as 'order: [{levels}]'; a list within it is of equals."
