"""Differences between two decisions of the same calls, counted by what they say so that few counts hold many calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeAlias

from specspan.replay.replayer import Outcomes, Replayed, Ruling

EXAMPLES = 5
"""Number of calls that are named for each kind of difference."""
NOT_BOUND = "not_bound"
"""Outcome of a clause that the policy of one side has no check for."""
_State: TypeAlias = "tuple[int, int, int, int, int]"
"""Numbers of outcomes before, after, and of what is unknown; of rulings before and after."""


class _Interned:
    """Values by number, each once."""

    def __init__(self, values: Iterable[Any] = ()) -> None:
        self.values: list[Any] = []
        self._numbers: dict[Any, int] = {}
        self._by_identity: dict[int, tuple[object, int]] = {}
        for value in values:
            self.number(value)

    def number(self, value: Any) -> int:
        """Return the number of a value."""
        key = tuple(sorted(value.items())) if isinstance(value, Mapping) else value
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.values)
            self.values.append(value)
        return number

    def number_of_shared(self, value: Any) -> int:
        """Return the number of a value that many calls share as one object."""
        known = self._by_identity.get(id(value))
        if known is not None and known[0] is value:
            return known[1]
        number = self.number(value)
        if len(self._by_identity) > 4096:
            self._by_identity.clear()
        self._by_identity[id(value)] = value, number
        return number


@dataclass(slots=True)
class Count:
    """Calls of one kind."""

    calls: int = 0
    examples: list[str] = field(default_factory=list)
    """Ids of the first decisions."""

    def add(self, decision_id: str) -> None:
        """Take one call in."""
        self.calls += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(decision_id)


@dataclass(frozen=True, slots=True)
class Pair:
    """Calls with one result before, and one after."""

    before: Outcomes
    after: Outcomes
    unknown: Mapping[str, str]
    """Reason, by clause of which not both outcomes are known."""
    ruling_before: Ruling
    ruling_after: Ruling
    count: Count

    @property
    def is_equal(self) -> bool:
        """Return whether nothing that is known differs."""
        return not any(self.changed_clauses()) and not any(self.changed_rulings())

    def changed_clauses(self) -> Iterator[str]:
        """Yield the clauses whose outcomes are known and differ."""
        for clause in sorted({*self.before, *self.after} - self.unknown.keys()):
            if self.before.get(clause, NOT_BOUND) != self.after.get(clause, NOT_BOUND):
                yield clause

    def changed_rulings(self) -> Iterator[str]:
        """Yield the names of what is known of both rulings and differs."""
        before, after = asdict(self.ruling_before), asdict(self.ruling_after)
        known = {"verdict", "action", "would", "governing_clause"}
        if after["verdict"] is None or before["verdict"] is None or self.unknown:
            known.discard("governing_clause")
        for name in ("verdict", "action", "would", "governing_clause"):
            if name in known and before[name] != after[name]:
                is_clause = name == "governing_clause"
                if is_clause or (before[name] is not None and after[name] is not None):
                    yield name


class Differences:
    """Pairs of decisions, counted."""

    def __init__(self) -> None:
        self._outcomes, self._rulings, self._unknown = _Interned(), _Interned(), _Interned()
        self._counts: dict[_State, Count] = {}

    def add(self, decision_id: str, before: Replayed, after: Replayed) -> None:
        """Take the two decisions of one call in."""
        unknown = {**before.unknown, **after.unknown} if before.unknown else after.unknown
        state = (
            self._outcomes.number_of_shared(before.outcomes),
            self._outcomes.number_of_shared(after.outcomes),
            self._unknown.number(unknown),
            self._rulings.number(before.ruling),
            self._rulings.number(after.ruling),
        )
        count = self._counts.get(state)
        if count is None:
            count = self._counts[state] = Count()
        count.add(decision_id)

    @property
    def calls(self) -> int:
        """Return the number of calls."""
        return sum(count.calls for count in self._counts.values())

    def pairs(self) -> Iterator[Pair]:
        """Yield every pair of results that came up, in the order of their first calls."""
        outcomes, rulings = self._outcomes.values, self._rulings.values
        for (before, after, unknown, ruling_before, ruling_after), count in self._counts.items():
            yield Pair(
                outcomes[before],
                outcomes[after],
                self._unknown.values[unknown],
                rulings[ruling_before],
                rulings[ruling_after],
                count,
            )

    def to_json(self) -> dict[str, Any]:
        """Return everything that was counted, so that `from_json` can go on."""
        return {
            "outcomes": [dict(each) for each in self._outcomes.values],
            "unknown": [dict(each) for each in self._unknown.values],
            "rulings": [asdict(each) for each in self._rulings.values],
            "counts": [[*state, count.calls, count.examples] for state, count in self._counts.items()],
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Differences:
        """Return what `to_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: the document is another.
        """
        differences = cls()
        differences._outcomes = _Interned(document["outcomes"])
        differences._unknown = _Interned(document["unknown"])
        differences._rulings = _Interned(Ruling(**each) for each in document["rulings"])
        for before, after, unknown, ruling_before, ruling_after, calls, examples in document["counts"]:
            state = before, after, unknown, ruling_before, ruling_after
            differences._counts[state] = Count(int(calls), list(examples))
        return differences


def first_examples(counts: Iterable[Count]) -> Sequence[str]:
    """Return the ids of the first decisions of several counts; ids sort by time."""
    return sorted(each for count in counts for each in count.examples)[:EXAMPLES]
