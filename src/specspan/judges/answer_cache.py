"""Cache of answers by digest of judge and clause, and of the text that was judged. Errors are not kept."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import TypeAlias

from specspan._support.caches import BoundedCache
from specspan._support.process import ForkedLock
from specspan.checks.judging.judge_answer import JudgeAnswer
from specspan.checks.judging.judge_check import JudgeQuestion
from specspan.decision import Finding, Outcome
from specspan.engine.deferral import ChosenCheck, DeferredGroup
from specspan.judges.late_results import judged_finding

MAX_ANSWERS = 4_096

_Key: TypeAlias = "tuple[str, object, bytes]"


class AnswerCache:
    """Answers of one process, the oldest of which make room."""

    def __init__(self, max_answers: int = MAX_ANSWERS) -> None:
        self._answers: BoundedCache[_Key, JudgeAnswer] = BoundedCache(max_answers)
        self._lock = ForkedLock()

    def find(self, group: DeferredGroup) -> dict[int, Finding] | None:
        """Return the findings of a group of which every answer is known; None for any other."""
        if not self._answers:
            return None
        digest = _digest(group)
        with self._lock.held:
            answers = [self._answers.get(_key(each, digest)) for each in group.checks]
        found = [(each, answer) for each, answer in zip(group.checks, answers, strict=True) if answer is not None]
        if len(found) < len(answers):
            return None
        return {each.check.position: judged_finding(each, answer, 0) for each, answer in found}

    def keep(self, group: DeferredGroup, answers: Sequence[JudgeAnswer]) -> None:
        """Keep the answers about a group's call."""
        digest = _digest(group)
        with self._lock.held:
            for each, answer in zip(group.checks, answers, strict=True):
                if answer.outcome not in (Outcome.ERROR, Outcome.UNASSESSED):
                    self._answers[_key(each, digest)] = answer


def _key(each: ChosenCheck, digest: bytes) -> _Key:
    background = each.check.traits.background
    question = None if background is None else background.question
    thresholds = question.question.thresholds if isinstance(question, JudgeQuestion) else None
    return each.check.ref.version, thresholds, digest


def _digest(group: DeferredGroup) -> bytes:
    background = group.checks[0].check.traits.background
    question = None if background is None else background.question
    if not isinstance(question, JudgeQuestion):
        return b""
    texts = question.judge.texts(group.call)
    pieces = [f"{text.pointer}\x00{text.role}\x00{len(text.text)}\x00{text.text}" for text in texts]
    return sha256("\x00".join(pieces).encode("utf-8", "surrogatepass")).digest()
