"""Rows of policy records, to which decisions refer by number."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from typing import Any

from . import finding_counts
from .bulk_insert import Row, insert_rows
from .names import insert_names
from .text import encode, integer, optional, storable

Record = Mapping[str, Any]


# A number that decisions or assessments still name is taken again by its own policy alone: rows of this table may have
# been deleted by hand.
_INSERT_NUMBERED = """INSERT INTO policy_record VALUES (
    coalesce(
        (SELECT policy_id FROM decision_shared
            WHERE json_extract(record, '$.policy.record') = :name AND policy_id NOT IN (SELECT id FROM policy_record)),
        (SELECT 1 + coalesce(max(number), 0) FROM (
            SELECT max(id) AS number FROM policy_record UNION ALL SELECT max(policy_id) FROM decision_shared
            UNION ALL SELECT max(policy_id) FROM assessment))),
    :name, NULL, NULL)"""


def policy_numbers(connection: sqlite3.Connection, names: Collection[str]) -> dict[str, int]:
    """Return the number of each policy record by its id, also of those that are missing so far."""
    return {name: _policy_number(connection, storable(name)) for name in sorted(names)}


def _policy_number(connection: sqlite3.Connection, name: str) -> int:
    if not _has_number(connection, name):
        connection.execute(_INSERT_NUMBERED, {"name": name})
    return int(connection.execute("SELECT id FROM policy_record WHERE name = ?", (name,)).fetchone()[0])


def _has_number(connection: sqlite3.Connection, name: str) -> bool:
    return connection.execute("SELECT id FROM policy_record WHERE name = ?", (name,)).fetchone() is not None


def missing_policies(connection: sqlite3.Connection, names: Collection[str]) -> list[str]:
    """Return the ids of policy records that the file does not have."""
    find = "SELECT count(*) FROM policy_record WHERE name = ? AND record IS NOT NULL"
    return [name for name in sorted(names) if not connection.execute(find, (storable(name),)).fetchone()[0]]


def insert_policy(connection: sqlite3.Connection, record: Record) -> None:
    """Write a policy record with its list of assessments, once, and each moment at which it came into force.

    Decisions that came before it are counted now, as only its list says what they are about.
    """
    is_new = not _has_number(connection, storable(record["id"]))
    (number,) = policy_numbers(connection, (record["id"],)).values()
    service = encode(_of(record.get("service")))
    activation = (number, integer(record.get("time_unix_nano")), service)
    insert_rows(connection, "policy_activation", [activation], ignores_known=True)
    digest = optional(_of(record.get("policy")).get("digest"))
    written = connection.execute(
        "UPDATE policy_record SET digest = ?, record = ? WHERE id = ? AND record IS NULL",
        (digest, encode(record), number),
    )
    if written.rowcount:
        connection.execute("DELETE FROM assessment WHERE policy_id = ?", (number,))
        _insert_assessments(connection, number, record)
        if not is_new:
            finding_counts.add_policy(connection, number)


def _insert_assessments(connection: sqlite3.Connection, number: int, record: Record) -> None:
    listed = record.get("assessments")
    assessments = [_of(each) for each in listed] if isinstance(listed, list) else []
    clauses = [optional(each.get("clause")) or "" for each in assessments]
    clause_ids = insert_names(connection, clauses)
    written = [
        _assessment(number, place, clause_ids[clause], each)
        for place, (clause, each) in enumerate(zip(clauses, assessments, strict=True))
    ]
    insert_rows(connection, "assessment", written)


def _assessment(number: int, place: int, clause_id: int, assessment: Record) -> Row:
    check = _of(assessment.get("check"))
    return (
        number,
        place,
        clause_id,
        optional(assessment.get("authority")),
        optional(assessment.get("severity")),
        optional(assessment.get("action")),
        optional(assessment.get("stage")),
        optional(check.get("name")),
        optional(check.get("kind")),
        optional(check.get("version")),
    )


def _of(value: Any) -> Record:
    return value if isinstance(value, Mapping) else {}
