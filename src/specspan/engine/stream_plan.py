"""What can cut a streamed answer, and how far back each pattern of it must look.

A match that the newest chunk completes lies in the end of the text so far: within the pattern's width, where that is
limited. So the end is looked at, not the whole text, and what a chunk costs does not grow with the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from specspan.checks.base import TextAt
from specspan.checks.patterns import MultiPattern, Pattern
from specspan.decision import Action, CheckKind, Mode, Stage
from specspan.engine.slots import Slot

NEAR_CHARS = 128
"""Patterns at most this wide are looked for together, in an end of the text of about twice their width."""
FAR_CHARS = 8192
"""Wider patterns, those without limit and those that ask for the start of the text are looked for in this much of its
end. What does not fit is found when the whole answer is looked at."""

ROLE = "assistant"


@dataclass(frozen=True, slots=True, eq=False)
class Tail:
    """Patterns that are looked for in the same end of the text."""

    patterns: MultiPattern
    owners: tuple[Slot, ...]
    """By index of a pattern, the slot whose it is."""
    anchored: frozenset[int]
    """Those that ask for the start of the text: looked for only while the end is all of it."""
    reach_chars: int
    """How much of the text before the newest chunk is looked at again."""
    near: bool
    """Whether that is so much that no new match begins where it begins."""

    def owners_of(self, hits: Iterable[int], *, whole: bool) -> set[Slot]:
        """The slots whose patterns have hits in an end of the text that is the ``whole`` of it, or is not."""
        return {self.owners[index] for index in hits if whole or index not in self.anchored}


@dataclass(frozen=True, slots=True, eq=False)
class StreamPlan:
    r"""The checks that can cut a stream.

    - Patterns of the stages ``output`` and ``stream``, after each chunk. A check of which a pattern asks for the end
      of the text is decided at the end. What ends in ``\b`` counts as soon as it stands at the end of the text so
      far: the next character would come too late.
    - Other checks of the stage ``stream`` that have no time limit, now and then. Those with one are asked at the end.
    """

    tails: tuple[Tail, ...]
    code: tuple[Slot, ...]
    positions: frozenset[int]
    """Positions of all slots that can cut."""
    watching: tuple[Slot, ...] = ()
    """Those that could, were their clauses enforced."""

    def without(self, clauses: Container[str]) -> StreamPlan:
        """The same without the checks of some clauses."""
        return self.keeping(lambda slot: slot.bound.clause.id not in clauses)

    def keeping(self, wanted: Callable[[Slot], bool]) -> StreamPlan:
        """The same with some of the checks. The patterns of others are still looked for, and their hits ignored."""
        slots = {slot for tail in self.tails for slot in tail.owners} | set(self.code)
        kept = frozenset(slot.position for slot in filter(wanted, slots))
        return replace(
            self,
            tails=self.tails if any(slot.position in kept for tail in self.tails for slot in tail.owners) else (),
            code=tuple(slot for slot in self.code if slot.position in kept),
            positions=kept,
            watching=tuple(filter(wanted, self.watching)),
        )

    def __bool__(self) -> bool:
        return bool(self.positions)


def stream_plan(slots: Sequence[Slot]) -> StreamPlan:
    """What of ``slots`` can cut a stream."""
    able = [slot for slot in slots if _could_cut(slot)]
    grown = [(slot, patterns) for slot in able if (patterns := _patterns(slot))]
    code = [slot for slot in able if slot.check.stage is Stage.STREAM and not _is_pattern(slot)]
    every = [*code, *(slot for slot, _ in grown)]
    return StreamPlan(
        tails=tuple(_tails([(slot, pattern) for slot, patterns in grown if _cuts(slot) for pattern in patterns])),
        code=tuple(filter(_cuts, code)),
        positions=frozenset(slot.position for slot in every if _cuts(slot)),
        watching=tuple(slot for slot in every if not _cuts(slot)),
    )


def _cuts(slot: Slot) -> bool:
    return slot.bound.mode is Mode.ENFORCE


def _could_cut(slot: Slot) -> bool:
    return (
        slot.check.stage in (Stage.OUTPUT, Stage.STREAM)
        and slot.bound.action.rank >= Action.REDACT.rank
        and slot.timeout_s is None
        and slot.reads(TextAt("", ROLE, ""))
    )


def _is_pattern(slot: Slot) -> bool:
    return slot.ref.kind is CheckKind.PATTERN and bool(slot.check.prefilter)


def _patterns(slot: Slot) -> list[Pattern]:
    """The patterns of a check that can be decided before the end."""
    patterns = [Pattern(source) for source in slot.check.prefilter] if _is_pattern(slot) else []
    return [] if any(pattern.needs_end for pattern in patterns) else patterns


def _tails(owned: Sequence[tuple[Slot, Pattern]]) -> Iterator[Tail]:
    near = [(slot, pattern) for slot, pattern in owned if _is_near(pattern)]
    if near:
        # Twice the width: a false match at the cut, where the text only seems to begin, so cannot overlap a new one.
        yield _tail(near, 2 * max((pattern.max_width or 0) for _, pattern in near) + 1, near=True)
    far = [(slot, pattern) for slot, pattern in owned if not _is_near(pattern)]
    if far:
        yield _tail(far, FAR_CHARS, near=False)


def _is_near(pattern: Pattern) -> bool:
    width = pattern.max_width
    return width is not None and width <= NEAR_CHARS and not pattern.needs_start


def _tail(owned: Sequence[tuple[Slot, Pattern]], reach_chars: int, *, near: bool) -> Tail:
    return Tail(
        patterns=MultiPattern([pattern.source for _, pattern in owned]),
        owners=tuple(slot for slot, _ in owned),
        anchored=frozenset(index for index, (_, pattern) in enumerate(owned) if pattern.needs_start),
        reach_chars=reach_chars,
        near=near,
    )
