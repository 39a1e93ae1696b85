"""Findings that came after their decision: each changes the row of the finding that was pending, and is kept whole.

A decision whose verdict changed has the new one in its columns; the verdict before stands in the record of the finding.
Where reviewers have ruled, their verdict stays, until `reviewed_verdicts` concludes from both.
A pending finding of a process that is gone never comes: it is unassessed, for it was lost.
"""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import time
from collections.abc import Mapping, Sequence
from typing import Any

from .decision_rows import finding_row
from .expansion import outcome_and_reason, ranges
from .names import insert_names
from .references import HOUR_NS
from .text import encode, integer, optional, real, storable

Record = Mapping[str, Any]

STATEMENTS = (
    """CREATE TABLE late_finding (
        decision_id TEXT NOT NULL,
        ordinal INTEGER NOT NULL,
        time_unix_nano INTEGER NOT NULL,
        record TEXT NOT NULL,
        PRIMARY KEY (decision_id, ordinal)
    ) WITHOUT ROWID""",
    """CREATE INDEX finding_pending ON finding_row (decision_id) WHERE outcome = 'pending'""",
)
"""Third version of the tables."""
LOST = "lost"
"""Reason of a finding that was pending when its process ended."""
_REPLACEABLE = ("pending", "unassessed", "error")
_RULING = ("verdict", "action", "governing_clause", "reason")
_INSERT = """INSERT INTO late_finding VALUES (?, ?, ?, ?)
    ON CONFLICT (decision_id, ordinal) DO UPDATE SET time_unix_nano = excluded.time_unix_nano, record = excluded.record
    WHERE ? OR json_extract(late_finding.record, '$.finding.reason') = ?"""
_AMEND = """UPDATE decision_row SET verdict = ?, action = ?, governing_clause = ?, reason = ? WHERE id = ?
    AND NOT EXISTS (SELECT 1 FROM review_task WHERE decision_id = ? AND ruled_outcome IS NOT NULL)"""
_PENDING = """SELECT d.id, f.ordinal, d.record, f.clause
    FROM finding_row AS f JOIN decision_row AS d ON d.id = f.decision_id
    WHERE f.outcome = 'pending' LIMIT 10000"""


def is_late_finding(record: Record) -> bool:
    """Return whether a record is that of a finding which came after its decision."""
    finding = record.get("finding")
    return (
        record.get("v") == 2
        and record.get("type") == "finding"
        and isinstance(record.get("decision"), str)
        and isinstance(finding, Mapping)
        and type(finding.get("position")) is int
    )


def insert_late(connection: sqlite3.Connection, records: Sequence[Record]) -> None:
    """Write findings that came after their decision.

    One that is there already stays as it is, unless it says that the finding was lost, or the new one replaces it.
    """
    for record in records:
        finding, replaces = record["finding"], "replaces" in record
        key = storable(record["decision"]), integer(finding["position"])
        row = (*key, integer(record.get("time_unix_nano")), encode(record))
        if connection.execute(_INSERT, (*row, replaces, LOST)).rowcount > 0:
            _settle(connection, *key, finding, replaces=replaces)
            _amend(connection, key[0], record.get("amended"))


def tell_lost(connection: sqlite3.Connection, now_ns: int | None = None) -> set[str]:
    """Settle pending findings that will not come any more: their time is over, or their process has gone.

    Return the ids of their decisions.
    """
    now_ns = time.time_ns() if now_ns is None else now_ns
    lost: set[str] = set()
    for decision_id, ordinal, text, clause in connection.execute(_PENDING).fetchall():
        if is_lost(json.loads(text), now_ns):
            finding = {"position": ordinal, "clause": clause, "outcome": "unassessed", "reason": LOST}
            record = {"v": 2, "type": "finding", "decision": decision_id, "time_unix_nano": now_ns, "finding": finding}
            insert_late(connection, [record])
            lost.add(decision_id)
    return lost


def is_lost(decision: Record, now_ns: int) -> bool:
    """Return whether the pending findings of a decision will not come any more."""
    pending = decision.get("pending")
    if not isinstance(pending, Mapping):
        return False
    if integer(pending.get("until_unix_nano")) < now_ns:
        return True
    process = pending.get("process")
    return isinstance(process, Mapping) and process.get("host") == platform.node() and not _lives(process.get("pid"))


def with_late_findings(expanded: dict[str, Any], late: Sequence[Record], now_ns: int) -> dict[str, Any]:
    """Return an expanded decision with the findings that came after it in place of the pending ones."""
    findings = list(expanded.get("findings") or ())
    for record in late:
        finding = record.get("finding")
        position = finding.get("position") if isinstance(finding, Mapping) else None
        if isinstance(finding, Mapping) and isinstance(position, int) and 0 <= position < len(findings):
            own = {name: value for name, value in finding.items() if name != "position"}
            findings[position] = {**findings[position], **own, "late_unix_nano": record.get("time_unix_nano")}
    if is_lost(expanded, now_ns):
        findings = [
            {**each, "outcome": "unassessed", "reason": LOST} if each.get("outcome") == "pending" else each
            for each in findings
        ]
    amended = [each["amended"] for each in late if isinstance(each.get("amended"), Mapping)]
    first = {"amended": {"before": amended[0].get("before")}} if amended else {}
    rest = {key: value for key, value in expanded.items() if key != "pending"}
    if any(each.get("outcome") == "pending" for each in findings):
        rest["pending"] = expanded.get("pending")
    return {**rest, "findings": findings, **first}


