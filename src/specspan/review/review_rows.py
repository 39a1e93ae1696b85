"""Rows of tasks in a store: statements that read and write them, in what SQLite and PostgreSQL have in common."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from specspan.decision import ReviewCause
from specspan.errors import OversightRefused
from specspan.review.review_task import (
    ReviewFilter,
    ReviewPage,
    ReviewState,
    ReviewTask,
    RuledTask,
    Ruling,
    RulingKind,
    RulingResult,
)
from specspan.review.review_transitions import at_time
from specspan.stores.oversight_events import EVENT_COLUMNS, OversightEvent, events_of, read_event
from specspan.stores.transactions import Statements

_COLUMNS = """id, decision_id, clause, outcome, causes, service, trace_id, state, opened_unix_nano, expires_unix_nano,
    claimed_by, claimed_until_unix_nano, wanted_rulings, ruled_by, ruled_outcome, ruled_unix_nano, had_content"""
_SAVE = """UPDATE review_task SET state = ?, claimed_by = ?, claimed_until_unix_nano = ?, wanted_rulings = ?,
    ruled_by = ?, ruled_outcome = ?, ruled_unix_nano = ? WHERE id = ?"""
_AMEND = "UPDATE {table} SET verdict = ?, action = ?, governing_clause = ?, reason = ? WHERE id = ?"
_AWAITED = (ReviewState.OPEN.value, ReviewState.CLAIMED.value)
_LATEST = 2**63 - 1
"""Latest time that a store holds, in nanoseconds."""
_CAUSES = {cause.value for cause in ReviewCause}


def load(statements: Statements, task_id: str) -> ReviewTask:
    """Return a task as it is at this time.

    Raises:
        OversightRefused: ``unknown_task``.
    """
    return at_time(_load(statements, task_id), statements.now_ns())


def lock(statements: Statements, task_id: str) -> ReviewTask:
    """Return a task as it was last written; nobody else changes it until the transaction ends.

    Raises:
        OversightRefused: ``unknown_task``.
    """
    return _load(statements, task_id, statements.for_update)


def _load(statements: Statements, task_id: str, ending: str = "") -> ReviewTask:
    found = statements.rows(f"SELECT {_COLUMNS} FROM review_task WHERE id = ?{ending}", (task_id,))
    if not found:
        raise unknown_task(task_id)
    return _task(found[0])


def save(statements: Statements, task: ReviewTask) -> None:
    """Write what changes of a task, whose row the transaction has to itself."""
    values = (
        *(task.state.value, task.claimed_by, task.claimed_until_unix_nano, task.wanted_rulings),
        *(json.dumps(list(task.ruled_by)), task.ruled_outcome, task.ruled_unix_nano, task.id),
    )
    statements.change(_SAVE, values)


def next_number(statements: Statements, task_id: str) -> int:
    """Return the number of the next change of a task, whose row the transaction has to itself."""
    statements.change("UPDATE review_task SET changes = changes + 1 WHERE id = ?", (task_id,))
    ((number,),) = statements.rows("SELECT changes FROM review_task WHERE id = ?", (task_id,))
    return int(number)


def page(
    statements: Statements, wanted: ReviewFilter, after: str | None, limit: int, *, oldest_first: bool
) -> ReviewPage:
    """Return a part of a list of tasks.

    Raises:
        OversightRefused: ``invalid_key``.
    """
    now_ns = statements.now_ns()
    conditions, values = _conditions(wanted, now_ns)
    order, sign = ("ASC", ">") if oldest_first else ("DESC", "<")
    if after is not None:
        conditions.append(f"(opened_unix_nano, id) {sign} (?, ?)")
        values += _parse_key(after)
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    found = statements.rows(
        f"SELECT {_COLUMNS} FROM review_task {where} ORDER BY opened_unix_nano {order}, id {order} LIMIT ?",
        (*values, limit + 1),
    )
    tasks = [at_time(_task(row), now_ns) for row in found[:limit]]
    return ReviewPage(tasks, _key(tasks[-1]) if len(found) > limit else None)


def counts(statements: Statements) -> Mapping[ReviewState, int]:
    """Return the number of tasks by state, as it is at this time."""
    found = dict.fromkeys(ReviewState, 0)
    for state in ReviewState:
        conditions, values = _conditions(ReviewFilter(state), statements.now_ns())
        rows = statements.rows(f"SELECT count(*) FROM review_task WHERE {' AND '.join(conditions)}", values)
        found[state] = int(rows[0][0])
    return found


def due(statements: Statements, now_ns: int) -> list[str]:
    """Return ids of tasks whose time is over, and that do not say so, in order."""
    found = statements.rows(
        "SELECT id FROM review_task WHERE state IN (?, ?) AND expires_unix_nano <= ? ORDER BY id LIMIT 1000",
        (*_AWAITED, now_ns),
    )
    return [row[0] for row in found]


def ids(statements: Statements, prefix: str, limit: int) -> list[str]:
    """Return ids of tasks that begin with a prefix, sorted."""
    sql = "SELECT id FROM review_task WHERE id >= ? AND id < ? ORDER BY id LIMIT ?"
    return [row[0] for row in statements.rows(sql, (prefix, prefix + "~", limit))]


def rulings(statements: Statements, task_id: str) -> list[Ruling]:
    """Return the rulings on a task, the earliest first."""
    return [ruling(event) for event in events_of(statements, task_id) if event.kind == "ruled"]


def ruled(statements: Statements, clause: str | None) -> list[RuledTask]:
    """Return every task that is ruled, or expired with rulings, each with its rulings, in the order of opening."""
    condition, values = ("", ()) if clause is None else (" AND t.clause = ?", (clause,))
    columns = ", ".join(f"t.{name.strip()}" for name in _COLUMNS.split(","))
    rows = statements.rows(
        f"""SELECT {columns}, {EVENT_COLUMNS} FROM review_task AS t JOIN oversight_event AS e ON e.subject_id = t.id
            WHERE t.state IN ('ruled', 'expired') AND e.kind = 'ruled'{condition}
            ORDER BY t.opened_unix_nano, t.id, e.number""",
        values,
    )
    width = _COLUMNS.count(",") + 1
    found: dict[str, tuple[ReviewTask, list[Ruling]]] = {}
    for row in rows:
        task = _task(row[:width])
        found.setdefault(task.id, (task, []))[1].append(ruling(read_event(row[width:])))
    return [RuledTask(*each) for each in found.values()]


def rulings_to_announce(
    statements: Statements, task: ReviewTask, last: RulingResult | None = None
) -> Sequence[RulingResult]:
    """Return the rulings on a task once nobody rules any more: until then one reviewer would learn another's."""
    if task.state not in (ReviewState.RULED, ReviewState.EXPIRED):
        return ()
    found = (RulingResult(task, each, None) for each in rulings(statements, task.id))
    return [last if last is not None and each.ruling.id == last.ruling.id else each for each in found]


