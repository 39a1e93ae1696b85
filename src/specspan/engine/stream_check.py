"""A streamed answer is checked as it grows, and cut at the chunk that completes a violation."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from specspan.call import Message, ModelCall, Reasoning, Response, Text
from specspan.checks.check import PartialFindings
from specspan.checks.patterns import MultiPattern, Pattern
from specspan.checks.readings import Growing, growing_readings
from specspan.decision import Action, Evidence, Finding, Mode, Outcome, Stage
from specspan.engine.bound_check import BoundCheck, run_check
from specspan.engine.growing_texts import ROLE, ChoiceTexts, GrowingText
from specspan.engine.precedence import REWRITES, CommandChain, strictest_action
from specspan.engine.rewriting import Cut, redaction_marker

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
        )

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
    )


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


CODE_CHARS = 256
"""A check that is code is asked again when the text has grown by this much, and by an eighth of itself."""


@dataclass(frozen=True, slots=True)
class _Found:
    check: BoundCheck
    finding: Finding
    asks: Action
    growing: GrowingText
    """The text in which it was found."""


class StreamCheck:
    """Looks at one streamed answer, chunk by chunk, before each is handed over."""

    def __init__(self, plan: StreamPlan, chain: CommandChain, call: ModelCall, overhead_ns: dict[str, int]) -> None:
        self.cut: Cut | None = None
        """How the answer was cut; None as long as it was not."""
        self.choice = 0
        """The choice whose text was cut."""
        self.released_chars = 0
        """Characters of the chunks that were fed and not withheld."""
        self.findings: dict[int, Finding] = {}
        """By position, what was found as it grew."""
        self._plan = plan
        self._chain = chain
        self._call = call
        self._overhead_ns = overhead_ns
        self._answers: dict[Hashable, ChoiceTexts] = {}
        """By choice; parts that are alone by choice and part."""
        self._cut_by: tuple[BoundCheck, ...] = ()
        self._cut_chars = 0
        self._keep_chars = max((tail.reach_chars for tail in plan.tails), default=1)

    def feed(
        self, choice: int, text: str, part: Hashable = None, is_alone: bool = False, *, is_reasoning: bool = False
    ) -> Cut | None:
        """Look at one more chunk of a choice's text. After a cut nothing more of any choice is handed over.

        A negative number ``~n`` stands for texts beside those of choice ``n``, which do not read on with them.
        Reasoning is read by the checks that ask for it, each part by itself alone; nothing of it is rewritten, so what
        would rewrite it blocks.

        Args:
            choice: number of the choice.
            text: the chunk; empty where a part starts of which nothing came yet.
            part: name of the part of the choice that the chunk belongs to; None for the part that came latest.
            is_alone: whether the part is read by itself alone, and not with the words of its choice.
            is_reasoning: whether the text is a model's reasoning, of which each part is alone.
        """
        if self.cut is not None:
            return Cut(self.cut.action)
        started_ns = time.perf_counter_ns()
        key = (choice, part, is_reasoning) if is_reasoning or is_alone else choice
        answer = self._answers.get(key) or self._begin(key, choice, is_reasoning=is_reasoning)
        if not text:
            answer.start(part)
            return None
        if part is not answer.part:
            answer.turn_to(part)
        found = self._find_in(answer.joined, text)
        if answer.own is not None:
            found += self._find_in(answer.own, text)
        if found:
            self._rule(found, choice, text, is_reasoning=is_reasoning)
        elif not is_reasoning:
            self.released_chars += len(text)
        self._overhead_ns[Stage.STREAM] = self._overhead_ns.get(Stage.STREAM, 0) + time.perf_counter_ns() - started_ns
        return self.cut

    def _find_in(self, growing: GrowingText, chunk: str) -> list[_Found]:
        """Return the violations that a chunk completes in one of the texts that it belongs to."""
        growing.written.write(chunk)
        growing.length += len(chunk)
        growing.end = growing.end[-self._keep_chars :] + chunk
        found: list[_Found] = []
        for tail in self._plan.tails:
            end = growing.end[-(tail.reach_chars + len(chunk)) :]
            if hits := tail.patterns.hits(end):
                found += self._matched(tail, hits, end, growing)
        for reading in growing.readings:
            if reading.awaits in chunk:
                for read_end in reading.grow(chunk, growing.end, self._keep_chars, growing.whole):
                    found += self._matched_in_reading(read_end, growing)
        if growing.length >= growing.code_due:
            found += self._coded(growing)
        return found

    def _rule(self, found: Sequence[_Found], choice: int, text: str, *, is_reasoning: bool) -> None:
        self.choice = choice if choice >= 0 else ~choice
        self.cut = self._cut(found, text, is_reasoning=is_reasoning)
        self._cut_by = tuple(each.check for each in found if each.asks in REWRITES)
        chars = 0 if is_reasoning else len(text)
        if self.cut is None:
            self.released_chars += chars
        else:
            self._cut_chars = chars

    def withdraw_cut(self) -> Sequence[BoundCheck]:
        """Take back a cut whose text could not be put in place, and look no more for the clauses that asked for it.

        Returns:
            The checks of those clauses.
        """
        withdrawn, self.cut, self._cut_by = self._cut_by, None, ()
        self.released_chars += self._cut_chars
        for check in withdrawn:
            self.findings.pop(check.position, None)
        self._plan = self._plan.filtered(
            lambda check: check.position in self._plan.positions and check not in withdrawn
        )
        return withdrawn

    def _begin(self, key: Hashable, choice: int, *, is_reasoning: bool) -> ChoiceTexts:
        answer = ChoiceTexts(partial(self._new_text, choice if choice >= 0 else ~choice, is_reasoning=is_reasoning))
        self._answers[key] = answer
        return answer

    def _new_text(self, message: int, *, is_reasoning: bool) -> GrowingText:
        due = CODE_CHARS if self._plan.code else sys.maxsize
        pointer = f"/output/{message}/parts/0"
        return GrowingText(pointer, due, readings=self._new_readings(), is_reasoning=is_reasoning)

    def _new_readings(self) -> Sequence[Growing]:
        owners = (check for tail in self._plan.tails for check in tail.owners)
        return growing_readings(is_normalised=any(check.traits.reads_normalised for check in owners))

    def _matched(self, tail: Tail, hits: Sequence[int], end: str, growing: GrowingText) -> Iterator[_Found]:
        for check in tail.owners_of(hits, whole=len(end) == growing.length):
            if check.position in self._plan.positions and _is_read(growing, check):
                yield from self._violated(check, tail, end, growing)

    def _matched_in_reading(self, read_end: str, growing: GrowingText) -> Iterator[_Found]:
        """Yield the violations in the text so far as it reads otherwise than it stands."""
        for tail in self._plan.tails:
            for check in tail.owners_of(tail.patterns.hits(read_end), whole=len(growing.end) == growing.length):
                if check.position in self._plan.positions and _is_read(growing, check):
                    yield from self._worth(check, run_check(check, self._call, (growing.text(),)), growing)

    def _violated(self, check: BoundCheck, tail: Tail, end: str, growing: GrowingText) -> Iterator[_Found]:
        """Yield the violations that a hit in the end of the text amounts to.

        At the very start of an end, a match may be false: the text only seems to begin there. Of near patterns none
        can be new there; of far ones the whole text is asked.
        """
        finding = run_check(check, self._call, (growing.text(end),))
        skipped = growing.length - len(end)
        if skipped and finding.outcome is Outcome.VIOLATED and not any(each.start for each in finding.evidence):
            if tail.near and finding.evidence:
                return
            finding, skipped = run_check(check, self._call, (growing.text(),)), 0
        yield from self._worth(check, _shifted(finding, skipped), growing)

    def _coded(self, growing: GrowingText) -> Iterator[_Found]:
        growing.code_due = max(growing.length + CODE_CHARS, growing.length * 9 // 8)
        text = growing.text()
        part = Reasoning(text.text) if growing.is_reasoning else Text(text.text)
        call = replace(self._call, response=Response(output=(Message(ROLE, (part,)),)))
        for check in self._plan.code:
            if check.position not in self.findings and _is_read(growing, check):
                yield from self._worth(check, run_check(check, call, (text,)), growing)

    def _worth(self, check: BoundCheck, finding: Finding, growing: GrowingText) -> Iterator[_Found]:
        if finding.outcome is Outcome.VIOLATED or finding.outcome is Outcome.ERROR:
            self.findings[check.position] = finding
            yield _Found(check, finding, self._chain.requested_action(finding), growing)

    def _cut(self, found: Sequence[_Found], chunk: str, *, is_reasoning: bool) -> Cut | None:
        action = strictest_action(each.asks for each in found)
        if action.rank < Action.REDACT.rank:
            return None  # a check failed, and its clause lets that pass
        if is_reasoning and action in REWRITES:
            return Cut(Action.BLOCK)
        return Cut(action, None if action.stops else self._instead(action, found, chunk))

    def _instead(self, action: Action, found: Sequence[_Found], chunk: str) -> str:
        """Return what replaces the chunk: the strictest action decides, then the chain of command."""
        deciding = [each for each in found if each.asks is action]
        if action is Action.REPLACE:
            return min(deciding, key=lambda each: self._chain.precedence(each.finding)).check.clause_policy.replacement
        start, reason = min((_first(each, chunk), each.finding.reason or each.finding.clause) for each in deciding)
        return chunk[:start] + redaction_marker(reason)


def _is_read(growing: GrowingText, check: BoundCheck) -> bool:
    return check.traits.reads_reasoning or not growing.is_reasoning


def _first(found: _Found, chunk: str) -> int:
    """Return where forbidden text begins in the chunk, which is not handed over yet."""
    released = found.growing.length - len(chunk)
    places = found.finding.evidence
    return min((max(each.start, released) for each in places if each.end > released), default=released) - released


def _shifted(finding: Finding, by: int) -> Finding:
    """The finding with its evidence counted from the start of the text."""
    if not by:
        return finding
    moved = tuple(Evidence(each.pointer, each.start + by, each.end + by) for each in finding.evidence)
    return replace(finding, evidence=moved)
