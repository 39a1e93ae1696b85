"""Insertion of tasks of review, which decision records and late findings ask for, by the writer of either database."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .text import integer, optional, storable

Record = Mapping[str, Any]
Change = Callable[[str, Sequence[Any]], int]
"""Runs a statement with ``?`` for each value, and returns the number of rows that it changed."""

OPENED = "opened"
_TASK = """INSERT INTO review_task VALUES (?, ?, ?, ?, ?, ?, ?, 'open', ?, ?, NULL, NULL, ?, '[]', NULL, NULL, 1, ?)
    ON CONFLICT (id) DO NOTHING"""
_EVENT = "INSERT INTO oversight_event VALUES (?, 1, ?, 'opened', ?, ?, ?)"
_MAX_RULINGS = 9


@dataclass(frozen=True, slots=True)
class TaskRow:
    """Task of review that nobody has claimed yet."""

    decision_id: str
    clause: str
    outcome: str
    """Outcome of the clause, as the checks found it."""
    causes: Sequence[str]
    service: str | None
    trace_id: str | None
    opened_unix_nano: int
    expires_unix_nano: int | None
    wanted_rulings: int
    had_content: bool

    @property
    def id(self) -> str:
        """Id of the task, the same for whoever opens it: a decision has one for each clause."""
        return task_id(self.decision_id, self.clause)


def task_id(decision_id: str, clause: str) -> str:
    """Return the id of the task about a clause of a decision; it begins with the decision's."""
    return f"{decision_id}.{hashlib.sha256(storable(clause).encode()).hexdigest()[:8]}"


def review_tasks(records: Iterable[Record]) -> Iterator[TaskRow]:
    """Yield the tasks that records ask for; what cannot be read as one is left out, as it may be a later version's."""
    for record in records:
        decision_id = record.get("decision") if record.get("type") == "finding" else record.get("id")
        reviews = record.get("reviews")
        if not isinstance(decision_id, str) or not isinstance(reviews, Sequence) or isinstance(reviews, str):
            continue
        service = record.get("service")
        for each in reviews:
            if not isinstance(each, Mapping) or not isinstance(each.get("clause"), str):
                continue
            causes = each.get("causes")
            expires = each.get("expires_unix_nano")
            yield TaskRow(
                decision_id=storable(decision_id),
                clause=storable(each["clause"]),
                outcome=optional(each.get("outcome")) or "",
                causes=[str(cause) for cause in causes] if isinstance(causes, list) else [],
                service=optional(service.get("name")) if isinstance(service, Mapping) else None,
                trace_id=optional(record.get("trace_id")),
                opened_unix_nano=integer(record.get("time_unix_nano")),
                expires_unix_nano=None if expires is None else integer(expires),
                wanted_rulings=min(max(1, integer(each.get("rulings", 1))), _MAX_RULINGS),
                had_content=each.get("content") is True,
            )


def insert_task(change: Change, task: TaskRow, *, event_id: str | None = None, person: str | None = None) -> bool:
    """Write a task and the record of its opening; return False where it is there already, and stays as it is."""
    causes = json.dumps(sorted(set(task.causes)))
    row = (
        *(task.id, task.decision_id, task.clause, task.outcome, causes, task.service, task.trace_id),
        *(task.opened_unix_nano, task.expires_unix_nano, task.wanted_rulings, int(task.had_content)),
    )
    if change(_TASK, row) == 0:
        return False
    detail = json.dumps({"causes": sorted(set(task.causes)), "outcome": task.outcome}, separators=(",", ":"))
    change(_EVENT, (task.id, event_id or f"{task.id}/1", task.opened_unix_nano, person, detail))
    return True
