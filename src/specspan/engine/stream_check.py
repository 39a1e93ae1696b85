"""A streamed answer is checked as it grows, and cut at the chunk that completes a violation."""

from __future__ import annotations

import sys
import time
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from specspan.call import Message, ModelCall, Reasoning, Response, Text
from specspan.checks.readings import Growing, growing_readings
from specspan.checks.texts import limit_work
from specspan.checks.work import (
    FRAMING_STEPS,
    FREE_CHARS,
    PASS_STEPS,
    READING_STEPS,
    Work,
    WorkLimitReached,
)
from specspan.decision import Action, Evidence, Finding, Outcome, Stage
from specspan.engine.bound_check import BoundCheck, run_check
from specspan.engine.growing_texts import ROLE, ChoiceTexts, GrowingText
from specspan.engine.precedence import REWRITES, CommandChain, strictest_action
from specspan.engine.rewriting import Cut, redaction_marker
from specspan.engine.stream_plan import StreamPlan, Tail

CODE_CHARS = 256
"""A check that is code is asked again when the text has grown by this much, and by an eighth of itself."""
CLOSE_CHARS = 16_384
"""Length of a text that is held back up to which an eighth of itself does not count."""


@dataclass(frozen=True, slots=True)
class FoundViolation:
    """Violation that a piece of a growing text completes."""

    check: BoundCheck
    finding: Finding
    asks: Action
    """Action that its clause asks for."""
    growing: GrowingText
    """The text in which it was found."""
    call: ModelCall | None = None
    """The call as it was checked, where not as one whose text grows."""

    @property
    def is_in_part(self) -> bool:
        """Return whether that is a part by itself."""
        return self.growing.is_part


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
        self.edited_choices: set[int] = set()
        """Choices whose texts were edited while they were held back."""
        self._edits = Action.ALLOW  # strictest action that was taken so
        self._plan = plan
        self._chain = chain
        self._call = call
        self._overhead_ns = overhead_ns
        self._answers: dict[Hashable, ChoiceTexts] = {}
        """By choice; parts that are alone by choice and part."""
        self._cut_by: tuple[BoundCheck, ...] = ()
        self._cut_chars = 0
        self._code_chars, self._is_held = CODE_CHARS, False
        self._work: Work | None = None  # None as long as the texts are short
        self._keep_chars = max((tail.reach_chars for tail in plan.tails), default=1)

    @property
    def action(self) -> Action:
        """Return the strictest action that was taken while the answer grew."""
        return self._edits if self.cut is None else strictest_action((self._edits, self.cut.action))

    def look_every(self, chars: int) -> None:
        """Ask checks that are code again, also those that found something, each time that a text has grown so much."""
        self._code_chars, self._is_held = min(chars, CODE_CHARS), True

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
        found = self._look_at(choice, text, part, is_alone, is_reasoning=is_reasoning)
        if found:
            self._rule(found, choice, text, is_reasoning=is_reasoning)
        elif not is_reasoning:
            self.released_chars += len(text)
        self._overhead_ns[Stage.STREAM] = self._overhead_ns.get(Stage.STREAM, 0) + time.perf_counter_ns() - started_ns
        return self.cut

    def feed_held(
        self, choice: int, text: str, part: Hashable = None, is_alone: bool = False
    ) -> Sequence[FoundViolation]:
        """Look at one more piece of text that is held back, as `feed` does.

        Returns the violations over which text is replaced, while the stream goes on. Where a clause stops the stream,
        there are none, and it is cut.
        """
        started_ns = time.perf_counter_ns()
        found = self._look_at(choice, text, part, is_alone, is_reasoning=False)
        rewrites = self._rule_held(found, choice, text)
        self._overhead_ns[Stage.STREAM] = self._overhead_ns.get(Stage.STREAM, 0) + time.perf_counter_ns() - started_ns
        return rewrites

    def finish_held(
        self, key: Hashable, choice: int, *, is_complete: bool
    ) -> Sequence[tuple[Hashable, FoundViolation]]:
        """Look at the end of a choice's texts, whether or not a check that is code is due.

        Returns violations as `feed_held` does, each with the part that is its text.

        Args:
            key: the choice; of a part that is alone, choice and part.
            choice: number of the choice.
            is_complete: whether nothing comes after it that belongs to it.
        """
        answer = self._answers.get((*key, False) if isinstance(key, tuple) else key)
        if answer is None or self.cut is not None:
            return ()
        part_of = {id(text): part for part, text in answer.texts()}
        found = [each for _, text in answer.texts() for each in self._find_at_end(text, is_complete=is_complete)]
        return [(part_of[id(each.growing)], each) for each in self._rule_held(found, choice, "")]

    def _find_at_end(self, growing: GrowingText, *, is_complete: bool) -> Iterator[FoundViolation]:
        if self._plan.code:
            yield from self._coded(growing)
        if not is_complete:
            return
        text = growing.text(growing.end)
        call = replace(self._call, response=Response(output=(Message(ROLE, (Text(text.text),)),)))
        for check in {check: None for tail in self._plan.tails for check in tail.owners}:
            if check.position in self._plan.positions and _is_read(growing, check):
                finding, skipped = run_check(check, call, (text,)), growing.length - len(text.text)
                if not skipped or any(each.start for each in finding.evidence):
                    for each in self._worth(check, _shifted(finding, skipped), growing):
                        yield replace(each, call=call)

    def _rule_held(self, found: Sequence[FoundViolation], choice: int, text: str) -> Sequence[FoundViolation]:
        """Cut where a clause stops the stream, else return the violations over which text is replaced."""
        if any(each.asks.stops for each in found):
            self._rule(found, choice, text, is_reasoning=False)
        rewrites = [each for each in found if each.asks in REWRITES] if self.cut is None else []
        if rewrites:
            self._edits = strictest_action((self._edits, *(each.asks for each in rewrites)))
            self.edited_choices.add(choice if choice >= 0 else ~choice)
        self._cut_by = (*self._cut_by, *(each.check for each in rewrites if each.check not in self._cut_by))
        return rewrites

    def _look_at(
        self, choice: int, text: str, part: Hashable, is_alone: bool, *, is_reasoning: bool
    ) -> list[FoundViolation]:
        """Return the violations that a piece of text completes; none where it is empty, and a part starts."""
        key = (choice, part, is_reasoning) if is_reasoning or is_alone else choice
        answer = self._answers.get(key) or self._begin(key, choice, is_reasoning=is_reasoning)
        if not text:
            answer.start(part)
            return []
        if part is not answer.part:
            answer.turn_to(part)
        found = self._find_in(answer.joined, text)
        if answer.own is not None:
            found += self._find_in(answer.own, text)
        return found

    def _find_in(self, growing: GrowingText, chunk: str) -> list[FoundViolation]:
        """Return the violations that a chunk completes in one of the texts that it belongs to."""
        growing.written.write(chunk)
        growing.length += len(chunk)
        growing.end = growing.end[-self._keep_chars :] + chunk
        found: list[FoundViolation] = []
        if growing.length >= FREE_CHARS and not self._counts_work(growing, chunk):
            return self._refused(growing)
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

    def _counts_work(self, growing: GrowingText, chunk: str) -> bool:
        """Count the work that a chunk of a long text makes; return False where it would be too much."""
        work = self._work = self._work or Work()
        steps = PASS_STEPS if chunk.isascii() else PASS_STEPS + FRAMING_STEPS
        try:
            work.charge(len(chunk) * (steps + READING_STEPS * (len(growing.readings) - 1)))
        except WorkLimitReached:
            return False
        return True

    def _refused(self, growing: GrowingText) -> list[FoundViolation]:
        """Return the errors of the checks that look for patterns, which look no more from here on."""
        error = WorkLimitReached()
        refused = {check for tail in self._plan.tails for check in tail.owners if _is_read(growing, check)}
        new = [check for check in refused if check.position in self._plan.positions.difference(self.findings)]
        kept = self._plan.positions.difference(check.position for check in refused)
        self._plan = self._plan.filtered(lambda check: check.position in kept)
        return [
            each
            for check in sorted(new, key=_position)
            for each in self._worth(check, check.exception_finding(error), growing)
        ]

    def _rule(self, found: Sequence[FoundViolation], choice: int, text: str, *, is_reasoning: bool) -> None:
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
        withdrawn, self.cut, self._cut_by, self._edits = self._cut_by, None, (), Action.ALLOW
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
        due = self._code_chars if self._plan.code else sys.maxsize
        pointer = f"/output/{message}/parts/0"
        return GrowingText(pointer, due, readings=self._new_readings(), is_reasoning=is_reasoning)

    def _new_readings(self) -> Sequence[Growing]:
        owners = (check for tail in self._plan.tails for check in tail.owners)
        return growing_readings(is_normalised=any(check.traits.reads_normalised for check in owners))

    def _matched(self, tail: Tail, hits: Sequence[int], end: str, growing: GrowingText) -> Iterator[FoundViolation]:
        for check in tail.owners_of(hits, whole=len(end) == growing.length):
            if check.position in self._plan.positions and _is_read(growing, check):
                yield from self._violated(check, tail, end, growing)

    def _matched_in_reading(self, read_end: str, growing: GrowingText) -> Iterator[FoundViolation]:
        """Yield the violations in the text so far as it reads otherwise than it stands."""
        for tail in self._plan.tails:
            for check in tail.owners_of(tail.patterns.hits(read_end), whole=len(growing.end) == growing.length):
                if check.position in self._plan.positions and _is_read(growing, check):
                    yield from self._worth(check, self._run_on_whole(check, growing), growing)

    def _run_on_whole(self, check: BoundCheck, growing: GrowingText) -> Finding:
        text = growing.text()
        self._work = limit_work((text,), self._work)
        return run_check(check, self._call, (text,))

    def _violated(self, check: BoundCheck, tail: Tail, end: str, growing: GrowingText) -> Iterator[FoundViolation]:
        """Yield the violations that a hit in the end of the text amounts to.

        At the very start of an end, a match may be false: the text only seems to begin there. Of near patterns none
        can be new there; of far ones the whole text is asked.
        """
        finding = run_check(check, self._call, (growing.text(end),))
        skipped = growing.length - len(end)
        if skipped and finding.outcome is Outcome.VIOLATED and not any(each.start for each in finding.evidence):
            if tail.near and finding.evidence:
                return
            finding, skipped = self._run_on_whole(check, growing), 0
        yield from self._worth(check, _shifted(finding, skipped), growing)

    def _coded(self, growing: GrowingText) -> Iterator[FoundViolation]:
        is_close = self._is_held and growing.length <= CLOSE_CHARS
        growing.code_due = max(growing.length + self._code_chars, 0 if is_close else growing.length * 9 // 8)
        text = growing.text()
        part = Reasoning(text.text) if growing.is_reasoning else Text(text.text)
        call = replace(self._call, response=Response(output=(Message(ROLE, (part,)),)))
        for check in self._plan.code:
            if (self._is_held or check.position not in self.findings) and _is_read(growing, check):
                yield from self._worth(check, run_check(check, call, (text,)), growing)

    def _worth(self, check: BoundCheck, finding: Finding, growing: GrowingText) -> Iterator[FoundViolation]:
        if finding.outcome is Outcome.VIOLATED or finding.outcome is Outcome.ERROR:
            self.findings[check.position] = finding
            yield FoundViolation(check, finding, self._chain.requested_action(finding), growing)

    def _cut(self, found: Sequence[FoundViolation], chunk: str, *, is_reasoning: bool) -> Cut | None:
        action = strictest_action(each.asks for each in found)
        if action.rank < Action.REDACT.rank:
            return None  # a check failed, and its clause lets that pass
        if is_reasoning and action in REWRITES:
            return Cut(Action.BLOCK)
        return Cut(action, None if action.stops else self._instead(action, found, chunk))

    def _instead(self, action: Action, found: Sequence[FoundViolation], chunk: str) -> str:
        """Return what replaces the chunk: the strictest action decides, then the chain of command."""
        deciding = [each for each in found if each.asks is action]
        if action is Action.REPLACE:
            return min(deciding, key=lambda each: self._chain.precedence(each.finding)).check.clause_policy.replacement
        start, reason = min((_first(each, chunk), each.finding.reason or each.finding.clause) for each in deciding)
        return chunk[:start] + redaction_marker(reason)


def _position(check: BoundCheck) -> int:
    return check.position


def _is_read(growing: GrowingText, check: BoundCheck) -> bool:
    return check.traits.reads_reasoning or not growing.is_reasoning


def _first(found: FoundViolation, chunk: str) -> int:
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
