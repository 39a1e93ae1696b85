"""What is found when answers that a spec has judged are put before a policy's checks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from specspan.call import ModelCall
from specspan.decision import Finding, Outcome
from specspan.policy.policy import Policy
from specspan.spec.spec import Clause, Example, Spec, Verdict


class Match(str, Enum):
    """How the spec's verdict on an answer and the checks of the clause it is about compare."""

    CAUGHT = "caught"
    """BAD, and the clause was violated."""
    CLEAR = "clear"
    """GOOD or OK, and it was not."""
    MISSED = "missed"
    """BAD, and it was not violated."""
    FALSE_ALARM = "false_alarm"
    """GOOD or OK, and it was violated."""
    UNDECIDED = "undecided"
    """A check looked and could not say, failed, or is still at work."""
    UNASSESSED = "unassessed"
    """No check looked: none is bound, none reads such an answer, or the clause is set aside."""

    @property
    def agrees(self) -> bool:
        """Whether checks and spec say the same."""
        return self in (Match.CAUGHT, Match.CLEAR)

    @property
    def fails(self) -> bool:
        """Whether checks and spec say the opposite."""
        return self in (Match.MISSED, Match.FALSE_ALARM)


@dataclass(frozen=True, slots=True)
class ExampleResult:
    """One answer, what the spec says of it, and what the checks found."""

    example: Example
    holder: Clause
    """The clause whose example it is."""
    verdict: Verdict
    clause: str
    """Id of the clause that the verdict is about: the one it is charged against, or else the example's."""
    calls: tuple[ModelCall, ...]
    match: Match
    outcome: Outcome
    """What became of the clause; the worst where the answer took several calls."""
    findings: tuple[tuple[int, Finding], ...] = ()
    """What its checks found other than that it complied, each with the index of its call."""
    elsewhere: tuple[str, ...] = ()
    """Ids of the other clauses that were violated."""


@dataclass(frozen=True, slots=True)
class MatchCounts:
    """Answers counted by how they compare."""

    counts: Mapping[Match, int]
    elsewhere: int = 0
    """Good answers to other clauses' examples on which the clause was violated: most likely false alarms too."""

    def __getitem__(self, match: Match) -> int:
        return self.counts.get(match, 0)

    @property
    def answers(self) -> int:
        """All of them."""
        return sum(self.counts.values())

    @property
    def assessed(self) -> int:
        """Those that a check looked at."""
        return self.answers - self[Match.UNASSESSED]

    @property
    def agreed(self) -> int:
        """Those of which checks and spec say the same. Unassessed ones are never among them."""
        return self[Match.CAUGHT] + self[Match.CLEAR]

    @property
    def precision(self) -> float | None:
        """The share of violations found that the spec calls BAD; None where none was found."""
        found = self[Match.CAUGHT] + self[Match.FALSE_ALARM]
        return self[Match.CAUGHT] / found if found else None

    @property
    def recall(self) -> float | None:
        """The share of the assessed BAD answers that were caught; None where there is none."""
        bad = self[Match.CAUGHT] + self[Match.MISSED]
        return self[Match.CAUGHT] / bad if bad else None


@dataclass(frozen=True, slots=True)
class Agreement:
    """A spec's examples under a policy."""

    spec: Spec
    policy: Policy
    results: tuple[ExampleResult, ...]
    """In the order of the document."""
    comparisons: int = 0
    """How many comparisons the answers stand in."""
    unbound: tuple[str, ...] = ()
    """Clauses that the policy binds and this spec has not."""

    @property
    def total(self) -> MatchCounts:
        """All answers."""
        return _count_matches(self.results, sum(_is_good(each) and bool(each.elsewhere) for each in self.results))

    def by_clause(self) -> dict[str, MatchCounts]:
        """Answers by the clause they are about, and clauses that were violated elsewhere; in the spec's order."""
        groups: dict[str, list[ExampleResult]] = {}
        for result in self.results:
            groups.setdefault(result.clause, []).append(result)
        elsewhere = Counter(id_ for result in self.results if _is_good(result) for id_ in result.elsewhere)
        place = {id_: place for place, id_ in enumerate(self.spec.clauses)}
        ids = sorted({*groups, *elsewhere}, key=lambda id_: place.get(id_, len(place)))
        return {id_: _count_matches(groups.get(id_, ()), elsewhere[id_]) for id_ in ids}


def _count_matches(results: Sequence[ExampleResult], elsewhere: int) -> MatchCounts:
    return MatchCounts(Counter(result.match for result in results), elsewhere)


def _is_good(result: ExampleResult) -> bool:
    return result.verdict.label != "BAD"
