"""Judge: a model, a rubric and how it is asked. It reads clauses and a call, and answers about each clause apart."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from statistics import fmean
from typing import Any

from specspan.call import ModelCall, Usage
from specspan.checks.check import TextAt
from specspan.checks.judging.budgets import OVER_BUDGET, Budget
from specspan.checks.judging.circuit_breaker import CircuitBreaker, breaker_of
from specspan.checks.judging.fence import FencedText, fence
from specspan.checks.judging.guard_answers import read_reply
from specspan.checks.judging.judge_answer import BY_DEFAULT, JudgeAnswer, Thresholds, conclude_answer, error_answer
from specspan.checks.judging.judge_loop import LOOP
from specspan.checks.judging.judge_model import JudgeModel, ModelFailure, ModelReply
from specspan.checks.judging.judge_prompt import JudgePrompt, PromptOrder, build_prompt, judge_digest
from specspan.checks.judging.rubrics import GENERAL, Rubric, load_rubric
from specspan.checks.texts import texts
from specspan.decision import Evidence, Outcome, Stage
from specspan.spec.spec import Clause

JUDGE_UNAVAILABLE = "judge_unavailable"
"""Unassessed: the judge's model has failed too often at its endpoint, and is left alone for a while."""
ATTEMPTS = 4
"""Most requests for one answer, where the endpoint fails or asks to wait."""
MAX_WAIT_S = 60.0
"""Longest wait between two attempts, whatever the endpoint asks for."""
_FIRST_WAIT_S = 0.5
_READS: Mapping[Stage, tuple[Stage, ...]] = {
    Stage.INPUT: (Stage.INPUT,),
    Stage.OUTPUT: (Stage.INPUT, Stage.OUTPUT, Stage.TOOL_CALL),
    Stage.TOOL_CALL: (Stage.INPUT, Stage.OUTPUT, Stage.TOOL_CALL),
}


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """Settings on which a judge's answers depend, beside its model."""

    stage: Stage = Stage.OUTPUT
    rubric: str = GENERAL
    order: PromptOrder = PromptOrder.CALL_FIRST
    samples: int = 1
    """Number of times that it is asked; the majority counts."""
    timeout_s: float = 30.0
    """Seconds that one request may take."""
    max_prompt_tokens: int = 32_000
    """Tokens of one request, as estimated; more clauses than fit are asked for in further requests."""
    parameters: tuple[tuple[str, Any], ...] = ()
    """Parameters of the model, such as ``temperature``."""


@dataclass(frozen=True, slots=True)
class Question:
    """Clause that a judge is asked about."""

    clause: Clause
    thresholds: Thresholds = BY_DEFAULT


@dataclass(frozen=True, slots=True)
class RequestReport:
    """Facts about one request to a model, for its span and for what it cost."""

    clauses: tuple[str, ...]
    started_unix_nano: int
    duration_s: float
    attempts: int
    reply: ModelReply | None = None
    """None where there was none."""
    failure: str | None = None
    """Code of what failed."""
    other_answers: int = 0
    """Answers about clauses that were not asked for."""

    @property
    def usage(self) -> Usage:
        """Tokens of the reply."""
        return Usage() if self.reply is None else self.reply.usage

    @property
    def cost_usd(self) -> Decimal | None:
        """Price of the reply."""
        return None if self.reply is None else self.reply.cost_usd


@dataclass(frozen=True, slots=True)
class Judgments:
    """Answers about several clauses of one call, and the requests that were made for them."""

    answers: Mapping[str, JudgeAnswer]
    requests: tuple[RequestReport, ...] = field(default=())