def ruling(event: OversightEvent) -> Ruling:
    """Return the ruling that a change of the kind ``ruled`` is."""
    detail = event.detail
    kind = RulingKind(detail["kind"])
    return Ruling(
        event.id, event.subject_id, event.person or "", kind, detail["outcome"], detail["reason"], event.time_unix_nano
    )


def ruled_outcomes(statements: Statements, decision_id: str) -> dict[str, str]:
    """Return, by clause, the outcome that reviewers ruled about a decision."""
    sql = "SELECT clause, ruled_outcome FROM review_task WHERE decision_id = ? AND ruled_outcome IS NOT NULL"
    return dict(statements.rows(sql, (decision_id,)))


def write_verdict(statements: Statements, decision_id: str, after: Mapping[str, Any]) -> None:
    """Write the ruling of a decision after its amendment into the columns by which decisions are found."""
    values = (*(after[name] for name in ("verdict", "action", "governing_clause", "reason")), decision_id)
    statements.change(_AMEND.format(table=statements.decision_table), values)


def unknown_task(task_id: str) -> OversightRefused:
    """Return the refusal of an id that no task has."""
    return OversightRefused("unknown_task", f"no review {task_id!r}", "`specspan review list` lists them.")


def _conditions(wanted: ReviewFilter, now_ns: int) -> tuple[list[str], list[Any]]:
    conditions: list[str] = []
    values: list[Any] = []

    def require(condition: str, *of: Any) -> None:
        conditions.append(condition)
        values.extend(of)

    if wanted.state is not None or wanted.for_reviewer is not None:
        _require_state(wanted, now_ns, require)
    for column in ("clause", "service", "claimed_by"):
        if (value := getattr(wanted, column)) is not None:
            require(f"{column} = ?", value)
    if wanted.cause is not None:
        require("causes LIKE ?", f'%"{wanted.cause.value}"%')
    if wanted.for_reviewer is not None:
        name = json.dumps(wanted.for_reviewer)
        require("(claimed_by IS NULL OR claimed_by = ? OR claimed_until_unix_nano <= ?)", wanted.for_reviewer, now_ns)
        require("replace(ruled_by, ?, '') = ruled_by", name)
    return conditions, values


def _require_state(wanted: ReviewFilter, now_ns: int, require: Any) -> None:
    """Require a state as it is at this time, whatever was last written."""
    alive = "(expires_unix_nano IS NULL OR expires_unix_nano > ?)"
    if wanted.for_reviewer is not None:
        require(f"state IN (?, ?) AND {alive}", *_AWAITED, now_ns)
    if wanted.state is ReviewState.RULED:
        require("state = 'ruled'")
    elif wanted.state is ReviewState.EXPIRED:
        require("(state = 'expired' OR (state IN (?, ?) AND expires_unix_nano <= ?))", *_AWAITED, now_ns)
    elif wanted.state is ReviewState.OPEN:
        lapsed = "(state = 'claimed' AND claimed_until_unix_nano <= ?)"
        require(f"(state = 'open' OR {lapsed}) AND {alive}", now_ns, now_ns)
    elif wanted.state is ReviewState.CLAIMED:
        require(f"state = 'claimed' AND claimed_until_unix_nano > ? AND {alive}", now_ns, now_ns)


def _key(task: ReviewTask) -> str:
    return f"{task.opened_unix_nano}~{task.id}"


def _parse_key(key: str) -> tuple[int, str]:
    time, _, task_id = key.partition("~")
    if not time.isdecimal() or not task_id or len(time) > 19:
        raise OversightRefused("invalid_key", f"invalid key of a page {key[:40]!r}", "Begin with the first page.")
    return min(int(time), _LATEST), task_id


def _task(row: Sequence[Any]) -> ReviewTask:
    values = dict(zip(map(str.strip, _COLUMNS.split(",")), row, strict=True))
    known = [ReviewCause(cause) for cause in json.loads(values.pop("causes")) if cause in _CAUSES]
    return ReviewTask(
        **{
            **values,
            "causes": tuple(known),
            "state": ReviewState(values["state"]),
            "ruled_by": tuple(json.loads(values["ruled_by"])),
            "had_content": bool(values["had_content"]),
        }
    )
