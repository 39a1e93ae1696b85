"""Record of every change of a task of review or of an approval: numbered, and only ever added to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from specspan.stores.transactions import Statements

_INSERT = "INSERT INTO oversight_event VALUES (?, ?, ?, ?, ?, ?, ?)"
EVENT_COLUMNS = "e.subject_id, e.number, e.id, e.kind, e.time_unix_nano, e.person, e.record"
"""Columns of ``oversight_event AS e`` that `read_event` takes."""
_SELECT = f"SELECT {EVENT_COLUMNS} FROM oversight_event AS e"  # noqa: S608 - all of it is ours


@dataclass(frozen=True, slots=True)
class OversightEvent:
    """Change of a task or an approval."""

    subject_id: str
    """Id of the task or the approval."""
    number: int
    """Place in the history of the subject, from 1 up."""
    id: str
    """Id of the change itself, which makes it possible to ask twice and to change once."""
    kind: str
    """``opened``, ``claimed``, ``released``, ``ruled``, ``expired``; ``requested``, ``approved``, ``denied``, …"""
    time_unix_nano: int
    person: str | None
    """Name of the person who made the change; None where nobody did."""
    detail: Mapping[str, Any] = field(default_factory=dict)
    """Members that only this kind of change has."""


def append_event(statements: Statements, event: OversightEvent) -> None:
    """Add a change to the record, whose subject the transaction has to itself."""
    detail = json.dumps(event.detail, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    values = (event.subject_id, event.number, event.id, event.kind, event.time_unix_nano, event.person, detail)
    statements.change(_INSERT, values)


def events_of(statements: Statements, subject_id: str) -> list[OversightEvent]:
    """Return the history of a subject, from the first change to the last."""
    found = statements.rows(f"{_SELECT} WHERE subject_id = ? ORDER BY number", (subject_id,))
    return [read_event(row) for row in found]


def find_event(statements: Statements, event_id: str) -> OversightEvent | None:
    """Return a change by its own id; None where it was never made."""
    found = statements.rows(f"{_SELECT} WHERE id = ?", (event_id,))
    return read_event(found[0]) if found else None


def events_of_kind(
    statements: Statements, kind: str, limit: int, before: tuple[int, str] | None = None
) -> list[OversightEvent]:
    """Return changes of one kind, the latest first.

    Args:
        statements: those of one transaction.
        kind: the kind of change.
        limit: the largest number of changes.
        before: time and id of the change after which the list goes on.
    """
    earlier = "" if before is None else "AND (time_unix_nano, id) < (?, ?)"
    sql = f"{_SELECT} WHERE kind = ? {earlier} ORDER BY time_unix_nano DESC, id DESC LIMIT ?"
    return [read_event(row) for row in statements.rows(sql, (kind, *(before or ()), limit))]


def new_event_id() -> str:
    """Return an id for a change that is asked for the first time."""
    return str(uuid4())


def read_event(row: Sequence[Any]) -> OversightEvent:
    """Return the change that a row with `EVENT_COLUMNS` is."""
    subject_id, number, event_id, kind, time_unix_nano, person, detail = row
    return OversightEvent(subject_id, number, event_id, kind, time_unix_nano, person, json.loads(detail))
