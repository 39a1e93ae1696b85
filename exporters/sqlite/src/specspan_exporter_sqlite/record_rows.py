"""Rows of decision records. Every record is kept whole as JSON; the columns serve searches."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from specspan_exporter_sqlite.bulk_insert import Row, insert_rows
from specspan_exporter_sqlite.text import encode, integer, optional, real, storable

Record = Mapping[str, Any]

_VERSION = 1


@dataclass(slots=True)
class Batch:
    """Rows of one batch, by table."""

    decisions: dict[str, tuple[Row, list[Row]]] = field(default_factory=dict)
    """Row of each decision and rows of its findings, by id."""
    policies: list[Row] = field(default_factory=list)
    others: list[Row] = field(default_factory=list)


def rows(records: Iterable[Record]) -> Batch:
    """Return records as rows of tables. A record without a table of its own goes into ``record``: none is refused."""
    batch = Batch()
    for record in records:
        text = encode(record)
        known = record.get("v") == _VERSION
        digest = _of(record.get("policy")).get("digest")
        if known and record.get("type") == "decision" and isinstance(record.get("id"), str):
            batch.decisions.setdefault(storable(record["id"]), (_decision(record, text), _findings(record)))
        elif known and record.get("type") == "policy" and isinstance(digest, str):
            batch.policies.append((_identity(text), storable(digest), integer(record.get("time_unix_nano")), text))
        else:
            when = integer(record.get("time_unix_nano"))
            batch.others.append((_identity(text), optional(record.get("type")), when, text))
    return batch


def insert(connection: sqlite3.Connection, batch: Batch) -> None:
    """Write rows. A decision that is there already stays, with its findings, as it was first written."""
    known = _known(connection, list(batch.decisions))
    new = [row for decision_id, row in batch.decisions.items() if decision_id not in known]
    insert_rows(connection, "decision", [decision for decision, _ in new])
    insert_rows(connection, "finding", [finding for _, findings in new for finding in findings])
    insert_rows(connection, "policy", batch.policies, ignores_known=True)
    insert_rows(connection, "record", batch.others, ignores_known=True)


def _known(connection: sqlite3.Connection, ids: Sequence[str]) -> set[str]:
    found = connection.execute("SELECT id FROM decision WHERE id IN (SELECT value FROM json_each(?))", (encode(ids),))
    return {row[0] for row in found}


def _decision(record: Record, text: str) -> Row:
    return (
        storable(record["id"]),
        integer(record.get("time_unix_nano")),
        optional(record.get("trace_id")),
        optional(record.get("span_id")),
        optional(_of(record.get("service")).get("name")),
        optional(record.get("verdict")),
        optional(record.get("action")),
        optional(record.get("would")),
        optional(record.get("mode")),
        optional(record.get("governing_clause")),
        optional(record.get("reason")),
        optional(_of(record.get("policy")).get("digest")),
        text,
    )


def _findings(record: Record) -> list[Row]:
    decision_id, when = storable(record["id"]), integer(record.get("time_unix_nano"))
    findings = record.get("findings") or ()
    return [_finding(decision_id, ordinal, when, _of(finding)) for ordinal, finding in enumerate(findings)]


def _finding(decision_id: str, ordinal: int, when: int, finding: Record) -> Row:
    check = _of(finding.get("check"))
    return (
        decision_id,
        ordinal,
        when,
        optional(finding.get("clause")) or "",
        optional(finding.get("outcome")) or "",
        optional(finding.get("authority")),
        optional(finding.get("severity")),
        optional(finding.get("reason")),
        real(finding.get("score")),
        optional(finding.get("stage")),
        optional(check.get("name")),
        optional(check.get("kind")),
        optional(check.get("version")),
    )


def _of(value: Any) -> Record:
    return value if isinstance(value, Mapping) else {}


def _identity(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