class Judge:
    """Judge that any thread and any event loop may ask."""

    def __init__(self, model: JudgeModel, settings: JudgeSettings | None = None) -> None:
        self.model = model
        self.settings = JudgeSettings() if settings is None else settings
        self._rubric: Rubric = load_rubric(self.settings.rubric)

    @property
    def takes_many(self) -> bool:
        """True where one request may hold several clauses."""
        return self._rubric.takes_many

    @property
    def breaker(self) -> CircuitBreaker:
        """Return this process's breaker of the model at its endpoint."""
        return breaker_of(self.model.endpoint, self.model.name)

    def digest(self, clause: Clause, decides_by: Sequence[object] = ()) -> str:
        """Return the digest of prompt, rubric, text of the clause, model and parameters, as findings record it.

        ``decides_by``: thresholds or agreement by which a score becomes an outcome, where not the ones by default.
        """
        settings = self.settings
        parameters = [
            settings.stage.value,
            settings.samples,
            self.model.endpoint,
            [list(each) for each in settings.parameters],
            *([list(decides_by)] if decides_by else []),
        ]
        return judge_digest(self._rubric, clause, self.model.name, parameters, settings.order)

    def judge(self, clause: Clause, call: ModelCall, thresholds: Thresholds = BY_DEFAULT) -> JudgeAnswer:
        """Return the answer about one clause of one call. A model that fails is an ``error``, and nothing is raised."""
        work = self.ask([Question(clause, thresholds)], call)
        try:
            return LOOP.submit(work).result().answers[clause.id]
        except RuntimeError:
            return error_answer(clause.id, "no_thread")

    async def judge_async(
        self,
        clause: Clause,
        call: ModelCall,
        thresholds: Thresholds = BY_DEFAULT,
    ) -> JudgeAnswer:
        """Return what `judge` does, without blocking the event loop."""
        future = LOOP.submit(self.ask([Question(clause, thresholds)], call))
        judgments = await asyncio.wrap_future(future)
        return judgments.answers[clause.id]

    async def ask(
        self,
        questions: Sequence[Question],
        call: ModelCall,
        pointed_at: Sequence[Evidence] = (),
        budget: Budget | None = None,
    ) -> Judgments:
        """Return the answers to ``questions``, in as few requests as the rubric and the length of prompts allow.

        Only on the loop of `judge_loop`. ``pointed_at``: places that other checks point at, which a long text keeps.
        ``budget``: holds a call for each sample already; retries and further requests are taken from it.
        """
        fenced = fence(self.texts(call), pointed_at)
        first, *others = self._batches(questions, fenced)
        judged = [self._ask_batch(first, fenced, budget)]
        for batch in others:
            if budget is None or budget.reserve_calls(self.settings.samples):
                judged.append(self._ask_batch(batch, fenced, budget))
            else:
                judged.append(_refuse_batch(batch))
        answers: dict[str, JudgeAnswer] = {}
        requests: list[RequestReport] = []
        for judgments in await asyncio.gather(*judged):
            answers |= judgments.answers
            requests += judgments.requests
        return Judgments(answers, tuple(requests))

    def texts(self, call: ModelCall) -> tuple[TextAt, ...]:
        """Return the texts of a call that the judge reads at its stage: what came before, and what is decided."""
        return tuple(text for stage in _READS[self.settings.stage] for text in texts(call, stage))

    def _batches(self, questions: Sequence[Question], fenced: FencedText) -> list[list[Question]]:
        batches: list[list[Question]] = []
        for question in questions:
            if batches and self._rubric.takes_many:
                prompt = self._prompt([*batches[-1], question], fenced)
                if prompt.estimated_tokens <= self.settings.max_prompt_tokens:
                    batches[-1].append(question)
                    continue
            batches.append([question])
        return batches

    def _prompt(self, questions: Sequence[Question], fenced: FencedText) -> JudgePrompt:
        return build_prompt(self._rubric, [each.clause for each in questions], fenced, self.settings.order)

    async def _ask_batch(self, questions: Sequence[Question], fenced: FencedText, budget: Budget | None) -> Judgments:
        prompt = self._prompt(questions, fenced)
        asked = [self._ask_once(prompt, questions, fenced, budget) for _ in range(self.settings.samples)]
        samples = await asyncio.gather(*asked)
        answers = {each.clause.id: _majority([answers[each.clause.id] for answers, _ in samples]) for each in questions}
        return Judgments(answers, tuple(report for _, report in samples))

    async def _ask_once(
        self, prompt: JudgePrompt, questions: Sequence[Question], fenced: FencedText, budget: Budget | None
    ) -> tuple[dict[str, JudgeAnswer], RequestReport]:
        started_ns, started_s = time.time_ns(), time.perf_counter()
        reply, attempts = await self._request(prompt, budget)
        duration_s = time.perf_counter() - started_s
        if isinstance(reply, str):
            report = RequestReport(prompt.clauses, started_ns, duration_s, attempts, failure=reply)
            outcome = Outcome.UNASSESSED if reply == JUDGE_UNAVAILABLE else Outcome.ERROR
            return {id_: JudgeAnswer(id_, outcome, reason=reply) for id_ in prompt.clauses}, report
        raw, others = read_reply(self._rubric.name, reply.text, prompt.clauses)
        answers = {
            each.clause.id: conclude_answer(raw[each.clause.id], each.clause.id, fenced, each.thresholds)
            for each in questions
        }
        return answers, RequestReport(prompt.clauses, started_ns, duration_s, attempts, reply, other_answers=others)

    async def _request(self, prompt: JudgePrompt, budget: Budget | None) -> tuple[ModelReply | str, int]:
        """Return the reply, or the code of what failed, and the number of requests that were made."""
        breaker = self.breaker
        reason = JUDGE_UNAVAILABLE
        for attempt in range(1, ATTEMPTS + 1):
            if not breaker.admit():
                if attempt == 1 and budget is not None:
                    budget.release_calls()
                return reason, attempt - 1
            if attempt > 1 and budget is not None and not budget.reserve_calls():
                breaker.release()
                return reason, attempt - 1
            try:
                reply = await self.model.request(prompt, self.settings.timeout_s)
            except ModelFailure as failure:
                breaker.fail() if failure.is_outage else breaker.release()
                reason = failure.reason
                if not failure.can_retry or attempt == ATTEMPTS:
                    return reason, attempt
                await asyncio.sleep(_wait_s(attempt, failure.retry_after_s))
            except BaseException:
                breaker.release()
                raise
            else:
                breaker.succeed()
                return reply, attempt
        return reason, ATTEMPTS


