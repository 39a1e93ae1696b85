"""Checks that can cut a streamed answer, and how its growing text is searched for them."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from specspan.checks.check import PartialFindings
from specspan.checks.patterns import MultiPattern, Pattern
from specspan.decision import Action, Mode, Stage
from specspan.engine.bound_check import BoundCheck
from specspan.engine.growing_texts import ROLE
from specspan.policy.policy import DETECT, HoldBack

# A match that the newest chunk completes lies in the end of the text so far: within the pattern's width, where that is
# limited. So the end is looked at, not the whole text, and the cost of a chunk does not grow with the answer.
NEAR_CHARS = 128
"""Patterns at most this wide are looked for together, in an end of the text of about twice their width."""
FAR_CHARS = 8192
"""Wider patterns, those without limit and those that ask for the start of the text are looked for in this much of its
end. What does not fit is found when the whole answer is looked at."""


@dataclass(frozen=True, slots=True, eq=False)
class Tail:
    """Patterns that are looked for in the same end of the text."""

    patterns: MultiPattern
    owners: tuple[BoundCheck, ...]
    """By index of a pattern, the check whose it is."""
    anchored: frozenset[int]
    """Those that ask for the start of the text: looked for only while the end is all of it."""
    reach_chars: int
    """How much of the text before the newest chunk is looked at again."""
    near: bool
    """True if no new match can begin where the end begins."""

    def owners_of(self, hits: Iterable[int], *, whole: bool) -> set[BoundCheck]:
        """The checks whose patterns have hits in an end of the text that is the ``whole`` of it, or is not."""
        return {self.owners[index] for index in hits if whole or index not in self.anchored}


@dataclass(frozen=True, slots=True, eq=False)
class StreamPlan:
    r"""The checks that can cut a stream.

    - Checks of the stages ``output`` and ``stream`` that find matches in a part, after each chunk. One of which a
      pattern asks for the end of the text is decided at the end. What ends in ``\b`` counts as soon as it stands at
      the end of the text so far: the next character would come too late.
    - Other checks of the stage ``stream``, and of the stage ``output`` those that find violations in a part, now and
      then. Those with a time limit are asked at the end.
    """

    tails: tuple[Tail, ...]
    code: tuple[BoundCheck, ...]
    positions: frozenset[int]
    """Positions of all checks that can cut."""
    observers: tuple[BoundCheck, ...] = ()
    """Those that could, were their clauses enforced."""
    holding: tuple[BoundCheck, ...] = ()
    """Those of an answer, whether they can cut or not, whose clauses are enforced and hold streams back."""
    reads_reasoning: bool = field(init=False)
    """True if a check that can cut reads a model's reasoning."""

    def __post_init__(self) -> None:
        able = {check for tail in self.tails for check in tail.owners} | set(self.code)
        reads = any(check.traits.reads_reasoning for check in able if check.position in self.positions)
        object.__setattr__(self, "reads_reasoning", reads)

    def without(self, clauses: Container[str]) -> StreamPlan:
        """Return the plan without the checks of some clauses."""
        return self.filtered(lambda check: check.clause_id not in clauses)

    def filtered(self, wanted: Callable[[BoundCheck], bool]) -> StreamPlan:
        """Return the plan with some of the checks. Hits of the others are ignored."""
        checks = {check for tail in self.tails for check in tail.owners} | set(self.code)
        kept = frozenset(check.position for check in filter(wanted, checks))
        return replace(
            self,
            tails=self.tails if any(check.position in kept for tail in self.tails for check in tail.owners) else (),
            code=tuple(check for check in self.code if check.position in kept),
            positions=kept,
            observers=tuple(filter(wanted, self.observers)),
            holding=tuple(filter(wanted, self.holding)),
        )

    @property
    def hold_back(self) -> HoldBack:
        """Return how much of the answer is held back, for the checks that can cut it before it is complete."""
        held = DETECT
        for check in self.holding:
            wanted = check.clause_policy.hold_back
            if wanted.whole or check.position in self.positions:
                held |= wanted
        return held

    def __bool__(self) -> bool:
        return bool(self.positions)


def stream_plan(checks: Sequence[BoundCheck]) -> StreamPlan:
    """Return the plan of those ``checks`` that can cut a stream."""
    able = [check for check in checks if _could_cut(check)]
    grown = [(check, patterns) for check in able if (patterns := _patterns(check))]
    code = [check for check in able if _runs_on_growing_text(check)]
    every = [*code, *(check for check, _ in grown)]
    return StreamPlan(
        tails=tuple(_tails([(check, pattern) for check, patterns in grown if _cuts(check) for pattern in patterns])),
        code=tuple(filter(_cuts, code)),
        positions=frozenset(check.position for check in every if _cuts(check)),
        observers=tuple(check for check in every if not _cuts(check)),
        holding=tuple(filter(_holds_back, checks)),
    )


def _holds_back(check: BoundCheck) -> bool:
    clause = check.clause_policy
    is_of_answer = check.traits.stage is not Stage.INPUT
    return bool(clause.hold_back) and is_of_answer and _cuts(check) and clause.action.rank >= Action.REDACT.rank


def _cuts(check: BoundCheck) -> bool:
    return check.clause_policy.mode is Mode.ENFORCE


def _could_cut(check: BoundCheck) -> bool:
    return (
        check.traits.stage in (Stage.OUTPUT, Stage.STREAM)
        and check.clause_policy.action.rank >= Action.REDACT.rank
        and check.timeout_s is None
        and check.traits.reads(ROLE)
    )


def _runs_on_growing_text(check: BoundCheck) -> bool:
    """Return whether a check that is not decided by matches alone runs on the text so far, now and then."""
    if check.traits.stage is Stage.STREAM:
        return not _finds_matches(check)
    return check.traits.finds_in_part is PartialFindings.VIOLATIONS


def _finds_matches(check: BoundCheck) -> bool:
    return check.traits.finds_in_part is PartialFindings.MATCHES


def _patterns(check: BoundCheck) -> list[Pattern]:
    """The patterns of a check that can be decided before the end."""
    patterns = [Pattern(source) for source in check.traits.prefilter] if _finds_matches(check) else []
    return [] if any(pattern.needs_end for pattern in patterns) else patterns


def _tails(owned: Sequence[tuple[BoundCheck, Pattern]]) -> Iterator[Tail]:
    near = [(check, pattern) for check, pattern in owned if _is_near(pattern)]
    if near:
        # Twice the width: a false match at the cut, where the text only seems to begin, so cannot overlap a new one.
        yield _tail(near, 2 * max((pattern.max_width or 0) for _, pattern in near) + 1, near=True)
    far = [(check, pattern) for check, pattern in owned if not _is_near(pattern)]
    if far:
        yield _tail(far, FAR_CHARS, near=False)


def _is_near(pattern: Pattern) -> bool:
    width = pattern.max_width
    return width is not None and width <= NEAR_CHARS and not pattern.needs_start


def _tail(owned: Sequence[tuple[BoundCheck, Pattern]], reach_chars: int, *, near: bool) -> Tail:
    return Tail(
        patterns=MultiPattern([pattern.source for _, pattern in owned]),
        owners=tuple(check for check, _ in owned),
        anchored=frozenset(index for index, (_, pattern) in enumerate(owned) if pattern.needs_start),
        reach_chars=reach_chars,
        near=near,
    )
