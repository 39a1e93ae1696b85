"""Results of judges: findings, and their record once the decision is made."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from opentelemetry.trace import SpanContext

from specspan._support.guard import guard
from specspan.call import ModelCall
from specspan.checks.judging.judge import RequestReport
from specspan.checks.judging.judge_answer import JudgeAnswer
from specspan.checks.judging.judge_check import JudgeQuestion
from specspan.decision import Finding, Judgement, Outcome
from specspan.engine.amendment import Amendments
from specspan.engine.deferral import ChosenCheck, DeferredGroup
from specspan.engine.evaluation import Evaluation
from specspan.record.late_finding import JudgeRequest, LateFinding
from specspan.record.recorder import Recorder


def judged_finding(each: ChosenCheck, answer: JudgeAnswer, duration_ns: int) -> Finding:
    """Return the finding that an answer becomes."""
    if answer.outcome is Outcome.UNASSESSED:
        return unjudged_finding(each, answer.reason or "")
    return each.check.finding_from(answer.finding(each.sampled), duration_ns)


def unjudged_finding(each: ChosenCheck, reason: str) -> Finding:
    """Return the finding of a check that was chosen, and that no judge has decided."""
    return replace(each.check.unassessed, reason=reason, judgement=Judgement(sampled=each.sampled))


def attach_late_results(evaluation: Evaluation, recorder: Recorder, span_context: SpanContext, call: ModelCall) -> None:
    """Have what judges find after a decision recorded, which was recorded itself just now."""
    response_id = call.response.id if call.response is not None else None
    evaluation.attach_late_findings(partial(_record, recorder, span_context, response_id))


def _record(
    recorder: Recorder,
    span_context: SpanContext,
    response_id: str | None,
    amendments: Amendments,
    group: DeferredGroup,
    late: Mapping[int, Finding],
) -> None:
    with guard("judges.record"):
        background = group.checks[0].check.traits.background
        question = None if background is None else background.question
        if isinstance(question, JudgeQuestion):
            for report in group.reports:
                recorder.record_judge_request(_request(question, report, amendments.decision.id), span_context)
        for index, finding in sorted(late.items()):
            before, after = amendments.amend({index: finding})
            now_ns = time.time_ns()
            recorder.record_late_finding(LateFinding(span_context, response_id, before, after, index, finding, now_ns))


def _request(question: JudgeQuestion, report: RequestReport, decision_id: str) -> JudgeRequest:
    model, reply = question.judge.model, report.reply
    return JudgeRequest(
        provider=model.provider,
        model=model.name.partition(":")[2] or model.name,
        clauses=report.clauses,
        decision_id=decision_id,
        started_unix_nano=report.started_unix_nano,
        duration_s=report.duration_s,
        attempts=report.attempts,
        failure=report.failure,
        usage=report.usage,
        cost_usd=report.cost_usd,
        response_model=None if reply is None else reply.model,
        response_id=None if reply is None else reply.id,
    )
