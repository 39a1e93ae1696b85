"""Insertion of decision and policy records, each in the rows that `references` describes."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import finding_counts
from .bulk_insert import Row, insert_rows
from .decision_rows import DecisionRow, SharedPart, SharedParts, decision_row
from .late_rows import insert_late, is_late_finding
from .pacing import paced
from .policy_rows import insert_policy, missing_policies, policy_numbers
from .references import BLOCK_SIZE
from .review_rows import TaskRow, insert_task, review_tasks
from .text import encode, integer, optional, storable

Record = Mapping[str, Any]

_VERSIONS = (1, 2)
_APPROVAL_NOTICE = "approval"
"""Type of a notice of what waits for an approval, which has a row of its own that says more."""
_NO_POLICIES: Mapping[str, Record] = {}
_COUNT_BLOCK = """INSERT INTO decision_block VALUES (?, ?, ?, ?) ON CONFLICT (block) DO UPDATE SET
    decisions = decisions + excluded.decisions, last_unix_nano = max(last_unix_nano, excluded.last_unix_nano),
    outcomes = excluded.outcomes"""


@dataclass(slots=True)
class Batch:
    """Rows of one batch, by table."""

    decisions: dict[str, DecisionRow] = field(default_factory=dict)
    """By id."""
    policies: list[Row] = field(default_factory=list)
    """Rows of policy records of the first version."""
    policy_records: list[Record] = field(default_factory=list)
    """Policy records that decisions refer to."""
    late_findings: list[Record] = field(default_factory=list)
    """Findings that came after their decision."""
    review_tasks: list[TaskRow] = field(default_factory=list)
    """Tasks of review that decisions and late findings ask for."""
    others: list[Row] = field(default_factory=list)


def rows(records: Sequence[Record]) -> Batch:
    """Return records as rows of tables. A record without a table of its own goes into ``record``."""
    batch = Batch()
    shared_parts = SharedParts()
    for record in paced(records):
        version = record.get("v") if record.get("v") in _VERSIONS else None
        digest = _of(record.get("policy")).get("digest")
        when = integer(record.get("time_unix_nano"))
        if version and record.get("type") == "decision" and isinstance(record.get("id"), str):
            batch.decisions.setdefault(storable(record["id"]), decision_row(record, shared_parts))
        elif version == 1 and record.get("type") == "policy" and isinstance(digest, str):
            text = encode(record)
            batch.policies.append((_identity(text), storable(digest), when, text))
        elif version == 2 and record.get("type") == "policy" and isinstance(record.get("id"), str):
            batch.policy_records.append(record)
        elif is_late_finding(record):
            batch.late_findings.append(record)
        elif record.get("type") != _APPROVAL_NOTICE:
            text = encode(record)
            batch.others.append((_identity(text), optional(record.get("type")), when, text))
    batch.review_tasks += review_tasks(record for record in records if "reviews" in record)
    return batch


def insert(connection: sqlite3.Connection, batch: Batch, policies: Mapping[str, Record] = _NO_POLICIES) -> None:
    """Write rows. A decision that is there already stays, with its findings, as it was first written.

    ``policies`` are policy records by id, of which those are written that new decisions name and the file lacks.
    """
    for policy in batch.policy_records:
        insert_policy(connection, policy)
    known = _known(connection, list(batch.decisions))
    new = [row for decision_id, row in batch.decisions.items() if decision_id not in known]
    if new:
        named = {row.shared.policy_record for row in new if row.shared is not None and row.shared.policy_record}
        for name in missing_policies(connection, named & policies.keys()):
            insert_policy(connection, policies[name])
        _insert_decisions(connection, new)
    insert_late(connection, batch.late_findings)
    for task in batch.review_tasks:
        insert_task(lambda sql, values: connection.execute(sql, values).rowcount, task)
    insert_rows(connection, "policy_row", batch.policies, ignores_known=True)
    insert_rows(connection, "record", batch.others, ignores_known=True)


def _insert_decisions(connection: sqlite3.Connection, new: Sequence[DecisionRow]) -> None:
    block, outcomes = _open_block(connection)
    shared = _insert_shared(connection, {row.shared.record: row.shared for row in new if row.shared is not None})
    numbers = [(None, None) if row.shared is None else shared[row.shared.record] for row in new]
    insert_rows(
        connection,
        "decision_row",
        [(*row.columns, shared_id, block) for row, (shared_id, _) in zip(new, numbers, strict=True)],
    )
    insert_rows(connection, "finding_row", [finding for row in new for finding in row.findings])
    finding_counts.add(connection, block, [(row, policy_id) for row, (_, policy_id) in zip(new, numbers, strict=True)])
    last = max(row.time_unix_nano for row in new)
    outcomes = outcomes.union(*(row.all_outcomes for row in new))
    connection.execute(_COUNT_BLOCK, (block, len(new), last, f" {' '.join(sorted(outcomes))} "))


def _open_block(connection: sqlite3.Connection) -> tuple[int, frozenset[str]]:
    """Return the number of the block that takes the next decisions, from 1 up, and the outcomes in it."""
    latest = "SELECT block, decisions, outcomes FROM decision_block ORDER BY block DESC LIMIT 1"
    block, decisions, outcomes = connection.execute(latest).fetchone() or (0, 0, "")
    if block and decisions < BLOCK_SIZE:
        return int(block), frozenset(outcomes.split())
    return int(block) + 1, frozenset()


def _insert_shared(
    connection: sqlite3.Connection, parts: Mapping[str, SharedPart]
) -> dict[str, tuple[int, int | None]]:
    """Return, by text of a shared part, its number and that of its policy's record, new ones written first."""
    policies = policy_numbers(connection, {part.policy_record for part in parts.values() if part.policy_record})
    written = [
        (
            None,
            part.record,
            part.service,
            part.mode,
            part.policy_digest,
            None if part.policy_record is None else policies[part.policy_record],
        )
        for part in parts.values()
    ]
    insert_rows(connection, "decision_shared", written, ignores_known=True)
    found = connection.execute(
        "SELECT record, id, policy_id FROM decision_shared WHERE record IN (SELECT value FROM json_each(?))",
        (encode(list(parts)),),
    )
    return {record: (number, policy_id) for record, number, policy_id in found}


def _known(connection: sqlite3.Connection, ids: Sequence[str]) -> set[str]:
    found = connection.execute(
        "SELECT id FROM decision_row WHERE id IN (SELECT value FROM json_each(?))", (encode(ids),)
    )
    return {row[0] for row in found}


def _of(value: Any) -> Record:
    return value if isinstance(value, Mapping) else {}


def _identity(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