def _settle(connection: sqlite3.Connection, decision_id: str, ordinal: int, finding: Record, *, replaces: bool) -> None:
    """Change the row of a pending finding, or of one that is replaced, and the counts of findings by outcome."""
    outcome = optional(finding.get("outcome")) or ""
    known = connection.execute(
        "SELECT outcome FROM finding_row WHERE decision_id = ? AND ordinal = ?", (decision_id, ordinal)
    ).fetchone()
    before = _write_in_full(connection, decision_id, ordinal, finding) if known is None else str(known[0])
    if known is not None and before not in _REPLACEABLE and not replaces:
        return
    connection.execute(
        "UPDATE finding_row SET outcome = ?, reason = ?, score = ? WHERE decision_id = ? AND ordinal = ?",
        (outcome, optional(finding.get("reason")), real(finding.get("score")), decision_id, ordinal),
    )
    if before is None:
        return
    row = connection.execute(
        """SELECT d.block, d.time_unix_nano, coalesce(s.service, d.service, ''),
               coalesce(s.policy_digest, d.policy_digest, ''), f.clause
           FROM decision_row AS d JOIN finding_row AS f ON f.decision_id = d.id
               LEFT JOIN decision_shared AS s ON s.id = d.shared_id
           WHERE d.id = ? AND f.ordinal = ?""",
        (decision_id, ordinal),
    ).fetchone()
    if row is None:
        return
    block, when, service, policy, clause = row
    numbers = insert_names(connection, {service, policy, clause})
    place = (block or 0, when // HOUR_NS, numbers[service], numbers[policy])
    _count(connection, numbers[clause], before, place, -1)
    _count(connection, numbers[clause], outcome, place, 1)
    connection.execute("DELETE FROM finding_count WHERE clause_id = ? AND count = 0", (numbers[clause],))
    connection.execute(
        "UPDATE decision_block SET outcomes = outcomes || ? WHERE block = ? AND instr(outcomes, ?) = 0",
        (f"{outcome} ", block or 0, f" {outcome} "),
    )


def _write_in_full(connection: sqlite3.Connection, decision_id: str, ordinal: int, finding: Record) -> str | None:
    """Write a finding in full that its decision names by reference; return its outcome before, or None."""
    row = connection.execute(
        """SELECT d.outcomes, d.record, d.time_unix_nano, s.policy_id FROM decision_row AS d
           JOIN decision_shared AS s ON s.id = d.shared_id WHERE d.id = ?""",
        (decision_id,),
    ).fetchone()
    if row is None or row[0] is None:
        return None
    outcomes, record, when, policy_id = json.loads(row[0]), json.loads(row[1]), row[2], row[3]
    check = finding.get("check")
    version = check.get("version") if isinstance(check, Mapping) else None
    numbers = connection.execute(
        """SELECT a.number FROM assessment AS a JOIN name AS c ON c.id = a.clause_id
           WHERE a.policy_id = ? AND c.text = ? AND a.check_version = ?""",
        (policy_id, finding.get("clause"), version),
    ).fetchall()
    for label, text in outcomes.items():
        for (number,) in numbers:
            left = without_number(text, number)
            if left != text:
                outcomes[label] = left
                kept = {name: each for name, each in outcomes.items() if each}
                findings = sorted([*(record.get("findings") or ()), finding], key=lambda each: each["position"])
                connection.execute(
                    "UPDATE decision_row SET outcomes = ?, record = ? WHERE id = ?",
                    (encode(kept) if kept else None, encode({**record, "findings": findings}), decision_id),
                )
                connection.execute(
                    "INSERT OR REPLACE INTO finding_row VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    finding_row(decision_id, ordinal, when, finding),
                )
                return outcome_and_reason(label)[0]
    return None


def without_number(text: str, number: int) -> str:
    """Return ranges of numbers such as ``0-41,43`` without one number."""
    pieces = []
    for first, last in ranges(text):
        parts = [(first, last)] if not first <= number <= last else [(first, number - 1), (number + 1, last)]
        pieces += [f"{low}" if low == high else f"{low}-{high}" for low, high in parts if low <= high]
    return ",".join(pieces)


def _count(
    connection: sqlite3.Connection, clause: int, outcome: str, place: tuple[int, int, int, int], by: int
) -> None:
    connection.execute(
        """INSERT INTO finding_count VALUES (?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT (clause_id, outcome, block, hour, service_id, policy_id)
           DO UPDATE SET count = max(0, count + excluded.count)""",
        (clause, outcome, *place, by),
    )


def _amend(connection: sqlite3.Connection, decision_id: str, amended: Any) -> None:
    after = amended.get("after") if isinstance(amended, Mapping) else None
    if isinstance(after, Mapping):
        values = [optional(after.get(name)) for name in _RULING]
        connection.execute(_AMEND, (*values, decision_id, decision_id))


def _lives(pid: Any) -> bool:
    """Return whether a process of this machine lives, as far as can be told."""
    if type(pid) is not int or pid <= 0:
        return True
    if not hasattr(os, "kill") or os.name != "posix":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
