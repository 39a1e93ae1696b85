"""Counts of findings by clause, outcome, hour, service and policy, kept as decisions are written."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from .decision_rows import CLAUSE, OUTCOME, DecisionRow
from .expansion import outcome_and_reason, ranges
from .names import insert_names
from .references import EXPANDED_RANGES, HOUR_NS, OUTCOME_OF_KEY

_ON_CONFLICT = """ON CONFLICT (clause_id, outcome, block, hour, service_id, policy_id)
    DO UPDATE SET count = count + excluded.count"""
_ADD_REFERENCED = f"""INSERT INTO finding_count SELECT a.clause_id, json_extract(j.value, '$[3]'), ?,
        json_extract(j.value, '$[4]'), json_extract(j.value, '$[5]'), json_extract(j.value, '$[6]'),
        sum(json_extract(j.value, '$[7]'))
    FROM json_each(?) AS j JOIN assessment AS a ON a.policy_id = json_extract(j.value, '$[0]')
        AND a.number BETWEEN json_extract(j.value, '$[1]') AND json_extract(j.value, '$[2]')
    WHERE true GROUP BY 1, 2, 3, 4, 5, 6 {_ON_CONFLICT}"""
_ADD_IN_FULL = f"""INSERT INTO finding_count
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), ?, json_extract(value, '$[2]'),
        json_extract(value, '$[3]'), json_extract(value, '$[4]'), json_extract(value, '$[5]')
    FROM json_each(?) WHERE true {_ON_CONFLICT}"""
_ADD_POLICY = f"""INSERT INTO finding_count SELECT a.clause_id, {OUTCOME_OF_KEY}, d.block, d.time_unix_nano / {HOUR_NS},
        service.id, policy.id, count(*)
    FROM decision_shared AS s JOIN decision_row AS d ON d.shared_id = s.id CROSS JOIN {EXPANDED_RANGES}
        JOIN name AS service ON service.text = coalesce(s.service, '')
        JOIN name AS policy ON policy.text = coalesce(s.policy_digest, '')
    WHERE s.policy_id = ? GROUP BY 1, 2, 3, 4, 5, 6 {_ON_CONFLICT}"""


def add(connection: sqlite3.Connection, block: int, decisions: Sequence[tuple[DecisionRow, int | None]]) -> None:
    """Count the findings of new decisions, each given with the number of its policy's record, in their block."""
    rows = [row for row, _ in decisions]
    texts = {text for row in rows for text in (row.service, row.policy_digest)}
    names = insert_names(connection, texts.union(finding[CLAUSE] for row in rows for finding in row.findings))
    _add_referenced(connection, block, decisions, names)
    in_full = Counter(
        (names[finding[CLAUSE]], finding[OUTCOME], *_circumstances(row, names))
        for row in rows
        for finding in row.findings
    )
    if in_full:
        counted = [(*key, count) for key, count in in_full.items()]
        connection.execute(_ADD_IN_FULL, (block, json.dumps(counted)))


def add_policy(connection: sqlite3.Connection, policy_id: int) -> None:
    """Count the findings by reference of decisions that came before their policy's record."""
    connection.execute(_ADD_POLICY, (policy_id,))


def _add_referenced(
    connection: sqlite3.Connection,
    block: int,
    decisions: Iterable[tuple[DecisionRow, int | None]],
    names: dict[str, int],
) -> None:
    """Count findings by reference: equal references of many decisions once, expanded by the database."""
    counts: Counter[tuple[Any, ...]] = Counter()
    for row, policy_id in decisions:
        circumstances = _circumstances(row, names)
        counts.update((policy_id, label, text, *circumstances) for label, text in row.outcomes.items())
    expanded = [
        (policy_id, first, last, outcome_and_reason(label)[0], *circumstances, count)
        for (policy_id, label, text, *circumstances), count in counts.items()
        for first, last in ranges(text)
    ]
    if expanded:
        connection.execute(_ADD_REFERENCED, (block, json.dumps(expanded)))


def _circumstances(row: DecisionRow, names: dict[str, int]) -> tuple[int, int, int]:
    return row.time_unix_nano // HOUR_NS, names[row.service], names[row.policy_digest]
