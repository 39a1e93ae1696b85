"""Rows of incidents: the SQL that SQLite and PostgreSQL have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple
from typing import Any

from specspan.errors import OversightRefused
from specspan.incidents.incident import Incident, IncidentState
from specspan.stores.transactions import Statements

_COLUMNS = (
    "id, clause, state, opened_unix_nano, since_unix_nano, baseline_unix_nano, ended_unix_nano, alert_key, changes"
)
LISTED = 1000
"""Number of incidents in a list, at most."""


def insert(statements: Statements, incident: Incident) -> None:
    """Add a new incident."""
    identifier, clause, state, *rest = astuple(incident)
    values = (identifier, clause, state.value, *rest)
    statements.change(f"INSERT INTO incident ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", values)


def save(statements: Statements, incident: Incident) -> None:
    """Write the state of an incident that changed."""
    statements.change(
        "UPDATE incident SET state = ?, ended_unix_nano = ?, changes = ? WHERE id = ?",
        (incident.state.value, incident.ended_unix_nano, incident.changes, incident.id),
    )


def give_up_key(statements: Statements, incident_id: str) -> None:
    """Take the key of a group of alerts from an incident, for another that the group opens."""
    statements.change("UPDATE incident SET alert_key = NULL WHERE id = ?", (incident_id,))


def find_of_alert(statements: Statements, alert_key: str | None, for_update: str = "") -> Incident | None:
    """Return the incident that has the key of a group of alerts; None without one."""
    if alert_key is None:
        return None
    sql = f"SELECT {_COLUMNS} FROM incident WHERE alert_key = ? {for_update}"
    rows = statements.rows(sql, (alert_key,))
    return _incident(rows[0]) if rows else None


def load(statements: Statements, incident_id: str, for_update: str = "") -> Incident:
    """Return the incident of an id, as it is now.

    Raises:
        OversightRefused: ``unknown_incident``.
    """
    rows = statements.rows(f"SELECT {_COLUMNS} FROM incident WHERE id = ? {for_update}", (incident_id,))
    if not rows:
        raise unknown_incident(incident_id)
    return _incident(rows[0])


def listed(statements: Statements, state: IncidentState | None, clause: str | None) -> Sequence[Incident]:
    """Return incidents of a state and about a clause, the one opened last first, `LISTED` at most."""
    of_state, of_clause = "" if state is None else state.value, clause or ""
    rows = statements.rows(
        f"""SELECT {_COLUMNS} FROM incident WHERE (? = '' OR state = ?) AND (? = '' OR clause = ?)
            ORDER BY opened_unix_nano DESC, id DESC LIMIT {LISTED}""",
        (of_state, of_state, of_clause, of_clause),
    )
    return [_incident(row) for row in rows]


def ids(statements: Statements, prefix: str, limit: int) -> Sequence[str]:
    """Return ids of incidents that begin with a prefix, sorted."""
    rows = statements.rows(
        "SELECT id FROM incident WHERE id >= ? AND id < ? ORDER BY id LIMIT ?", (prefix, prefix + "~", limit)
    )
    return [str(row[0]) for row in rows]


def unknown_incident(incident_id: str) -> OversightRefused:
    """Return the refusal of an incident that is not in the store."""
    problem = f"no incident {incident_id!r} is in the store"
    return OversightRefused("unknown_incident", problem, "`specspan incident list` lists them.")


def _incident(row: tuple[Any, ...]) -> Incident:
    incident_id, clause, state, *rest = row
    return Incident(incident_id, clause, IncidentState(state), *rest)