async def _refuse_batch(questions: Sequence[Question]) -> Judgments:
    """Return the answers about clauses that the budget has no request for."""
    ids = [each.clause.id for each in questions]
    return Judgments({id_: JudgeAnswer(id_, Outcome.UNASSESSED, reason=OVER_BUDGET) for id_ in ids})


def _wait_s(attempt: int, retry_after_s: float | None) -> float:
    """Return the seconds until the next attempt: as the endpoint asks, else longer each time, never all at once."""
    jitter = random.uniform(0.5, 1.0)  # noqa: S311 - no secret
    if retry_after_s is not None:
        return min(MAX_WAIT_S, retry_after_s * (1.5 - jitter / 2))
    return min(MAX_WAIT_S, _FIRST_WAIT_S * 2.0 ** (attempt - 1) * jitter)


def _majority(answers: Sequence[JudgeAnswer]) -> JudgeAnswer:
    """Return the answer that most of several samples give, with the mean score; without a majority, it is uncertain."""
    if len(answers) == 1:
        return answers[0]
    outcomes = Counter(answer.outcome for answer in answers).most_common()
    outcome, votes = outcomes[0]
    first = next(answer for answer in answers if answer.outcome is outcome)
    scores = [answer.score for answer in answers if answer.score is not None]
    has_majority = votes * 2 > len(answers)
    return JudgeAnswer(
        first.clause,
        outcome if has_majority else Outcome.UNCERTAIN,
        fmean(scores) if scores else None,
        first.applies,
        first.explanation,
        first.sentence,
        first.evidence,
        first.reason if has_majority else "no_majority",
        sum(answer.dropped_quotations for answer in answers),
        first.left_out_chars,
        max(scores) - min(scores) if scores else None,
    )
