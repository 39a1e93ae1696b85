"""Report of a replay: by clause and by ruling, what changed, of how many calls, with intervals. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from specspan.calibration.paired import PairedDifference, compare_pairs
from specspan.decision import Action, Outcome
from specspan.replay.differences import NOT_BOUND, Count, Differences, Pair, first_examples

_VIOLATED, _COMPLIED, _UNASSESSED = Outcome.VIOLATED.value, Outcome.COMPLIED.value, Outcome.UNASSESSED.value
_STOPS = frozenset(action.value for action in Action if action.stops)
_NOT_ASSESSED = frozenset((_UNASSESSED, NOT_BOUND))


@dataclass(frozen=True, slots=True)
class Change:
    """Calls that changed in one way."""

    before: str
    after: str
    calls: int
    examples: Sequence[str]
    """Ids of the first decisions."""


@dataclass(slots=True)
class ClauseReport:
    """Changes of one clause."""

    clause: str
    compared: int = 0
    """Number of calls of which both outcomes are known."""
    unknown: Counter[str] = field(default_factory=Counter)
    """Number of other calls by reason."""
    changes: list[Change] = field(default_factory=list)
    violated: PairedDifference = field(default_factory=lambda: compare_pairs(0, 0, 0))
    """Difference of the shares of violations."""

    def count(self, is_of: Callable[[str, str], bool]) -> int:
        """Return the number of calls whose outcomes before and after are such."""
        return sum(change.calls for change in self.changes if is_of(change.before, change.after))

    @property
    def newly_violated(self) -> int:
        """Return the number of calls that violate the clause only after."""
        return self.count(lambda before, after: after == _VIOLATED != before)

    @property
    def newly_complied(self) -> int:
        """Return the number of calls that comply with it only after."""
        return self.count(lambda before, after: after == _COMPLIED != before)

    @property
    def newly_unassessed(self) -> int:
        """Return the number of calls that were assessed before and are not after."""
        return self.count(lambda before, after: after in _NOT_ASSESSED and before not in _NOT_ASSESSED)


@dataclass(slots=True)
class RulingReport:
    """Changes of verdicts or of actions."""

    name: str
    compared: int = 0
    unknown: int = 0
    changes: list[Change] = field(default_factory=list)


@dataclass(slots=True)
class Report:
    """Changes between two decisions of the same calls."""

    calls: int
    """Number of calls that were decided again."""
    equal: int
    """Number of calls of which nothing that is known changed."""
    with_unknown: int
    """Number of calls of which an outcome is not known."""
    clauses: list[ClauseReport]
    rulings: list[RulingReport]
    blocked: PairedDifference
    """Difference of the shares of calls that are stopped."""
    would_block: PairedDifference
    """The same, were every clause enforced."""

    def clause(self, name: str) -> ClauseReport:
        """Return the report of a clause; an empty one where no call has an outcome of it."""
        return next((each for each in self.clauses if each.clause == name), ClauseReport(name))


def build_report(differences: Differences) -> Report:
    """Return the report of what was counted."""
    pairs = list(differences.pairs())
    names = sorted({name for pair in pairs for name in (*pair.before, *pair.after, *pair.unknown)})
    return Report(
        calls=differences.calls,
        equal=sum(pair.count.calls for pair in pairs if pair.is_equal),
        with_unknown=sum(pair.count.calls for pair in pairs if pair.unknown),
        clauses=[_clause_report(name, pairs) for name in names],
        rulings=[_ruling_report(name, pairs) for name in ("verdict", "action", "would")],
        blocked=_stops(pairs, "action"),
        would_block=_stops(pairs, "would"),
    )


def _clause_report(name: str, pairs: Sequence[Pair]) -> ClauseReport:
    report, changes = ClauseReport(name), dict[tuple[str, str], list[Count]]()
    for pair in pairs:
        if name in pair.unknown:
            report.unknown[pair.unknown[name]] += pair.count.calls
            continue
        before, after = pair.before.get(name, NOT_BOUND), pair.after.get(name, NOT_BOUND)
        report.compared += pair.count.calls
        if before != after:
            changes.setdefault((before, after), []).append(pair.count)
    report.changes = _changes(changes)
    lost = report.count(lambda before, after: before == _VIOLATED != after)
    report.violated = compare_pairs(report.compared, report.newly_violated, lost)
    return report


def _ruling_report(name: str, pairs: Sequence[Pair]) -> RulingReport:
    report, changes = RulingReport(name), dict[tuple[str, str], list[Count]]()
    for before, after, count in _values(name, pairs):
        if before is None or after is None:
            report.unknown += count.calls
            continue
        report.compared += count.calls
        if before != after:
            changes.setdefault((before, after), []).append(count)
    report.changes = _changes(changes)
    return report


def _values(name: str, pairs: Sequence[Pair]) -> Iterator[tuple[str | None, str | None, Count]]:
    for pair in pairs:
        yield getattr(pair.ruling_before, name), getattr(pair.ruling_after, name), pair.count


def _stops(pairs: Sequence[Pair], name: str) -> PairedDifference:
    compared = gained = lost = 0
    for before, after, count in _values(name, pairs):
        if before is not None and after is not None:
            compared += count.calls
            gained += count.calls * (after in _STOPS and before not in _STOPS)
            lost += count.calls * (before in _STOPS and after not in _STOPS)
    return compare_pairs(compared, gained, lost)


def _changes(counts: dict[tuple[str, str], list[Count]]) -> list[Change]:
    """Return the changes, the most frequent first."""
    found = (
        Change(before, after, sum(count.calls for count in of_change), first_examples(of_change))
        for (before, after), of_change in counts.items()
    )
    return sorted(found, key=lambda change: (-change.calls, change.before, change.after))
