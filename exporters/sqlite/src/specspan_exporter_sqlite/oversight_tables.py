"""Tables of human oversight: tasks of review, approvals, incidents, and the record of every change of each.

The record is only added to: triggers refuse to change or remove a row of it. A task, an approval or an incident has its
present state in a row of its own, so that lists read no history.
"""

from __future__ import annotations

_TABLES = (
    """CREATE TABLE review_task (
        id {id} PRIMARY KEY,
        decision_id {id} NOT NULL,
        clause TEXT NOT NULL,
        outcome TEXT NOT NULL,
        causes TEXT NOT NULL,
        service TEXT,
        trace_id {id},
        state TEXT NOT NULL,
        opened_unix_nano {integer} NOT NULL,
        expires_unix_nano {integer},
        claimed_by TEXT,
        claimed_until_unix_nano {integer},
        wanted_rulings {integer} NOT NULL,
        ruled_by TEXT NOT NULL,
        ruled_outcome TEXT,
        ruled_unix_nano {integer},
        changes {integer} NOT NULL,
        had_content {integer} NOT NULL
    )""",
    "CREATE INDEX review_task_state ON review_task (state, opened_unix_nano, id)",
    "CREATE INDEX review_task_opened ON review_task (opened_unix_nano, id)",
    "CREATE INDEX review_task_clause ON review_task (clause, opened_unix_nano, id)",
    "CREATE INDEX review_task_decision ON review_task (decision_id)",
    """CREATE TABLE approval (
        id {id} PRIMARY KEY,
        digest TEXT NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        clause TEXT,
        service TEXT,
        decision_id {id},
        trace_id {id},
        state TEXT NOT NULL,
        on_expiry TEXT NOT NULL,
        requested_unix_nano {integer} NOT NULL,
        expires_unix_nano {integer} NOT NULL,
        settled_unix_nano {integer},
        settled_by TEXT,
        changes {integer} NOT NULL,
        record TEXT NOT NULL
    )""",
    "CREATE INDEX approval_state ON approval (state, requested_unix_nano, id)",
    "CREATE INDEX approval_requested ON approval (requested_unix_nano, id)",
    "CREATE INDEX approval_digest ON approval (digest, requested_unix_nano)",
    """CREATE TABLE incident (
        id {id} PRIMARY KEY,
        clause TEXT NOT NULL,
        state TEXT NOT NULL,
        opened_unix_nano {integer} NOT NULL,
        since_unix_nano {integer} NOT NULL,
        baseline_unix_nano {integer} NOT NULL,
        ended_unix_nano {integer},
        alert_key TEXT UNIQUE,
        changes {integer} NOT NULL
    )""",
    "CREATE INDEX incident_opened ON incident (opened_unix_nano, id)",
    """CREATE TABLE oversight_event (
        subject_id {id} NOT NULL,
        number {integer} NOT NULL,
        id {id} NOT NULL UNIQUE,
        kind TEXT NOT NULL,
        time_unix_nano {integer} NOT NULL,
        person TEXT,
        record TEXT NOT NULL,
        PRIMARY KEY (subject_id, number)
    )""",
)


def table_statements(integer: str, identifier: str) -> tuple[str, ...]:
    """Return the statements that make the tables, with a database's own types of numbers and of ids."""
    return tuple(statement.format(integer=integer, id=identifier) for statement in _TABLES)


STATEMENTS = (
    *table_statements("INTEGER", "TEXT"),
    """CREATE TRIGGER oversight_event_kept BEFORE UPDATE ON oversight_event
        BEGIN SELECT RAISE(ABORT, 'the record of oversight is only added to'); END""",
    """CREATE TRIGGER oversight_event_stays BEFORE DELETE ON oversight_event
        BEGIN SELECT RAISE(ABORT, 'the record of oversight is only added to'); END""",
)
"""Fourth version of the tables."""
