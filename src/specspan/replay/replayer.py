"""Replay of recorded calls through one policy, by the engine that decides calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, TypeVar

from specspan._support.caches import BoundedCache
from specspan.call import Message, ModelCall, Response, Text, ToolCall
from specspan.checks.texts import texts
from specspan.decision import Action, Decision, Finding, Mode, Outcome, Stage, Verdict
from specspan.engine.amendment import Amendments
from specspan.engine.bound_check import sampling_value
from specspan.engine.deferral import DeferredGroup
from specspan.engine.engine import Engine
from specspan.engine.evaluation import Evaluation
from specspan.engine.outcomes import worst_outcome
from specspan.engine.waiting import Steps
from specspan.policy.policy import REQUEST_FACTS, CheckBinding, Policy
from specspan.replay.carried_findings import (
    NOT_ASKED,
    BindingKey,
    CheckKey,
    RecordedFindings,
    bindings_of,
    carry,
    findings_by_check,
    says_something,
)
from specspan.replay.recorded_call import NOT_RECORDED, NOT_UNDERSTOOD, REDACTED, TRUNCATED, RecordedCall

T = TypeVar("T")
_Variant: TypeAlias = "tuple[frozenset[BindingKey], frozenset[BindingKey], bool]"
Outcomes: TypeAlias = Mapping[str, str]
"""Outcome of each clause that a check is bound to, or that was set aside."""

CONTEXT_NOT_RECORDED = "context_not_recorded"
"""Unknown: the clause is for some circumstances, and the facts that the application declared were not recorded."""
ANSWER_NEVER_MADE = "answer_never_made"
"""Unknown: the policy of then stopped the call before the model answered."""
REQUEST_CHANGES = "request_would_change"
"""Unknown: the policy changes the request, to which the model might have answered otherwise."""
_UNKNOWABLE = frozenset((NOT_RECORDED, TRUNCATED, REDACTED, NOT_UNDERSTOOD, NOT_ASKED))
_BARE = frozenset((NOT_RECORDED, NOT_UNDERSTOOD))
_WITHOUT_CONTENT = "\N{ZERO WIDTH SPACE}"
_CHUNK_CHARS = 32
"""Length of the pieces in which a streamed answer is watched: recorded calls do not say where it was cut."""
_VARIANTS = 64


@dataclass(frozen=True, slots=True)
class Ruling:
    """Ruling on one call, as far as it is known."""

    verdict: str | None
    action: str | None
    would: str | None
    """Action if every clause were enforced."""
    governing_clause: str | None


@dataclass(frozen=True, slots=True)
class Replayed:
    """Result of one call."""

    ruling: Ruling
    outcomes: Outcomes
    unknown: Mapping[str, str] = field(default_factory=dict)
    """Reason, by clause of which the record does not say enough."""
    decision: Decision | None = None


class Replayer:
    """Replay of recorded calls through one policy, at their own time and with their own draws. Not for many threads."""

    def __init__(self, policy: Policy, *, asks_judges: bool = False) -> None:
        """Compile the plan. ``asks_judges``: True to ask a judge of whom a call has no finding."""
        self.policy = policy
        self._now_ns = 0
        self._id = ""
        self._recorded = RecordedFindings(asks=asks_judges)
        self._bindings = list(bindings_of(policy))
        self._judges = frozenset(place for place, _, each in self._bindings if each.check.traits.background is not None)
        self._engine = self._engine_of(policy)
        self._observing = self._engine.in_observe_mode()
        self._variants: BoundedCache[_Variant, Engine] = BoundedCache(_VARIANTS)
        self._conditional = frozenset(_conditional_clauses(policy))
        self._outcomes: BoundedCache[int, tuple[object, Outcomes]] = BoundedCache(_VARIANTS)

    def replay(self, recorded: RecordedCall) -> Replayed:
        """Decide a call again."""
        self._now_ns, self._id = recorded.time_unix_nano, recorded.id
        if self._judges or recorded.missing is not None:
            by_check = findings_by_check(recorded.findings, recorded.definitions)
            self._recorded.turn_to(by_check)
        else:
            by_check = {}
        call, engine = recorded.call, self._observing if recorded.is_bridged else self._engine
        unknown: dict[str, str] = {}
        if recorded.missing is not None:
            engine, unknown = self._with_carried(recorded, by_check)
            call = _with_placeholders(call) if recorded.missing in _BARE else call
        evaluation = engine.open(recorded.overrides, call)
        changes = self._run(evaluation, call, recorded)
        decision = evaluation.decide()
        if self._judges:
            decision = self._with_late(evaluation, decision)
        return self._result(recorded, decision, unknown, changes)

    def _engine_of(self, policy: Policy) -> Engine:
        return Engine(policy, now_ns=lambda: self._now_ns, new_id=lambda: self._id, background=self._recorded)

    def _with_carried(
        self, recorded: RecordedCall, by_check: Mapping[CheckKey, Mapping[str, Any]]
    ) -> tuple[Engine, dict[str, str]]:
        """Return the engine of a call that is not whole, and the clauses of which it can say nothing."""
        missing = recorded.missing or ""
        carried = {
            place: key
            for place, key, _ in self._bindings
            if key is not None and (place in self._judges or says_something(by_check.get(key)))
        }
        unknown, left_out = dict[str, str](), frozenset[BindingKey]()
        if missing in _BARE:
            left_out = frozenset(
                place for place, _, binding in self._bindings if place not in carried and _runs(binding, recorded)
            )
            unknown = {clause: missing for clause, _ in left_out}
            unknown |= dict.fromkeys(self._conditional, CONTEXT_NOT_RECORDED)
        variant = frozenset(carried), left_out, recorded.is_bridged
        engine = self._variants.get(variant)
        if engine is None:
            engine = self._engine_of(carry(self.policy, self._recorded, carried, left_out))
            engine = self._variants[variant] = engine.in_observe_mode() if recorded.is_bridged else engine
        return engine, unknown

    def _run(self, evaluation: Evaluation, call: ModelCall, recorded: RecordedCall) -> str | None:
        """Run the stages of a call. Returns the reason for which its answer says nothing, where it does not."""
        reason = None
        if evaluation.reads_input:
            ruling = _drive(evaluation.input(call))
            if ruling.action.stops:
                return None
            reason = REQUEST_CHANGES if ruling.edits and not _was_changed(recorded) else None
        if call.response is None or call.response.in_progress:
            was_stopped = recorded.decision.get("action") in ("block", "escalate")
            return ANSWER_NEVER_MADE if was_stopped and not recorded.is_bridged else reason
        if recorded.is_cut_short:
            evaluation.cut_answer_short()
            _drive(evaluation.output(call, released_chars=_released(call), is_awaited=False))
        elif call.request.streaming and not recorded.is_bridged:
            _drive(evaluation.output(call, released_chars=_watch(evaluation, call)))
        else:
            _drive(evaluation.output(call))
        return reason

    def _with_late(self, evaluation: Evaluation, decision: Decision) -> Decision:
        """Return the decision as the findings that came after it amend it."""
        latest = [decision]

        def amend(amendments: Amendments, _group: DeferredGroup, late: Mapping[int, Finding]) -> None:
            for index, finding in sorted(late.items()):
                latest[0] = amendments.amend({index: finding})[1]

        evaluation.attach_late_findings(amend)
        self._recorded.finish_late()
        return latest[0]

    def _result(
        self, recorded: RecordedCall, decision: Decision, unknown: dict[str, str], changes: str | None
    ) -> Replayed:
        outcomes = self._outcomes_of(decision)
        gaps = recorded.missing is not None or bool(self._judges)
        if gaps:
            unknown |= {
                finding.clause: str(finding.reason)
                for finding in decision.findings
                if finding.outcome is Outcome.UNASSESSED and finding.reason in _UNKNOWABLE
            }
        if changes is not None:
            unknown |= {
                finding.clause: changes
                for finding in decision.findings
                if finding.stage is not Stage.INPUT and finding.check is not None
            }
        # a violation stands, whatever else is not known of its clause
        unknown = {name: why for name, why in unknown.items() if outcomes.get(name) != Outcome.VIOLATED.value}
        is_cut = (recorded.decision.get("stream") or {}).get("released_chars") is not None
        return Replayed(self._ruling(decision, unknown, is_cut=is_cut), outcomes, unknown, decision)

    def _ruling(self, decision: Decision, unknown: Mapping[str, str], *, is_cut: bool) -> Ruling:
        """Return the ruling without what the unknown outcome of a clause could change."""
        would = decision.action if decision.would is None else decision.would
        if not unknown and not is_cut:
            return Ruling(decision.verdict.value, decision.action.value, would.value, decision.governing_clause)
        strictest = max((self._action_of(name) for name in unknown), key=lambda each: each.rank, default=Action.ALLOW)
        taken = strictest if self.policy.mode is Mode.ENFORCE else min(strictest, Action.FLAG, key=lambda e: e.rank)
        is_final = decision.verdict is Verdict.VIOLATED or not unknown
        return Ruling(
            decision.verdict.value if is_final else None,
            None if is_cut or taken.rank > decision.action.rank else decision.action.value,
            None if is_cut or strictest.rank > would.rank else would.value,
            None if unknown else decision.governing_clause,
        )

    def _action_of(self, name: str) -> Action:
        bound = self.policy.clauses.get(name)
        return Action.FLAG if bound is None else bound.action

    def _outcomes_of(self, decision: Decision) -> Outcomes:
        """Return the outcome of each clause; the findings of calls on which nothing deviates are one object."""
        known = self._outcomes.get(id(decision.findings))
        if known is not None and known[0] is decision.findings:
            return known[1]
        outcomes = clause_outcomes((finding.clause, finding.outcome) for finding in decision.findings)
        self._outcomes[id(decision.findings)] = decision.findings, outcomes
        return outcomes


def clause_outcomes(findings: Iterable[tuple[str, Outcome]]) -> Outcomes:
    """Return the worst outcome of each clause."""
    by_clause: dict[str, Outcome] = {}
    for clause, outcome in findings:
        known = by_clause.get(clause)
        by_clause[clause] = outcome if known is None else worst_outcome((known, outcome))
    return {clause: outcome.value for clause, outcome in by_clause.items()}


def _runs(binding: CheckBinding, recorded: RecordedCall) -> bool:
    """Return whether a check would run on a call: the call is sampled, and the stage of the check is reached."""
    if binding.sample <= sampling_value(recorded.id):
        return False
    return binding.check.traits.stage is Stage.INPUT or recorded.call.response is not None


def _conditional_clauses(policy: Policy) -> Iterator[str]:
    """Yield the clauses that depend on facts that only the application knows."""
    for name, bound in policy.clauses.items():
        if any(fact not in REQUEST_FACTS and fact not in policy.context for fact, _ in bound.when.facts):
            yield name


def _with_placeholders(call: ModelCall) -> ModelCall:
    """Return a call with a text at each place, so that checks have what they give a finding about."""
    text = Text(_WITHOUT_CONTENT)
    request = replace(call.request, input=(Message("user", (text,)),))
    answer = Message("assistant", (text, ToolCall(_WITHOUT_CONTENT)))
    response = None if call.response is None else replace(call.response, output=(answer,))
    return ModelCall(request, response, call.context)


def _was_changed(recorded: RecordedCall) -> bool:
    """Return whether the policy of then changed the request."""
    return any(str(pointer).startswith("/input") for pointer in recorded.decision.get("redacted") or ())


def _released(call: ModelCall) -> int:
    return sum(len(text.text) for text in texts(call, Stage.STREAM))


def _watch(evaluation: Evaluation, call: ModelCall) -> int:
    """Have a streamed answer watched as it grows. Returns the number of characters that were handed over."""
    check = evaluation.stream()
    if check is None:
        return _released(call)
    for choice, message in enumerate((call.response or Response()).output):
        for place, part in enumerate(message.parts):
            if isinstance(part, Text):
                for at in range(0, len(part.content), _CHUNK_CHARS):
                    if check.feed(choice, part.content[at : at + _CHUNK_CHARS], place) is not None:
                        return check.released_chars
    return _released(call)


def _drive(steps: Steps[T]) -> T:
    """Run steps to their end. A judge whose finding came too late is not waited for."""
    while True:
        try:
            job = next(steps)
        except StopIteration as end:
            value: T = end.value
            return value
        if not isinstance(job, DeferredGroup):
            job.wait()
