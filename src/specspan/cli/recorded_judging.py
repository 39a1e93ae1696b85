"""Judging of calls that were recorded with their content, and the records of what is found."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from specspan.bridges.stored_call import stored_call
from specspan.call import ModelCall
from specspan.checks.judging.judge import Question
from specspan.checks.judging.judge_answer import JudgeAnswer
from specspan.checks.judging.judge_check import JudgeCheck
from specspan.checks.judging.judge_loop import LOOP
from specspan.checks.judging.pydantic_ai_model import close_clients
from specspan.decision import Finding, Outcome
from specspan.record.late_finding import judgement_record
from specspan.sqlite import Filter
from specspan.stores.protocols import StoreReader

Record = Mapping[str, Any]

NO_CONTENT = "content_not_recorded"
"""Reason of a call of which nothing can be judged."""
_CONCURRENCY = 8
_SEVERITY = {verdict: rank for rank, verdict in enumerate(("unassessed", "complied", "uncertain", "error", "violated"))}
"""Order of verdicts by outcome, the mildest first."""


@dataclass(slots=True)
class Judged:
    """Result of judging recorded calls."""

    decisions: int = 0
    amended: int = 0
    """Decisions whose verdict changed."""
    outcomes: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """By clause, the number of findings by outcome."""
    records: list[Record] = field(default_factory=list)
    """Records of the findings."""


@dataclass(frozen=True, slots=True)
class _Task:
    decision: Record
    call: ModelCall
    check: JudgeCheck
    position: int


def judge_recorded(
    reader: StoreReader,
    checks: Sequence[JudgeCheck],
    *,
    since_unix_nano: int | None,
    limit: int,
    again: bool = False,
    dry_run: bool = False,
) -> Judged:
    """Have the calls of a store judged.

    Args:
        reader: the store.
        checks: judges, each with its clause.
        since_unix_nano: earliest time of a decision.
        limit: most decisions, the latest of them.
        again: True to judge also where the same judge has decided.
        dry_run: True to ask nobody.
    """
    judged = Judged()
    tasks: list[_Task] = []
    for decision in reader.decisions(Filter(since_unix_nano=since_unix_nano, limit=limit)):
        judged.decisions += 1
        call = stored_call(reader, decision)
        for check in checks:
            found = list(_places(decision, check, again=again))
            if found and call is None:
                judged.outcomes[_clause(check)][f"{Outcome.UNASSESSED}: {NO_CONTENT}"] += 1
            elif found and call is not None:
                tasks.append(_Task(decision, call, check, found[0]))
    if dry_run:
        for task in tasks:
            judged.outcomes[_clause(task.check)]["would be asked"] += 1
        return judged
    _add_answers(judged, tasks)
    return judged


def _places(decision: Record, check: JudgeCheck, *, again: bool) -> Iterator[int]:
    """Yield the positions of findings that the judge of a check has still to make."""
    version = check.ref.version
    for position, finding in enumerate(decision.get("findings") or ()):
        ref = finding.get("check") or {}
        if finding.get("clause") != _clause(check) or ref.get("kind") != "judge" or ref.get("version") != version:
            continue
        if again or finding.get("outcome") in ("pending", "unassessed", "error"):
            yield position


def _add_answers(judged: Judged, tasks: Sequence[_Task]) -> None:
    verdicts: dict[str, str] = {}
    for task, answer in zip(tasks, LOOP.submit(_ask_all(tasks)).result(), strict=True):
        judged.outcomes[_clause(task.check)][answer.outcome] += 1
        if answer.outcome in (Outcome.ERROR, Outcome.UNASSESSED):
            continue  # the finding on record says as much
        before = verdicts.get(task.decision["id"], str(task.decision.get("verdict")))
        record = _record(task, answer, before)
        if "amended" in record:
            verdicts[task.decision["id"]] = record["amended"]["after"]["verdict"]
        judged.records.append(record)
    judged.amended = len(verdicts)


async def _ask_all(tasks: Sequence[_Task]) -> list[JudgeAnswer]:
    turn = asyncio.Semaphore(_CONCURRENCY)

    async def ask(task: _Task) -> JudgeAnswer:
        clause = task.check.clause
        if clause is None:
            raise ValueError("a judge without a clause has nothing to read")
        async with turn:
            judgments = await task.check.judge.ask([Question(clause, task.check.thresholds)], task.call)
        return judgments.answers[clause.id]

    try:
        return list(await asyncio.gather(*map(ask, tasks)))
    finally:
        await close_clients()


def _record(task: _Task, answer: JudgeAnswer, verdict: str) -> dict[str, Any]:
    decision, before = task.decision, task.decision["findings"][task.position]
    finding = answer.finding()
    changed = {
        "position": task.position,
        **{
            key: before[key] for key in ("clause", "authority", "severity", "action", "stage", "check") if key in before
        },
        "outcome": finding.outcome.value,
        "reason": finding.reason,
        "score": finding.score,
        "evidence": [{"pointer": each.pointer, "start": each.start, "end": each.end} for each in finding.evidence],
        **judgement_record(finding),
    }
    record = {
        "v": 2,
        "type": "finding",
        "id": f"{decision['id']}/{task.position}",
        "time_unix_nano": time.time_ns(),
        **{key: decision[key] for key in ("trace_id", "span_id", "service", "policy") if decision.get(key)},
        "decision": decision["id"],
        "finding": {key: value for key, value in changed.items() if value is not None},
        "replaces": {"outcome": before.get("outcome"), "reason": before.get("reason")},
    }
    amended = _amendment(decision, finding, verdict, _clause(task.check))
    return record | ({"amended": amended} if amended else {})


def _amendment(decision: Record, finding: Finding, verdict: str, clause: str) -> dict[str, Any] | None:
    """Return the rulings before and after a finding; None where the verdict stays."""
    after = finding.outcome.value
    if _SEVERITY.get(after, -1) <= _SEVERITY.get(verdict, 0):
        return None
    is_fault = after in ("violated", "uncertain")
    action = "flag" if is_fault and decision.get("action") == "allow" else decision.get("action")
    ruling = {"verdict": after, "action": action}
    if is_fault:
        ruling |= {"governing_clause": clause, "reason": finding.reason}
    before = {key: decision.get(key) for key in ("action", "governing_clause", "reason") if decision.get(key)}
    return {"before": {"verdict": verdict, **before}, "after": ruling}


def _clause(check: JudgeCheck) -> str:
    return "" if check.clause is None else check.clause.id
