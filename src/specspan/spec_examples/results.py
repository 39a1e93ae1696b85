"""Results of a spec's examples under a policy, and how they are counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from specspan.call import ModelCall
from specspan.decision import CheckRef, Finding, Outcome
from specspan.policy.policy import Policy
from specspan.spec.spec import Clause, Example, Spec, Verdict


class Match(str, Enum):
    """Comparison of the spec's verdict on an answer with the outcome of the clause it is about."""

    CAUGHT = "caught"
    """BAD, and the clause was violated."""
    CLEAR = "clear"
    """GOOD or OK, and the clause was not violated."""
    MISSED = "missed"
    """BAD, and the clause was not violated."""
    FALSE_ALARM = "false_alarm"
    """GOOD or OK, and the clause was violated."""
    UNDECIDED = "undecided"
    """A check was uncertain, failed, or is still at work."""
    UNASSESSED = "unassessed"
    """No check assessed the answer: none is bound, none reads such an answer, or the clause is set aside."""

    @property
    def agrees(self) -> bool:
        """Return whether checks and spec say the same."""
        return self in (Match.CAUGHT, Match.CLEAR)

    @property
    def fails(self) -> bool:
        """Return whether checks and spec say the opposite."""
        return self in (Match.MISSED, Match.FALSE_ALARM)


@dataclass(frozen=True, slots=True)
class ExampleResult:
    """Result of one answer: the spec's verdict and the findings of the checks."""

    example: Example
    holder: Clause
    """Clause whose example it is."""
    verdict: Verdict
    clause: str
    """Id of the clause that the verdict is about: the one it is charged against, or else the example's."""
    calls: tuple[ModelCall, ...]
    match: Match
    outcome: Outcome
    """Outcome of the clause; the worst where the answer took several calls."""
    findings: tuple[tuple[int, Finding], ...] = ()
    """Findings about the clause other than complied, each with the index of its call."""
    elsewhere: tuple[str, ...] = ()
    """Ids of the other clauses that were violated."""
    judge: CheckRef | None = None
    """Judge of the clause; None where it has none, or several."""
    judge_outcome: Outcome | None = None
    """Outcome by the judge alone; the worst where the answer took several calls."""


@dataclass(frozen=True, slots=True)
class JudgedAnswers:
    """Answers about one clause that its judge decided."""

    judge: CheckRef
    decided: int
    violated: int
    """Number of those that the judge called violations."""


@dataclass(frozen=True, slots=True)
class MatchCounts:
    """Numbers of answers by match."""

    counts: Mapping[Match, int]
    elsewhere: int = 0
    """Good answers to other clauses' examples on which the clause was violated: most likely false alarms too."""

    def __getitem__(self, match: Match) -> int:
        return self.counts.get(match, 0)

    @property
    def answers(self) -> int:
        """Return the number of all answers."""
        return sum(self.counts.values())

    @property
    def assessed(self) -> int:
        """Return the number of answers that a check assessed."""
        return self.answers - self[Match.UNASSESSED]

    @property
    def decided(self) -> int:
        """Return the number of answers that the checks decided, rightly or wrongly."""
        return self.assessed - self[Match.UNDECIDED]

    @property
    def bad(self) -> int:
        """Return the number of decided answers that the spec calls BAD."""
        return self[Match.CAUGHT] + self[Match.MISSED]

    @property
    def agreed(self) -> int:
        """Return the number of answers on which checks and spec agree. Unassessed ones are never among them."""
        return self[Match.CAUGHT] + self[Match.CLEAR]

    @property
    def precision(self) -> float | None:
        """Return the share of violations found that the spec calls BAD; None where none was found."""
        violations = self[Match.CAUGHT] + self[Match.FALSE_ALARM]
        return self[Match.CAUGHT] / violations if violations else None

    @property
    def recall(self) -> float | None:
        """Return the share of the assessed BAD answers that were caught; None without any."""
        bad = self[Match.CAUGHT] + self[Match.MISSED]
        return self[Match.CAUGHT] / bad if bad else None


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of a policy with a spec's examples."""

    spec: Spec
    policy: Policy
    results: tuple[ExampleResult, ...]
    """Results in the order of the document."""
    comparisons: int = 0
    """Number of comparisons that the answers stand in."""
    unbound: tuple[str, ...] = ()
    """Clauses that the policy binds and this spec lacks."""

    @property
    def total(self) -> MatchCounts:
        """Return the counts of all answers."""
        return _count_matches(self.results, sum(_is_good(each) and bool(each.elsewhere) for each in self.results))

    def by_clause(self) -> dict[str, MatchCounts]:
        """Return the counts by clause, also of clauses that were violated elsewhere; in the spec's order."""
        groups: dict[str, list[ExampleResult]] = {}
        for result in self.results:
            groups.setdefault(result.clause, []).append(result)
        elsewhere = Counter(id_ for result in self.results if _is_good(result) for id_ in result.elsewhere)
        place = {id_: place for place, id_ in enumerate(self.spec.clauses)}
        ids = sorted({*groups, *elsewhere}, key=lambda id_: place.get(id_, len(place)))
        return {id_: _count_matches(groups.get(id_, ()), elsewhere[id_]) for id_ in ids}


def count_judged(results: Sequence[ExampleResult]) -> dict[str, JudgedAnswers]:
    """Return, by clause, what its judge said of the answers about it; clauses without a judge are left out."""
    counts: dict[str, JudgedAnswers] = {}
    for result in results:
        if result.judge is None:
            continue
        before = counts.get(result.clause, JudgedAnswers(result.judge, 0, 0))
        is_decided = result.judge_outcome in _DECIDED
        is_violated = result.judge_outcome is Outcome.VIOLATED
        counts[result.clause] = JudgedAnswers(result.judge, before.decided + is_decided, before.violated + is_violated)
    return counts


_DECIDED = (Outcome.COMPLIED, Outcome.VIOLATED, Outcome.NOT_APPLICABLE)


def _count_matches(results: Sequence[ExampleResult], elsewhere: int) -> MatchCounts:
    return MatchCounts(Counter(result.match for result in results), elsewhere)


def _is_good(result: ExampleResult) -> bool:
    return result.verdict.label != "BAD"
