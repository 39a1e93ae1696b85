"""Evaluation of one model call, stage by stage, up to its decision."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextvars import Context
from dataclasses import replace
from operator import attrgetter

from specspan._support.guard import contain
from specspan.call import ModelCall, Request
from specspan.checks.texts import UnreadRoles, has_unread_part, unread_roles_of_answer, unread_roles_of_request
from specspan.checks.work import Work
from specspan.decision import Action, Decision, Finding, Mode, Stage, Verdict
from specspan.engine.amendment import Amendments
from specspan.engine.approver import ask_people
from specspan.engine.bound_check import INTERNAL, BoundCheck, unread_reason
from specspan.engine.deferral import Deferral, LateFindings
from specspan.engine.enforcement import Reversibility, action_over, rule, unread_positions
from specspan.engine.folded_answer import FoldedAnswerCheck, folded_answer_check
from specspan.engine.held_texts import HeldTexts
from specspan.engine.outcomes import merge_deviations
from specspan.engine.partial_decision import error_decision, gap_reason, redacted_of_stream, would_be_taken
from specspan.engine.plan import STAGES, Plan, StageChecks
from specspan.engine.precedence import (
    REWRITES,
    action_in_mode,
    conclude,
    conclude_cut_short,
    conclude_unread,
    milder_action,
    strictest_action,
)
from specspan.engine.pseudonyms import Pseudonyms
from specspan.engine.review_needs import reviews_of
from specspan.engine.rewriting import PROCEED, Cut, Ruling
from specspan.engine.stage_run import StageRun, run_stage, run_timed_checks
from specspan.engine.stream_check import StreamCheck
from specspan.engine.waiting import Steps
from specspan.engine.workers import Workers

BEFORE_CALL = (Stage.INPUT,)
"""Stages that check a request before it is sent."""
_UNSTREAMED = (Stage.OUTPUT, Stage.TOOL_CALL)
AFTER_CALL = (*_UNSTREAMED, Stage.STREAM)
"""Stages that check an answer; the last of them only a streamed one."""


class Evaluation:
    """Findings of one call, gathered stage by stage. One caller at a time."""

    __slots__ = (
        "_action",
        "_before_ruling",
        "_call",
        "_decision",
        "_deferral",
        "_failures",
        "_folded",
        "_has_unread",
        "_held",
        "_interrupted",
        "_is_cut_short",
        "_new_id",
        "_now_ns",
        "_plan",
        "_reached",
        "_redacted",
        "_released_chars",
        "_requested",
        "_runs",
        "_stream",
        "_unedited",
        "_unread_input",
        "_work",
        "_workers",
        "context_of_checks",
        "overhead_ns",
        "pseudonyms",
    )

    def __init__(
        self,
        plan: Plan,
        workers: Workers,
        now_ns: Callable[[], int],
        new_id: Callable[[], str],
        call: ModelCall | None = None,
        deferral: Deferral | None = None,
    ) -> None:
        self.overhead_ns: dict[str, int] = {}
        """By stage, the time that deciding took from the caller."""
        self.context_of_checks: Callable[[], Context] | None = None  # of those on other threads; None: the caller's
        self.pseudonyms = Pseudonyms()  # what the model reads in place of what was redacted
        self._plan, self._workers, self._now_ns, self._new_id = plan, workers, now_ns, new_id
        self._call = call or ModelCall(Request(provider=""))
        self._deferral = deferral
        self._runs: dict[Stage, StageRun] = {}
        self._reached: dict[Stage, StageChecks] = {}  # of each run
        self._stream: StreamCheck | None = None
        self._folded: FoldedAnswerCheck | None = None
        self._held: HeldTexts | None = None
        self._action = Action.ALLOW  # the strictest that enforce mode takes, or would take
        self._requested = Action.ALLOW  # the strictest if every clause were enforced
        self._released_chars: int | None = None
        self._redacted: frozenset[str] = frozenset()
        self._decision: Decision | None = None
        self._is_cut_short = False  # the rest of the answer will not come
        self._failures: dict[int, Finding] = {}  # where specspan failed; a violation that was found stands
        self._unedited: dict[int, Finding] = {}  # whose rewriting failed: nothing was done about the violation
        self._before_ruling = (self._action, self._requested, self._redacted)  # as before the latest ruling
        self._unread_input: UnreadRoles | None = None  # None as long as no check needed the request
        self._interrupted: dict[int, Finding] = {}  # of checks that had not decided
        self._has_unread = False  # a part that a check needs was not understood
        self._work: Work | None = None  # None while texts are short

    @property
    def reads_input(self) -> bool:
        """True if a check reads the request; otherwise `input` need not be called."""
        return Stage.INPUT in self._plan.stages

    def input(self, call: ModelCall) -> Steps[Ruling]:
        """Check a request before it is sent."""
        self._call = call
        return self._run_stages(BEFORE_CALL, call)

    @property
    def enforces_output(self) -> bool:
        """True if the policy is in enforce mode and a check reads the answer."""
        is_read = not self._plan.stages.keys().isdisjoint(AFTER_CALL)
        return is_read and self._plan.policy.mode is Mode.ENFORCE

    def stream(self) -> StreamCheck | None:
        """Return the check of the answer as it grows; None when nothing could cut it."""
        if self._plan.policy.mode is Mode.OBSERVE or not self._plan.stream:
            return None
        if self._stream is None:
            self._stream = StreamCheck(self._plan.stream, self._plan.chain, self._call, self.overhead_ns)
        return self._stream

    def held_texts(self) -> HeldTexts | None:
        """Return the texts of the answer, where a clause holds it back; None where none does."""
        if self._plan.policy.mode is Mode.OBSERVE or not (hold_back := self._plan.stream.hold_back):
            return None
        held = self._held = HeldTexts(hold_back, None if hold_back.whole else self.stream(), self._call)
        return held

    def folded(self) -> FoldedAnswerCheck | None:
        """Return the check of the answer as folded so far; None where nothing that it finds could stop the stream."""
        if self._plan.policy.mode is Mode.ENFORCE:
            self._folded = folded_answer_check(self._plan, self.stream())
        return self._folded

    def output(self, call: ModelCall, *, released_chars: int | None = None, is_awaited: bool = True) -> Steps[Ruling]:
        """Check an answer and the tool calls in it before they are handed over.

        ``released_chars``: number of characters of a streamed answer that its consumer has seen. Nothing but a flag
        is left over what is released. As long as ``is_awaited``, somebody waits for the rest, and a tool call can still
        be stopped; so can a part that was not understood, where it is withheld.
        """
        self._released_chars = released_chars
        is_streamed = call.request.streaming or released_chars is not None
        return self._run_stages(AFTER_CALL if is_streamed else _UNSTREAMED, call, is_awaited=is_awaited)

    def fail(self, stages: Sequence[Stage], *, is_awaited: bool = True) -> Ruling:
        """Rule by ``on_error`` where specspan itself failed, before the checks of some stages could run or act.

        Their findings are errors, but for violations that were found. ``is_awaited``: whether anybody waits for more.
        """
        before = self._action
        ruling = self._rule_on_failure(self._plan.checks_at(stages), self._failures)
        if not is_awaited:
            self._action = strictest_action((before, milder_action(self._action, Action.FLAG)))
        return ruling

    def fail_whole(self) -> Ruling:
        """Rule by ``on_error`` where nothing of a call can be evaluated. No check runs on it."""
        ruling = self.fail(STAGES)
        self._plan = self._plan.without_checks()
        return ruling

    def fail_rewrite(self, stages: Sequence[Stage]) -> Ruling:
        """Rule by ``on_error`` where the edits of the latest ruling, over some stages, could not be made.

        What was found stands as an error: nothing was done about it.
        """
        self._action, self._requested, self._redacted = self._before_ruling
        chain = self._plan.chain
        checks = [
            check
            for run in self._runs_with_deviations(stages)
            for position, finding in run.deviations.items()
            if chain.effective_action(finding) in REWRITES
            and (check := run.checks.applicable.get(position)) is not None
        ]
        return self._rule_on_failure(checks, self._unedited)

    def fail_cut(self, stages: Sequence[Stage] = AFTER_CALL) -> Ruling:
        """Rule by ``on_error`` where the text of a cut could not be put in place of what it takes out."""
        return PROCEED if self._stream is None else self._rule_on_failure(self._stream.withdraw_cut(), self._unedited)

    def cut_answer_short(self) -> None:
        """Let no clause comply by an answer of which the rest will not come."""
        self._is_cut_short = True
        self._plan = self._plan.for_incomplete_answer()

    def interrupt(self) -> None:
        """Take in that the application interrupted the call: checks that have not decided will not."""
        for stage, plan in self._plan.stages.items():
            run = self._runs.get(stage)
            pending = plan.checks if run is None else run.unfinished
            self._interrupted |= {check.position: check.interrupted_finding() for check in pending}

    def decide(self) -> Decision:
        """Close the evaluation and return its decision, which is the same every time."""
        if self._decision is None:
            try:
                self._decision = self._make_decision()
            except Exception as error:
                contain("engine.decide", error)
                self._decision = error_decision(self._plan, self._action, self._new_id(), self._now_ns())
        return self._decision

    @property
    def has_late_findings(self) -> bool:
        """True if checks go on after the decision."""
        return self._deferral is not None and bool(self._deferral.groups)

    def attach_late_findings(self, on_done: LateFindings) -> None:
        """Have what checks find after the decision handed to ``on_done``, once the decision is recorded."""
        if self._deferral is not None:
            amendments = Amendments(self.decide(), self._plan, cut_short=self._is_cut_short, unread=self._has_unread)
            self._deferral.attach(amendments, on_done)

    def _rule_on_failure(self, checks: Sequence[BoundCheck], failures: dict[int, Finding]) -> Ruling:
        chain, errors = self._plan.chain, {check.position: check.error_finding(INTERNAL) for check in checks}
        failures |= errors
        requested = strictest_action(chain.requested_action(finding) for finding in errors.values())
        effective = strictest_action(chain.effective_action(finding) for finding in errors.values())
        if self._plan.policy.mode is Mode.OBSERVE:
            self._action = strictest_action((self._action, requested))
            return PROCEED
        self._action = strictest_action((self._action, effective))
        self._requested = strictest_action((self._requested, requested))
        return Ruling(effective)

    def _run_stages(self, stages: Sequence[Stage], call: ModelCall, *, is_awaited: bool = True) -> Steps[Ruling]:
        """Run the checks of some stages, those that need no waiting first, and rule on them."""
        plans, runs, reached, unfinished = self._plan.stages, self._runs, self._reached, []
        try:
            started_ns = time.perf_counter_ns()
            for stage in stages:
                if stage in plans:
                    runs[stage] = run = run_stage(plans[stage], call, stage, self._work)
                    reached[stage], self._work = run.checks, run.work
                    if self._deferral is not None:
                        run.unfinished = self._deferral.set_aside(run.unfinished, call)
                    started_ns = self._add_overhead(stage, started_ns)
                    if run.unfinished:
                        unfinished.append(stage)
            for stage in unfinished:
                yield from self._finish_stage(stage)
            if self._deferral is not None and self._deferral.is_awaited:
                self._withhold_unread(call)
                yield from self._deferral.run_awaited(self._runs)
        except BaseException:
            self._withhold_unread(call)
            self._note_untaken_action(self._runs_with_deviations(stages))
            raise
        self._withhold_unread(call)
        if is_awaited:
            ruling = self._rule(stages)
            if ruling.action is Action.ESCALATE and (
                yield from ask_people(call, self._runs_with_deviations(stages), self._plan.chain)
            ):
                self._action, requested, self._redacted = self._before_ruling
                self._requested = strictest_action((requested, Action.ESCALATE))
                ruling = self._rule(stages, is_approved=True)
            return ruling
        self._note_untaken_action(self._runs_with_deviations(stages))
        return PROCEED

    def _withhold_unread(self, call: ModelCall) -> None:
        """Let no clause comply of which a check needs a part of the call that was not understood."""
        if self._unread_input is None:
            self._unread_input = unread_roles_of_request(call.request) if self._plan.needs_input else {}
        if self._unread_input or has_unread_part(call.output):
            of_answer = unread_roles_of_answer(call.output)
            self._withhold_compliance({**self._unread_input, **of_answer}, unread_reason(call.request, of_answer))

    def _withhold_compliance(self, unread: UnreadRoles, reason: str) -> None:
        checks = [check for plan in self._plan.stages.values() for check in plan.checks]
        clauses = {check.clause_id for check in checks if check.misses(unread)}
        if self._deferral is not None:
            self._deferral.withhold_compliance(clauses, reason)
        self._has_unread = bool(clauses)
        for check in checks:
            if check.clause_id in clauses and (run := self._runs.get(check.traits.stage)) is not None:
                run.withhold_compliance(check, reason)

    def _finish_stage(self, stage: Stage) -> Steps[None]:
        started_ns = time.perf_counter_ns()
        try:
            yield from run_timed_checks(self._runs[stage], self._workers, self.context_of_checks)
        finally:
            self._add_overhead(stage, started_ns)

    def _add_overhead(self, stage: Stage, started_ns: int) -> int:
        """Add the time since then to what a stage took, and return the time it is now."""
        now_ns = time.perf_counter_ns()
        self.overhead_ns[stage] = self.overhead_ns.get(stage, 0) + now_ns - started_ns
        return now_ns

    def _runs_with_deviations(self, stages: Sequence[Stage]) -> list[StageRun]:
        return list(filter(attrgetter("deviations"), filter(None, map(self._runs.get, stages))))

    def _reversibility(self) -> Reversibility:
        if self._released_chars is None or (self._held is not None and not self._held.released_chars):
            return Reversibility.FULL
        is_cut = self._stream is not None and self._stream.cut is not None
        return Reversibility.NONE if self._released_chars or is_cut else Reversibility.STOP_ONLY

    def _rule(self, stages: Sequence[Stage], *, is_approved: bool = False) -> Ruling:
        runs = self._runs_with_deviations(stages)
        if not runs:
            return PROCEED
        self._before_ruling = (self._action, self._requested, self._redacted)
        if self._plan.policy.mode is Mode.OBSERVE:
            self._note_untaken_action(runs)
            return PROCEED
        chain = replace(self._plan.chain, is_approved=True) if is_approved else self._plan.chain
        unread = unread_positions(runs) if self._folded is not None and self._folded.has_new_unread else frozenset()
        ruling = rule(runs, chain, self._reversibility(), unread, self.pseudonyms)
        self._action = strictest_action((self._action, ruling.action))
        self._redacted = self._redacted.union(ruling.edits)
        if chain.observed_clauses:
            in_time = {check.position for check in self._plan.stream.observers} | unread
            requested = action_over(runs, chain.requested_action, self._reversibility(), in_time)
            self._requested = strictest_action((self._requested, requested))
        return ruling

    def _note_untaken_action(self, runs: Sequence[StageRun]) -> None:
        """Note the action over findings that nothing is done about: the mode is to observe, or nobody waits for it."""
        plan = self._plan
        action = action_over(runs, plan.chain.effective_action, self._reversibility(), plan.stream.positions)
        if self._plan.policy.mode is Mode.ENFORCE:
            action = milder_action(action, Action.FLAG)
        self._action = strictest_action((self._action, action))

    def _make_decision(self) -> Decision:
        plan, policy, runs = self._plan, self._plan.policy, self._runs
        cut = None if self._stream is None else self._cut_of(self._stream)
        reached = tuple(map(self._reached.get, STAGES))
        if self._deferral is not None:
            self._deferral.run_unawaited(runs)
        deviations = self._deviations()
        outcomes = plan.baseline(reached).with_findings(deviations)
        conclusion = conclude(deviations.values(), plan.chain, assessed=outcomes.complied > 0)
        if self._has_unread:
            conclusion = conclude_unread(conclusion, deviations.values(), plan.chain)
        if self._is_cut_short:
            conclusion = conclude_cut_short(conclusion, outcomes.findings)
        action = self._action if self._stream is None else strictest_action((self._action, self._stream.action))
        decision_id, now_ns = self._new_id(), self._now_ns()
        return Decision(
            id=decision_id,
            time_unix_nano=now_ns,
            specs=plan.specs,
            policy_digest=policy.digest,
            mode=policy.mode,
            verdict=conclusion.verdict,
            action=action_in_mode(action, policy.mode),
            would=would_be_taken(policy.mode, action, self._requested),
            governing_clause=conclusion.governing.clause if conclusion.governing is not None else None,
            reason=(conclusion.verdict is Verdict.UNASSESSED and gap_reason(self._call.gaps, outcomes.findings))
            or conclusion.reason,
            findings=outcomes.findings,
            summary=outcomes.summary,
            overrides=plan.rulings,
            reads_reasoning=plan.reads_reasoning
            and any(plan.stages[stage].reads_reasoning for stage in runs if stage in plan.stages),
            redacted=tuple(sorted(self._redacted)) if self._redacted else (),
            released_chars=self._released_chars if cut is not None else None,
            reviews=reviews_of(plan, outcomes.findings, decision_id, now_ns) if plan.reviews else (),
        )

    def _deviations(self) -> dict[int, Finding]:
        """Return the findings that are not the default ones, of whole texts or, where worse, while the answer grew."""
        growing = {} if self._stream is None else self._stream.findings
        found = (run.deviations for run in self._runs.values() if run.deviations)
        return merge_deviations(found, growing, self._failures, self._unedited, self._interrupted)

    def _cut_of(self, stream: StreamCheck) -> Cut | None:
        """Return how the stream was cut, and note the parts whose text was replaced as redacted."""
        run = self._runs.get(Stage.OUTPUT)
        self._redacted |= redacted_of_stream(stream, () if run is None else run.texts)
        if stream.cut is not None and self._released_chars is None:
            self._released_chars = stream.released_chars
        return stream.cut
