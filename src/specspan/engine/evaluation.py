"""An evaluation: one model call on its way to its decision."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence

from specspan._support.guard import contain
from specspan.call import WHOLE, ModelCall, Request
from specspan.checks.check import EVERYTHING
from specspan.decision import Action, Decision, Finding, Mode, Stage, Verdict
from specspan.engine.bound_check import INCOMPLETE_ANSWER, INTERNAL, Slot
from specspan.engine.enforcement import Hold, action_over, ruling
from specspan.engine.outcomes import Tally, worst_outcome
from specspan.engine.plan import STAGES, Plan
from specspan.engine.precedence import REWRITES, Conclusion, conclude, milder, strictest, taken
from specspan.engine.rewriting import PROCEED, Cut, Ruling
from specspan.engine.stage_run import Look, look, wait
from specspan.engine.stream_check import StreamCheck
from specspan.engine.waiting import Steps
from specspan.engine.workers import Workers

_NO_CALL = ModelCall(Request(provider=""))
BEFORE_CALL = (Stage.INPUT,)
"""The stages that look at what is about to be sent."""
_WHOLE = (Stage.OUTPUT, Stage.TOOL_CALL)
AFTER_CALL = (*_WHOLE, Stage.STREAM)
"""The stages that look at an answer; the last of them only at a streamed one."""


class Evaluation:
    """Findings of one call, gathered stage by stage. One caller at a time."""

    __slots__ = (
        "_action",
        "_call",
        "_decision",
        "_failures",
        "_looks",
        "_new_id",
        "_now_ns",
        "_plan",
        "_redacted",
        "_released_chars",
        "_stream",
        "_taken_before",
        "_unedited",
        "_workers",
        "_would",
        "overhead_ns",
    )

    def __init__(
        self,
        plan: Plan,
        workers: Workers,
        now_ns: Callable[[], int],
        new_id: Callable[[], str],
        call: ModelCall | None = None,
    ) -> None:
        self.overhead_ns: dict[str, int] = {}
        """What each stage cost the caller."""
        self._plan = plan
        self._workers = workers
        self._now_ns = now_ns
        self._new_id = new_id
        self._call = _NO_CALL if call is None else call
        self._looks: dict[Stage, Look] = {}
        self._stream: StreamCheck | None = None
        self._action = Action.ALLOW  # the strictest that enforce mode takes, or would take
        self._would = Action.ALLOW  # the strictest were every clause enforced
        self._released_chars: int | None = None
        self._redacted: frozenset[str] = frozenset()
        self._decision: Decision | None = None
        self._failures: dict[int, Finding] = {}  # where specspan failed; a violation that was found stands
        self._unedited: dict[int, Finding] = {}  # whose rewriting failed: nothing was done about the violation
        self._taken_before = (self._action, self._would, self._redacted)  # before the latest ruling

    @property
    def reads_input(self) -> bool:
        """Whether any check looks at what is about to be sent; where none does, `input` need not be asked."""
        return Stage.INPUT in self._plan.stages

    def input(self, call: ModelCall) -> Steps[Ruling]:
        """Look at what is about to be sent."""
        self._call = call
        return self._looked(BEFORE_CALL, call)

    def stream(self) -> StreamCheck | None:
        """What looks at the answer as it grows; None when nothing could cut it."""
        if self._plan.policy.mode is Mode.OBSERVE or not self._plan.stream:
            return None
        if self._stream is None:
            self._stream = StreamCheck(self._plan.stream, self._plan.law, self._call, self.overhead_ns)
        return self._stream

    def output(self, call: ModelCall, *, released_chars: int | None = None, is_awaited: bool = True) -> Steps[Ruling]:
        """Look at the answer and the tool calls in it, before they are handed over.

        ``released_chars``: how much of a streamed answer its consumer has seen. Over what is released nothing but a
        flag can be had; a tool call in it can still be stopped, as long as ``is_awaited``: somebody waits for the rest.
        """
        self._released_chars = released_chars
        is_streamed = call.request.streaming or released_chars is not None
        return self._looked(AFTER_CALL if is_streamed else _WHOLE, call, is_awaited=is_awaited)

    def fail(self, stages: Sequence[Stage], *, is_awaited: bool = True) -> Ruling:
        """Rule by ``on_error`` where specspan itself failed, before the checks of some stages could look or act.

        Their findings are errors from now on, but for violations that were found. ``is_awaited``: whether anybody is
        there from whom something can be withheld.
        """
        before = self._action
        ruling = self._rule_failure(self._plan.slots_at(stages), self._failures)
        if not is_awaited:
            self._action = strictest((before, milder(self._action, Action.FLAG)))
        return ruling

    def fail_whole(self) -> Ruling:
        """Rule by ``on_error`` where nothing of a call can be evaluated. No check is run on it."""
        ruling = self.fail(STAGES)
        self._plan = self._plan.without_checks()
        return ruling

    def fail_rewrite(self, stages: Sequence[Stage]) -> Ruling:
        """Rule by ``on_error`` where the edits of the latest ruling, over some stages, could not be made.

        What was found stands as an error: nothing was done about it.
        """
        self._action, self._would, self._redacted = self._taken_before
        law = self._plan.law
        slots = [
            slot
            for look in self._deviating(stages)
            for position, finding in look.deviations.items()
            if law.does(finding) in REWRITES and (slot := look.audience.readers.get(position)) is not None
        ]
        return self._rule_failure(slots, self._unedited)

    def fail_cut(self, stages: Sequence[Stage] = AFTER_CALL) -> Ruling:
        """Rule by ``on_error`` where the text of a cut could not be put in place of what it takes out."""
        return PROCEED if self._stream is None else self._rule_failure(self._stream.withdraw_cut(), self._unedited)

    def cut_answer_short(self) -> None:
        """Let no clause comply by an answer of which the rest will not come."""
        self._plan = self._plan.for_incomplete_answer()

    def decide(self) -> Decision:
        """Close the evaluation. The same decision however often it is asked for."""
        if self._decision is None:
            try:
                self._decision = self._decided()
            except Exception as error:
                contain("engine.decide", error)
                self._decision = self._decided_nothing()
        return self._decision

    def _rule_failure(self, slots: Sequence[Slot], failures: dict[int, Finding]) -> Ruling:
        law, found = self._plan.law, {slot.position: slot.error(INTERNAL) for slot in slots}
        failures |= found
        asked = strictest(law.asks(finding) for finding in found.values())
        done = strictest(law.does(finding) for finding in found.values())
        if self._plan.policy.mode is Mode.OBSERVE:
            self._action = strictest((self._action, asked))
            return PROCEED
        self._action, self._would = strictest((self._action, done)), strictest((self._would, asked))
        return Ruling(done)

    def _looked(self, stages: Sequence[Stage], call: ModelCall, *, is_awaited: bool = True) -> Steps[Ruling]:
        """Look at all that needs no waiting first: a caller who goes away then loses no more than he must."""
        plans, looks, waiting = self._plan.stages, self._looks, []
        try:
            for stage in stages:
                if stage in plans:
                    started_ns = time.perf_counter_ns()
                    looks[stage] = found = look(plans[stage], call, stage)
                    self._spent(stage, started_ns)
                    if found.waiting:
                        waiting.append(stage)
            for stage in waiting:
                yield from self._wait(stage)
        except BaseException:
            self._note(self._deviating(stages))
            raise
        if is_awaited:
            return self._rule(stages)
        self._note(self._deviating(stages))
        return PROCEED

    def _wait(self, stage: Stage) -> Steps[None]:
        started_ns = time.perf_counter_ns()
        try:
            yield from wait(self._looks[stage], self._workers)
        finally:
            self._spent(stage, started_ns)

    def _spent(self, stage: Stage, started_ns: int) -> None:
        self.overhead_ns[stage] = self.overhead_ns.get(stage, 0) + time.perf_counter_ns() - started_ns

    def _deviating(self, stages: Sequence[Stage]) -> list[Look]:
        return [look for stage in stages if (look := self._looks.get(stage)) and look.deviations]

    def _hold(self) -> Hold:
        """What can still be done about an answer's texts."""
        if self._released_chars is None:
            return Hold.WHOLE
        cut = self._stream is not None and self._stream.cut is not None
        return Hold.RELEASED if self._released_chars or cut else Hold.WITHHELD

    def _rule(self, stages: Sequence[Stage]) -> Ruling:
        """What is done now."""
        self._taken_before = (self._action, self._would, self._redacted)
        looks = self._deviating(stages)
        if not looks:
            return PROCEED
        if self._plan.policy.mode is Mode.OBSERVE:
            self._note(looks)
            return PROCEED
        asked = ruling(looks, self._plan.law, self._hold())
        self._action = strictest((self._action, asked.action))
        self._redacted = self._redacted.union(asked.edits)
        if self._plan.law.observed:
            in_time = {slot.position for slot in self._plan.stream.watching}
            would = action_over(looks, self._plan.law.asks, self._hold(), in_time)
            self._would = strictest((self._would, would))
        return asked

    def _note(self, looks: Sequence[Look]) -> None:
        """Nothing is done now, because the mode is to observe or because nobody waits for it any more."""
        action = action_over(looks, self._plan.law.does, self._hold(), in_time=self._plan.stream.positions)
        if self._plan.policy.mode is Mode.ENFORCE:
            action = milder(action, Action.FLAG)
        self._action = strictest((self._action, action))

    def _decided(self) -> Decision:
        plan, policy, cut = self._plan, self._plan.policy, self._cut()
        looks = self._looks
        audiences = tuple([looks[stage].audience if stage in looks else None for stage in STAGES])
        deviations = self._deviations()
        tally = plan.frame(audiences).deviating(deviations)
        conclusion = self._concluded(deviations.values(), tally)
        action = self._action if cut is None else strictest((self._action, cut.action))
        return Decision(
            id=self._new_id(),
            time_unix_nano=self._now_ns(),
            specs=plan.specs,
            policy_digest=policy.digest,
            mode=policy.mode,
            verdict=conclusion.verdict,
            action=taken(action, policy.mode),
            would=self._would_have(action),
            governing_clause=conclusion.governing.clause if conclusion.governing is not None else None,
            reason=self._unseen(conclusion.verdict, tally.findings) or conclusion.reason,
            findings=tally.findings,
            summary=tally.summary,
            overrides=plan.rulings,
            redacted=tuple(sorted(self._redacted)) if self._redacted else (),
            released_chars=self._released_chars if cut is not None else None,
        )

    def _concluded(self, deviations: Collection[Finding], tally: Tally) -> Conclusion:
        conclusion = conclude(deviations, self._plan.law, assessed=tally.complied > 0)
        is_short = any(finding.reason == INCOMPLETE_ANSWER for finding in tally.findings)
        if conclusion.verdict is Verdict.COMPLIED and is_short:  # what complied is the request alone
            return Conclusion(Verdict.UNASSESSED, reason=INCOMPLETE_ANSWER)
        return conclusion

    def _decided_nothing(self) -> Decision:
        """Return the decision where none can be made, which says so."""
        policy = self._plan.policy
        return Decision(
            id=self._new_id(),
            time_unix_nano=self._now_ns(),
            specs=self._plan.specs,
            policy_digest=policy.digest,
            mode=policy.mode,
            verdict=Verdict.ERROR,
            action=taken(self._action, policy.mode),
            reason=INTERNAL,
        )

    def _unseen(self, verdict: Verdict, findings: Sequence[Finding]) -> str | None:
        """Of a call that nothing assessed, the reason for which something was not seen that a check would look at."""
        gaps = self._call.gaps
        if verdict is not Verdict.UNASSESSED:
            return None
        reasons = {INCOMPLETE_ANSWER}
        if gaps is not WHOLE:
            reasons |= {reason for side in EVERYTHING if (reason := gaps.of((side,)))}
        return next((finding.reason for finding in findings if finding.reason in reasons), None)

    def _would_have(self, action: Action) -> Action | None:
        """What enforcing every clause would have done, where it is more than ``action`` or nothing is enforced."""
        if self._plan.policy.mode is Mode.OBSERVE:
            return action
        return None if self._would is Action.ALLOW or self._would.rank <= action.rank else self._would

    def _deviations(self) -> dict[int, Finding]:
        """What was not as usual: in the looks at whole texts, and while the answer grew where that was worse."""
        deviations: dict[int, Finding] = {}
        for found in self._looks.values():
            if found.deviations:
                deviations.update(found.deviations)
        for other in (self._stream.findings if self._stream is not None else {}, self._failures):
            for position, finding in other.items():
                deviations[position] = _worse(deviations.get(position, finding), finding)
        return deviations | self._unedited

    def _cut(self) -> Cut | None:
        """How the stream was cut; the part that something else was handed over for is noted as redacted."""
        if self._stream is None or self._stream.cut is None:
            return None
        cut, choice = self._stream.cut, f"/output/{self._stream.choice}/"
        if cut.action in REWRITES:
            texts = self._looks[Stage.OUTPUT].texts if Stage.OUTPUT in self._looks else ()
            parts = (text.pointer for text in texts if text.pointer.startswith(choice))
            self._redacted |= {next(parts, f"{choice}parts/0")}
        if self._released_chars is None:
            self._released_chars = self._stream.released_chars
        return cut


def _worse(one: Finding, other: Finding) -> Finding:
    return one if worst_outcome((one.outcome, other.outcome)) is one.outcome else other
