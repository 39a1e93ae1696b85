"""Insertion of findings that came after their decision: each changes the row of the finding that was pending."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from specspan.sqlite.late_rows import LOST, is_lost
from specspan.sqlite.reviewed_verdicts import RULING, find_conclusion
from specspan.sqlite.text import encode, integer, optional, real, storable
from specspan_exporter_postgres.reader import Reader
from specspan_exporter_postgres.writer import Session, clean_row

Record = Mapping[str, Any]

_INSERT = """INSERT INTO specspan.late_finding AS l (decision_id, ordinal, time_unix_nano, record)
    VALUES (%s, %s, %s, %s) ON CONFLICT (decision_id, ordinal)
    DO UPDATE SET time_unix_nano = excluded.time_unix_nano, record = excluded.record
    WHERE %s OR l.record::json #>> '{finding,reason}' = %s"""
_SETTLE = """UPDATE specspan.finding SET outcome = %s, reason = %s, score = %s
    WHERE decision_id = %s AND ordinal = %s AND (outcome = 'pending' OR %s OR reason = %s)"""
_AMEND = """UPDATE specspan.decision SET verdict = %s, action = %s, governing_clause = %s, reason = %s WHERE id = %s"""
_RULED = """SELECT clause, ruled_outcome FROM specspan.review_task WHERE decision_id = %s ORDER BY id FOR UPDATE"""
_POLICY = """SELECT p.record FROM specspan.decision AS d JOIN specspan.decision_shared AS s ON s.id = d.shared_id
    JOIN specspan.policy AS p ON p.id = s.policy_record WHERE d.id = %s"""
_PENDING = """SELECT d.id, f.ordinal, d.record, f.clause
    FROM specspan.finding AS f JOIN specspan.decision AS d ON d.id = f.decision_id
    WHERE f.outcome = 'pending' LIMIT 10000"""


def insert_late(session: Session, records: Sequence[Record]) -> None:
    """Write findings that came after their decision.

    One that is there already stays as it is, unless it says that the finding was lost, or the new one replaces it.
    """
    ordered = sorted(records, key=lambda record: (str(record["decision"]), record["finding"]["position"]))
    for record in ordered:  # in order: two processes may settle the same ones
        finding = record["finding"]
        key = storable(record["decision"]), integer(finding["position"])
        row = (*key, integer(record.get("time_unix_nano")), encode(record))
        gives_way = "replaces" in record, LOST
        if session.connection.execute(_INSERT, (*clean_row(row), *gives_way)).rowcount > 0:
            found = optional(finding.get("outcome")) or "", optional(finding.get("reason")), real(finding.get("score"))
            session.connection.execute(_SETTLE, (*clean_row((*found, *key)), *gives_way))
            _amend(session, key[0], record.get("amended"))


def tell_lost(session: Session, now_ns: int | None = None) -> None:
    """Settle pending findings that will not come any more: their time is over, or their process here has gone."""
    now_ns = time.time_ns() if now_ns is None else now_ns
    lost: list[Record] = []
    for decision_id, ordinal, text, clause in session.connection.execute(_PENDING).fetchall():
        if is_lost(json.loads(text), now_ns):
            finding = {"position": ordinal, "clause": clause, "outcome": "unassessed", "reason": LOST}
            lost.append(
                {"v": 2, "type": "finding", "decision": decision_id, "time_unix_nano": now_ns, "finding": finding}
            )
    insert_late(session, lost)


def _amend(session: Session, decision_id: str, amended: Any) -> None:
    """Write the verdict that a late finding leads to; where reviewers have ruled, from what they ruled as well."""
    tasks = session.connection.execute(_RULED, (decision_id,)).fetchall()  # nobody rules until this is committed
    ruled = {clause: outcome for clause, outcome in tasks if outcome is not None}
    by_checks = amended.get("after") if isinstance(amended, Mapping) else None
    after = _conclude(session, decision_id, ruled) if ruled else by_checks
    if isinstance(after, Mapping):
        values = [optional(after.get(name)) for name in RULING]
        session.connection.execute(_AMEND, clean_row((*values, decision_id)))


def _conclude(session: Session, decision_id: str, ruled: Mapping[str, str]) -> Record | None:
    conclude = find_conclusion()
    if conclude is None:  # the verdict that the reviewers left stays
        return None
    found = session.connection.execute(_POLICY, (decision_id,)).fetchone()
    try:
        decision = Reader.on(session.connection, session.connection.info.dbname).decision(decision_id)
    except KeyError:  # pruned since
        return None
    return conclude(decision, json.loads(found[0]) if found else {}, ruled)
