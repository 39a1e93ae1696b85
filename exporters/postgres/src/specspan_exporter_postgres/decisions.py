"""Insertion of decision records: what deviates in rows of its own, the rest by the number of its combination."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from specspan.sqlite import record_rows
from specspan.sqlite.decision_rows import DecisionRow, SharedPart
from specspan.sqlite.review_rows import TaskRow, insert_task
from specspan.sqlite.text import integer, optional
from specspan_exporter_postgres.late import insert_late
from specspan_exporter_postgres.policies import find_policy, insert_combinations, insert_policy
from specspan_exporter_postgres.schema import HOUR_NS
from specspan_exporter_postgres.spans import number
from specspan_exporter_postgres.statements import PostgresStatements
from specspan_exporter_postgres.writer import Session, clean_row

Record = Mapping[str, Any]

_COLUMNS = """id, time_unix_nano, trace_id, span_id, service, verdict, action, would, mode, governing_clause, reason,
    policy_digest, record, spec_version, provider, model, input_tokens, output_tokens, cache_read_input_tokens,
    not_assessed, overhead_ns, shared_id, outcomes_id"""
_FINDING_COLUMNS = """decision_id, ordinal, time_unix_nano, clause, outcome, authority, severity, reason, score, stage,
    check_name, check_kind, check_version"""
_COUNT = """INSERT INTO specspan.decision_count AS c VALUES (%s, %s, %s, %s)
    ON CONFLICT (hour, shared_id, outcomes_id) DO UPDATE SET decisions = c.decisions + excluded.decisions"""
_DIGEST_LENGTH = 19


def insert_records(session: Session, records: Sequence[Record], policies: Mapping[str, Record]) -> None:
    """Write records. A decision that is there already stays, with its findings, as it was first written.

    ``policies`` are policy records by id, of which those are written that decisions name and the database lacks.
    """
    batch = record_rows.rows(records)
    if batch.policy_records:
        session.lock_names()
        for policy in batch.policy_records:
            insert_policy(session, policy)
    asked = "SELECT id FROM specspan.decision WHERE id = ANY(%s)"
    known = {row[0] for row in session.connection.execute(asked, (list(batch.decisions),))}
    new = {decision_id: row for decision_id, row in batch.decisions.items() if decision_id not in known}
    if new:
        by_id = {record["id"]: record for record in reversed(records) if isinstance(record.get("id"), str)}
        _insert_decisions(session, new, by_id, policies)
    insert_late(session, batch.late_findings)
    _open_reviews(session, batch.review_tasks)
    for table, rows in (("policy_first_version", batch.policies), ("other_record", batch.others)):
        session.insert_new(table, {row[0]: row for row in rows})


def _open_reviews(session: Session, tasks: Sequence[TaskRow]) -> None:
    if tasks:
        statements = PostgresStatements(session.connection)
        for task in sorted(tasks, key=lambda each: each.id):  # in order: two processes may open the same ones
            insert_task(statements.change, task)


def _insert_decisions(
    session: Session, new: Mapping[str, DecisionRow], records: Mapping[str, Record], policies: Mapping[str, Record]
) -> None:
    _insert_missing_policies(session, list(new.values()), policies)
    combinations = _insert_combinations(session, list(new.values()))
    parts = {row.shared.record: row.shared for row in new.values() if row.shared is not None}
    numbers = {text: number(text) for text in parts}
    session.insert_new("decision_shared", {numbers[text]: _shared_row(numbers[text], parts[text]) for text in parts})
    rows, counts = [], Counter[tuple[int, int, int]]()
    for decision_id in sorted(new):
        row = new[decision_id]
        shared_id = None if row.shared is None else numbers[row.shared.record]
        outcomes_id = combinations.get(_combination(row))
        rows.append((*row.columns[:13], *_measures(records[decision_id], row), shared_id, outcomes_id))
        if shared_id is not None and outcomes_id is not None:
            counts[row.time_unix_nano // HOUR_NS, shared_id, outcomes_id] += 1
    session.copy("decision", _COLUMNS, rows)
    session.copy("finding", _FINDING_COLUMNS, [finding for row in new.values() for finding in row.findings])
    # last, and in order: from here on until the end other writers wait for these rows
    with session.connection.cursor() as cursor:
        cursor.executemany(_COUNT, [(*key, count) for key, count in sorted(counts.items())])


def _insert_missing_policies(session: Session, rows: Collection[DecisionRow], policies: Mapping[str, Record]) -> None:
    named = {row.shared.policy_record or "" for row in rows if row.shared is not None}
    for name in sorted(named & policies.keys()):
        if ("policy", name) not in session.known:
            if find_policy(session, name) is None:
                session.lock_names()
                insert_policy(session, policies[name])
            session.known.add(("policy", name))


def _insert_combinations(session: Session, rows: Collection[DecisionRow]) -> dict[tuple[str, str], int]:
    """Return the number of each combination of policy record and outcomes, new ones written first."""
    found = {key: number(*key) for row in rows if (key := _combination(row))[1]}
    new: dict[str, dict[int, str]] = defaultdict(dict)
    for (name, text), each in found.items():
        if ("decision_outcomes", each) not in session.known:
            new[name][each] = text
    if new:
        session.lock_names()
    for name in sorted(new):
        insert_combinations(session, name, new[name])
        session.known.update(("decision_outcomes", each) for each in new[name])
    return found


def _combination(row: DecisionRow) -> tuple[str, str]:
    """Return the policy record that a decision names, and the text of its outcomes; both empty where it has none."""
    if row.shared is None or row.shared.policy_record is None or not row.outcomes:
        return "", ""
    return clean_row((row.shared.policy_record, row.columns[13]))


def _shared_row(each: int, part: SharedPart) -> tuple[Any, ...]:
    specs = _spec_version(json.loads(part.record))
    return each, part.record, part.service, part.mode, part.policy_digest, part.policy_record, specs


def _measures(record: Record, row: DecisionRow) -> tuple[Any, ...]:
    call = _of(record.get("call"))
    usage = _of(call.get("usage"))
    return (
        _spec_version(record) if row.shared is None else None,
        optional(call.get("provider")),
        optional(call.get("model")),
        *(_count(usage.get(name)) for name in ("input_tokens", "output_tokens", "cache_read_input_tokens")),
        _count(_of(record.get("counts")).get("unassessed")),
        _count(record.get("overhead_ns")),
    )


def _spec_version(record: Record) -> str | None:
    """Return names and versions of the specs in force, on one line."""
    specs = record.get("spec")
    named = [_spec_name(_of(spec)) for spec in (specs if isinstance(specs, (list, tuple)) else ())]
    return ", ".join(name for name in named if name is not None) or None


def _spec_name(spec: Record) -> str | None:
    version = spec.get("version") or str(spec.get("digest") or "")[:_DIGEST_LENGTH]
    return f"{spec['id']} {version}" if spec.get("id") and version else None


def _count(value: Any) -> int | None:
    return integer(value) if isinstance(value, int) else None


def _of(value: Any) -> Record:
    return value if isinstance(value, Mapping) else {}
