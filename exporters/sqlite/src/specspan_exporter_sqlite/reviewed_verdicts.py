"""Verdicts of decisions that people ruled on, once a finding came after the ruling.

A late finding brings the verdict that the checks alone lead to. Where reviewers have ruled on a clause of the decision,
theirs holds for that clause, so the verdict is concluded anew from both. Concluding is not a store's work: specspan
says how with `set_conclusion`. Until it has, the verdict that the reviewers left stays.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from .reader import Reader
from .text import optional

Record = Mapping[str, Any]
Conclusion = Callable[[Record, Record, Mapping[str, str]], Record]
"""Takes a decision with every finding in full, its policy's record, and the ruled outcomes by clause; returns its
``verdict``, ``action``, ``governing_clause`` and ``reason``."""

RULING = ("verdict", "action", "governing_clause", "reason")
_RULED = "SELECT clause, ruled_outcome FROM review_task WHERE decision_id = ? AND ruled_outcome IS NOT NULL"
_AMEND = "UPDATE decision_row SET verdict = ?, action = ?, governing_clause = ?, reason = ? WHERE id = ?"
_POLICY = """SELECT p.record FROM decision_row AS d JOIN decision_shared AS s ON s.id = d.shared_id
    JOIN policy_record AS p ON p.id = s.policy_id WHERE d.id = ?"""
_conclusions: list[Conclusion] = []


def set_conclusion(conclusion: Conclusion) -> None:
    """Say how a verdict is concluded from findings and rulings, in this process."""
    _conclusions[:] = [conclusion]


def find_conclusion() -> Conclusion | None:
    """Return what `set_conclusion` was given; None before."""
    return _conclusions[0] if _conclusions else None


def conclude_again(connection: sqlite3.Connection, path: Path, decisions: Iterable[str]) -> None:
    """Write the verdicts of those decisions that reviewers ruled on, and that a finding came for just now."""
    conclude = find_conclusion()
    ruled = {decision: dict(connection.execute(_RULED, (decision,)).fetchall()) for decision in decisions}
    reader = Reader.on(connection, path)
    for decision_id, outcomes in ruled.items():
        if not outcomes or conclude is None:
            continue
        try:
            decision = reader.decision(decision_id)
        except KeyError:  # pruned since
            continue
        found = connection.execute(_POLICY, (decision_id,)).fetchone()
        after = conclude(decision, json.loads(found[0]) if found and found[0] else {}, outcomes)
        connection.execute(_AMEND, (*(optional(after.get(name)) for name in RULING), decision_id))
